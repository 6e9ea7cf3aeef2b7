package kernel

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// unknown is a Cgroup about which nothing was read.
func unknown(version int, path string) Cgroup {
	return Cgroup{
		Version: version, Path: path, Memory: NotKnown, Swap: NotKnown, PIDs: NotKnown, CPUQuota: NotKnown,
		CPUPeriod: NotKnown, OOMKills: NotKnown, PIDsMax: NotKnown, CPUThrottled: NotKnown,
	}
}

func TestCgroups(t *testing.T) {
	const v2Mount = "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup rw,nsdelegate\n"
	v2Files := map[string]string{
		"memory.max": "1048576\n", "memory.swap.max": "0\n", "memory.events": "low 0\noom 2\noom_kill 1\noom_group_kill 9\n",
		"pids.max": "50\n", "pids.events": "max 4\n", "cpu.max": "50000 100000\n",
		"cpu.stat": "usage_usec 5\nnr_throttled 6\n",
	}
	v2Want := func(path string) Cgroup {
		return Cgroup{
			Version: 2, Path: path, Memory: 1 << 20, Swap: 1 << 20, PIDs: 50, CPUQuota: 50000, CPUPeriod: 100000,
			OOMKills: 1, PIDsMax: 4, CPUThrottled: 6,
		}
	}
	scope := "/system.slice/docker-" + hex + ".scope"

	tests := []struct {
		name, cgroup, mounts string
		root                 fstest.MapFS
		want                 Cgroup
	}{
		{"v2", "0::" + scope + "\n", v2Mount, files("sys/fs/cgroup"+scope, v2Files), v2Want(scope)},
		{
			"v2, limits on the parent that carries the ID", "0::" + scope + "/container\n", v2Mount,
			merge(files("sys/fs/cgroup"+scope, v2Files), files("sys/fs/cgroup"+scope+"/container", map[string]string{
				"memory.max": "max\n", "memory.swap.max": "max\n", "pids.max": "max\n", "cpu.max": "max 100000\n",
			})), v2Want(scope + "/container"),
		},
		{
			"v2, limits above the container are not its own", "0::" + scope + "\n", v2Mount,
			merge(files("sys/fs/cgroup/system.slice", v2Files), files("sys/fs/cgroup"+scope, map[string]string{
				"memory.max": "max\n", "memory.swap.max": "max\n", "pids.max": "max\n", "cpu.max": "max 100000\n",
			})), func() Cgroup {
				c := unknown(2, scope)
				c.Memory, c.Swap, c.PIDs, c.CPUQuota, c.CPUPeriod = NoLimit, NoLimit, NoLimit, NoLimit, 100000
				return c
			}(),
		},
		{
			"v2 without swap", "0::" + scope + "\n", v2Mount,
			files("sys/fs/cgroup"+scope, map[string]string{"memory.max": "5\n"}), func() Cgroup {
				c := unknown(2, scope)
				c.Memory = 5
				return c
			}(),
		},
		{
			"v1 unlimited", "4:memory:/c\n8:pids:/c\n1:cpu:/c\n", "35 31 0:32 / /m rw - cgroup cgroup rw,memory\n" +
				"36 31 0:33 / /p rw - cgroup cgroup rw,pids\n37 31 0:33 / /u rw - cgroup cgroup rw,cpu\n",
			merge(
				files("m/c", map[string]string{"memory.limit_in_bytes": "9223372036854771712\n", "memory.memsw.limit_in_bytes": "9223372036854710272\n"}),
				files("p/c", map[string]string{"pids.max": "max\n"}),
				files("u/c", map[string]string{"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"}),
			), func() Cgroup {
				c := unknown(1, "/c")
				c.Memory, c.Swap, c.PIDs, c.CPUQuota, c.CPUPeriod = NoLimit, NoLimit, NoLimit, NoLimit, 100000
				return c
			}(),
		},
		{
			"we are in a nested cgroup", "4:memory:/docker/outer/c\n", "35 31 0:32 /docker/outer /m rw - cgroup cgroup rw,memory\n",
			files("m/c", map[string]string{"memory.limit_in_bytes": "77\n"}), func() Cgroup {
				c := unknown(1, "/docker/outer/c")
				c.Memory = 77
				return c
			}(),
		},
		{
			"outside what our mount shows", "4:memory:/docker/outer2/c\n", "35 31 0:32 /docker/outer /m rw - cgroup cgroup rw,memory\n",
			files("m/2/c", map[string]string{"memory.limit_in_bytes": "77\n"}), unknown(1, "/docker/outer2/c"),
		},
		{
			"outside our cgroup namespace", "0::/../c\n", v2Mount,
			files("sys/fs/cgroup/c", v2Files), unknown(2, "/../c"),
		},
		{
			"outside our cgroup namespace, mounted from there", "0::/../../c\n", "41 31 0:38 /../.. /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
			files("sys/fs/cgroup/c", v2Files), v2Want("/../../c"),
		},
		{
			"hybrid: the named v1 hierarchy and the empty v2 one do not count", "9:name=memory:/x\n4:memory:/c\n0::/y\n",
			"40 31 0:37 / /s rw - cgroup cgroup rw,name=memory\n35 31 0:32 / /m rw - cgroup cgroup rw,memory\n" + v2Mount,
			merge(files("sys/fs/cgroup/y", v2Files), files("m/c", map[string]string{"memory.limit_in_bytes": "77\n"})), func() Cgroup {
				c := unknown(1, "/c")
				c.Memory, c.PIDs, c.CPUQuota, c.CPUPeriod, c.PIDsMax, c.CPUThrottled = 77, 50, 50000, 100000, 4, 6
				return c
			}(),
		},
		{
			"garbage in the files", "4:memory:/c\n", "35 31 0:32 / /m rw - cgroup cgroup rw,memory\n",
			files("m/c", map[string]string{"memory.limit_in_bytes": "lots\n", "memory.oom_control": "oom_kill -4\n"}), unknown(1, "/c"),
		},
		{"no cgroups at all", "", v2Mount, fstest.MapFS{}, unknown(0, "")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := read(fixtureProc(tt.cgroup, tt.mounts), tt.root, 4242)
			if err != nil {
				t.Fatal(err)
			}
			s.Cgroup.Dirs = nil
			if diff := cmp.Diff(tt.want, s.Cgroup); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

package kernel

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const v1Mounts = `31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`

func TestReadHardenedV1(t *testing.T) {
	cgroup := "9:name=systemd:/docker/" + hex + "\n8:pids:/docker/" + hex + "\n4:memory:/docker/" + hex +
		"\n2:cpu,cpuacct:/docker/" + hex + "\n0::/\n"
	root := merge(
		files("sys/fs/cgroup/memory/docker/"+hex, map[string]string{
			"memory.limit_in_bytes":       "2147483648\n",
			"memory.memsw.limit_in_bytes": "2147483648\n",
			"memory.oom_control":          "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
		}),
		files("sys/fs/cgroup/pids/docker/"+hex, map[string]string{"pids.max": "100\n", "pids.events": "max 7\n"}),
		files("sys/fs/cgroup/cpu,cpuacct/docker/"+hex, map[string]string{
			"cpu.cfs_quota_us": "200000\n", "cpu.cfs_period_us": "100000\n",
			"cpu.stat": "nr_periods 9\nnr_throttled 5\nthrottled_time 1\n",
		}),
	)
	got, err := read(fixtureProc(cgroup, v1Mounts), root, 4242)
	if err != nil {
		t.Fatal(err)
	}
	yes := true
	if got.Mounts == nil || got.Limits == nil {
		t.Fatal("no mounts or no limits")
	}
	got.Mounts, got.Limits = nil, nil // have tests of their own
	want := &State{
		PID: 4242, Start: 987654,
		UIDs: [4]int64{1000, 1000, 1000, 1000}, GIDs: [4]int64{100, 100, 100, 100}, Groups: []int64{100, 2000},
		Caps:       Caps{Bounding: 0xa80425fb},
		NoNewPrivs: &yes, Seccomp: 2,
		LSM:        "docker-default (enforce)",
		Namespaces: map[string]string{"pid": "pid:[4026532000]"},
		Interfaces: []string{"lo", "eth0"},
		Cgroup: Cgroup{
			Version: 1, Path: "/docker/" + hex,
			Memory: 2 << 30, Swap: 2 << 30, PIDs: 100, CPUQuota: 200000, CPUPeriod: 100000,
			OOMKills: 3, PIDsMax: 7, CPUThrottled: 5,
			Dirs: map[string][]string{
				"memory": {"/sys/fs/cgroup/memory/docker/" + hex},
				"pids":   {"/sys/fs/cgroup/pids/docker/" + hex},
				"cpu":    {"/sys/fs/cgroup/cpu,cpuacct/docker/" + hex},
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}

	t.Run("refresh", func(t *testing.T) {
		root["sys/fs/cgroup/pids/docker/"+hex+"/pids.events"].Data = []byte("max 8\n")
		cg, err := got.refresh(root)
		if err != nil || cg.PIDsMax != 8 {
			t.Errorf("refresh: %v, %v", cg, err)
		}
		if got.Cgroup.PIDsMax != 7 {
			t.Error("refresh altered the earlier state")
		}
		if _, err := got.refresh(fstest.MapFS{}); !errors.Is(err, ErrGone) {
			t.Errorf("cgroup removed: %v, want ErrGone", err)
		}
		if _, err := new(State).refresh(root); !errors.Is(err, ErrUnavailable) {
			t.Errorf("no cgroup: %v, want ErrUnavailable", err)
		}
	})
}

func TestReadFails(t *testing.T) {
	cgroup := "0::/docker/" + hex + "\n"
	tests := []struct {
		name   string
		break_ func(fstest.MapFS)
		want   error  // nil: any error
		text   string // in the message
	}{
		{"process never was", func(p fstest.MapFS) { delete(p, "4242/stat") }, ErrGone, "4242"},
		{"process went away", func(p fstest.MapFS) { delete(p, "4242/limits") }, ErrGone, "4242"},
		{"zombie", func(p fstest.MapFS) {
			p["4242/stat"].Data = []byte(strings.Replace(fixtureStat, ") S", ") Z", 1))
		}, ErrGone, "ended"},
		{"no mounts", func(p fstest.MapFS) { p["4242/mountinfo"].Data = nil }, ErrUnavailable, "mountinfo"},
		{"bounding set missing", func(p fstest.MapFS) {
			p["4242/status"].Data = []byte(strings.Replace(fixtureStatus, "CapBnd", "CapXxx", 1))
		}, nil, "CapBnd"},
		{"groups missing", func(p fstest.MapFS) {
			p["4242/status"].Data = []byte(strings.Replace(fixtureStatus, "Groups:", "Gruppen:", 1))
		}, nil, "Groups"},
		{"line given twice", func(p fstest.MapFS) {
			p["4242/status"].Data = []byte(fixtureStatus + "NoNewPrivs:\t0\n")
		}, nil, "twice"},
		{"limit missing", func(p fstest.MapFS) {
			p["4242/limits"].Data = []byte(strings.Replace(fixtureLimits, "Max core file size", "Max core", 1))
		}, nil, "core"},
		{"cgroup garbage", func(p fstest.MapFS) { p["4242/cgroup"].Data = []byte("x\n") }, nil, "cgroup"},
		{"file too large", func(p fstest.MapFS) { p["4242/status"].Data = make([]byte, maxFile+1) }, nil, "larger"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			proc := fixtureProc(cgroup, v1Mounts)
			if _, err := read(proc, fstest.MapFS{}, 4242); err != nil {
				t.Fatalf("fixture itself: %v", err)
			}
			tt.break_(proc)
			s, err := read(proc, fstest.MapFS{}, 4242)
			if err == nil {
				t.Fatalf("no error, state %+v", s)
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %q does not say %q", err, tt.text)
			}
		})
	}
	for _, pid := range []int{0, -1} {
		if _, err := read(fixtureProc(cgroup, ""), fstest.MapFS{}, pid); !errors.Is(err, ErrGone) {
			t.Errorf("pid %d: %v", pid, err)
		}
	}
}

// recycled is a /proc in which the number changes hands once limits was read.
type recycled struct{ fstest.MapFS }

func (r recycled) Open(name string) (fs.File, error) {
	if name == "4242/limits" {
		r.MapFS["4242/stat"].Data = []byte(strings.Replace(fixtureStat, "987654", "987655", 1))
	}
	return r.MapFS.Open(name)
}

func TestReadRecycledPID(t *testing.T) {
	_, err := read(recycled{fixtureProc("0::/\n", v1Mounts)}, fstest.MapFS{}, 4242)
	if !errors.Is(err, ErrGone) || !strings.Contains(err.Error(), "another process") {
		t.Errorf("error %v, want ErrGone", err)
	}
}

// forbidden refuses one file.
type forbidden struct {
	fstest.MapFS
	name string
}

func (f forbidden) Open(name string) (fs.File, error) {
	if name == f.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return f.MapFS.Open(name)
}

func TestReadForbidden(t *testing.T) {
	for _, name := range []string{"4242/stat", "4242/mountinfo", "4242/cgroup"} {
		_, err := read(forbidden{fixtureProc("0::/\n", v1Mounts), name}, fstest.MapFS{}, 4242)
		if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrGone) {
			t.Errorf("%s: error %v, want ErrUnavailable", name, err)
		}
	}
}

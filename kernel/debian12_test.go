package kernel

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The files in testdata/debian12 are a real host's: Debian 12 with systemd, cgroup
// v2 and AppArmor, and on it a container that Docker 20.10 started with every flag
// of the default policy.
func TestDebian12(t *testing.T) {
	s, err := read(os.DirFS("testdata/debian12/proc"), os.DirFS("testdata/debian12"), 832)
	if err != nil {
		t.Fatal(err)
	}
	want := Cgroup{
		Version: 2, Path: s.Cgroup.Path, Memory: 2 << 30, Swap: 2 << 30, PIDs: 100,
		CPUQuota: 200_000, CPUPeriod: 100_000, Dirs: s.Cgroup.Dirs,
	}
	if diff := cmp.Diff(want, s.Cgroup); diff != "" {
		t.Error(diff)
	}
	if !strings.HasPrefix(s.Cgroup.Path, "/system.slice/docker-") {
		t.Errorf("cgroup %s", s.Cgroup.Path)
	}
	if s.LSM != "docker-default (enforce)" || s.Seccomp != 2 || s.NoNewPrivs == nil || !*s.NoNewPrivs || s.Caps != (Caps{}) || s.UIDs[0] != 1000 {
		t.Errorf("%q, seccomp %d, caps %+v, uids %v", s.LSM, s.Seccomp, s.Caps, s.UIDs)
	}
	if l := s.Limits["nofile"]; l != (Rlimit{1024, 1024}) || s.Limits["core"] != (Rlimit{}) {
		t.Errorf("%+v", s.Limits)
	}
	if m, ok := s.MountAt("/tmp"); !ok || !m.Has("noexec") || !m.Has("nosuid") || !m.Has("nodev") {
		t.Errorf("/tmp: %+v", m)
	}
	// What a runtime or anyone else raised later shows when it is read again.
	dir := "sys/fs/cgroup" + s.Cgroup.Path
	raised := files(dir, map[string]string{
		"memory.max": "2147483648\n", "memory.swap.max": "1073741824\n", "pids.max": "max\n", "cpu.max": "max 100000\n",
		"memory.events": "low 0\nhigh 0\nmax 19\noom 1\noom_kill 1\noom_group_kill 0\n", "pids.events": "max 3\n",
	})
	after, err := s.refresh(raised)
	if err != nil {
		t.Fatal(err)
	}
	if after.Swap != 3<<30 || after.PIDs != NoLimit || after.CPUQuota != NoLimit || after.OOMKills != 1 || after.PIDsMax != 3 {
		t.Errorf("%+v", after)
	}
}

package kernel

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// The other processes of a container are those in its cgroup and in the one that
// the runtime made below it, each once.
func TestMembers(t *testing.T) {
	whole := fixtureProc("0::/a/b\n", fixtureMountinfo)
	proc := fstest.MapFS{"self/mountinfo": whole["self/mountinfo"]}
	for _, pid := range []string{"11", "12", "13"} {
		for name, file := range whole {
			if rest, ok := strings.CutPrefix(name, "4242/"); ok {
				proc[pid+"/"+rest] = file
			}
		}
	}
	root := fstest.MapFS{
		"cg/a/b/cgroup.procs": {Data: []byte("11\n12\n")}, "cg/a/cgroup.procs": {Data: []byte("12\n13\n0\n999\n")},
	}
	s := &State{PID: 11, Cgroup: Cgroup{Dirs: map[string][]string{"pids": {"/cg/a/b", "/cg/a"}}}}
	all, more, err := s.members(proc, root, 10)
	if err != nil || more {
		t.Fatal(err, more)
	}
	var pids []string
	for _, m := range all {
		pids = append(pids, strconv.Itoa(m.PID))
	}
	if got := strings.Join(pids, " "); got != "12 13" {
		t.Errorf("members %s", got)
	}
	if all, more, err = s.members(proc, root, 1); len(all) != 1 || !more || err != nil {
		t.Errorf("%d members, more %t, %v", len(all), more, err)
	}
	if _, _, err = s.members(proc, fstest.MapFS{}, 1); !errors.Is(err, ErrGone) {
		t.Errorf("a cgroup that is gone: %v", err)
	}
	if _, _, err = (&State{}).members(proc, root, 1); !errors.Is(err, ErrUnavailable) {
		t.Errorf("no cgroup: %v", err)
	}
}

package kernel

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// In a user namespace a process is who it is there, whatever its number is here:
// what rootless Podman makes of 1000:100 for the user 1000 with subordinate IDs
// from 100000, read on a Debian 12.
func TestReadInUserNamespace(t *testing.T) {
	proc := fixtureProc("0::/\n", v1Mounts)
	proc["4242/status"].Data = []byte(strings.NewReplacer(
		"Uid:\t1000\t1000\t1000\t1000", "Uid:\t100999\t100999\t100999\t1000",
		"Gid:\t100\t100\t100\t100", "Gid:\t100099\t100099\t100099\t100099",
		"Groups:\t100 2000", "Groups:\t100099 7",
	).Replace(fixtureStatus))
	const ids = "         0       1000          1\n         1     100000      65536\n"
	for _, name := range []string{"uid_map", "gid_map"} {
		proc["4242/"+name] = &fstest.MapFile{Data: []byte(ids)}
	}
	s, err := read(proc, fstest.MapFS{}, 4242)
	if err != nil {
		t.Fatal(err)
	}
	if want := [4]int64{1000, 1000, 1000, 0}; s.UIDs != want {
		t.Errorf("uids %v, want %v", s.UIDs, want)
	}
	if want := [4]int64{100, 100, 100, 100}; s.GIDs != want {
		t.Errorf("gids %v, want %v", s.GIDs, want)
	}
	if diff := cmp.Diff([]int64{100, Unmapped}, s.Groups); diff != "" {
		t.Errorf("groups: %s", diff)
	}
	for _, bad := range []string{"0 1000\n", "0 1000 x\n", "0 -1 1\n", "0 1 99999999999\n"} {
		proc["4242/gid_map"] = &fstest.MapFile{Data: []byte(bad)}
		proc["4242/status"].Data = []byte(fixtureStatus)
		if _, err := read(proc, fstest.MapFS{}, 4242); err == nil {
			t.Errorf("an ID map of %q is read", bad)
		}
	}
}

func FuzzIDMap(f *testing.F) {
	f.Add([]byte("0 1000 1\n1 100000 65536\n"), int64(100999))
	f.Fuzz(func(t *testing.T, data []byte, id int64) {
		if m, err := parseIDMap(data); err == nil && id >= 0 && m.inside(id) < Unmapped {
			t.Errorf("%d is %d", id, m.inside(id))
		}
	})
}

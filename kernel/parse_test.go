package kernel

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseLimits(t *testing.T) {
	got, err := parseLimits([]byte(fixtureLimits))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Rlimit{
		"core":   {0, 0},
		"nofile": {1024, 4096},
		"nproc":  {15000, 15001},
		"stack":  {8388608, NoLimit},
		"rttime": {NoLimit, NoLimit}, // beyond an int64
		"nice":   {0, 0},             // has no unit
	} {
		if l, ok := got[name]; !ok || l != want {
			t.Errorf("%s is %v, want %v", name, l, want)
		}
	}
	if len(got) != 16 {
		t.Errorf("%d limits, want 16: %v", len(got), got)
	}
}

func TestParseMountinfo(t *testing.T) {
	mounts, err := parseMountinfo([]byte(fixtureMountinfo))
	if err != nil {
		t.Fatal(err)
	}
	want := Mount{
		ID: 702, Parent: 700, Device: "8:1", Root: "/src/a b", Target: "/work space\tx", Options: []string{"rw", "relatime"},
		FSType: "ext4", Source: "/dev/sda1", SuperOptions: []string{"rw"},
	}
	if diff := cmp.Diff(want, mounts[2]); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if m := mounts[0]; m.FSType != "overlay" || m.Options[0] != "ro" || m.SuperOptions[0] != "rw" {
		t.Errorf("optional fields confused the parser: %+v", m)
	}
	if m := mounts[7]; m.Source != "" || m.SuperOptions[0] != "ro" {
		t.Errorf("an empty source confused the parser: %+v", m)
	}
	for line, want := range map[string][]string{
		"1 2 0:1 / /m rw - tmpfs tmpfs rw":                   nil,
		"1 2 0:1 / /m rw shared:5 - tmpfs tmpfs rw":          {"shared:5"},
		"1 2 0:1 / /m rw shared:5 master:3 - tmpfs tmpfs rw": {"shared:5", "master:3"},
	} {
		if m, err := parseMountinfo([]byte(line)); err != nil || !slices.Equal(m[0].Propagation, want) {
			t.Errorf("%q: %v, %v", line, m, err)
		}
	}
	for _, bad := range []string{"1 2 3", "1 2 0:1 / / rw tmpfs tmpfs rw", "x 2 0:1 / / rw - tmpfs tmpfs rw", "1 2 0:1 / / rw - tmpfs rw"} {
		if m, err := parseMountinfo([]byte(bad)); err == nil {
			t.Errorf("%q was read as %+v", bad, m)
		}
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		`a\040b`: "a b", `\134040`: `\040`, `end\04`: `end\04`, `\999`: `\999`, `\012\011`: "\n\t", `\777`: `\777`,
	} {
		if got := unescape(in); got != want {
			t.Errorf("unescape(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestMountAt(t *testing.T) {
	mounts, err := parseMountinfo([]byte(fixtureMountinfo))
	if err != nil {
		t.Fatal(err)
	}
	s := State{Mounts: mounts}
	for target, id := range map[string]int{
		"/": 700, "/tmp": 701, "/tmp/": 701, "/stack": 704, "/hidden": 706,
		"/hidden/inner": 0, // /hidden was mounted over it
		"/tmp/x":        0, "/tm": 0, "/absent": 0,
	} {
		m, ok := s.MountAt(target)
		if ok != (id != 0) || ok && m.ID != id {
			t.Errorf("MountAt(%q) = %d, %v, want %d", target, m.ID, ok, id)
		}
	}
	if _, ok := new(State).MountAt("/"); ok {
		t.Error("a state without mounts has a root")
	}
}

func TestMountHas(t *testing.T) {
	m := Mount{Options: []string{"rw", "nosuid"}, SuperOptions: []string{"ro", "nodev", "size=5k"}}
	for option, want := range map[string]bool{
		"ro": true, "rw": false, "nosuid": true, "size=5k": true,
		"nodev": false, // only the mount's own flag counts
		"suid":  false,
	} {
		if got := m.Has(option); got != want {
			t.Errorf("Has(%q) = %v", option, got)
		}
	}
	if !(Mount{Options: []string{"rw"}, SuperOptions: []string{"rw"}}).Has("rw") {
		t.Error("a writable mount is not rw")
	}
}

func TestParseStat(t *testing.T) {
	state, start, err := parseStat([]byte(fixtureStat))
	if err != nil || state != 'S' || start != 987654 {
		t.Errorf("%c, %d, %v", state, start, err)
	}
	for _, bad := range []string{"", "1 (a) S 2 3", "1 (a) SS" + strings.Repeat(" 1", 20), "1 (a) S" + strings.Repeat(" x", 20)} {
		if _, _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestCapNames(t *testing.T) {
	if len(AllCaps) != 41 || AllCaps[21] != "SYS_ADMIN" || AllCaps[40] != "CHECKPOINT_RESTORE" {
		t.Fatal("the table is off")
	}
	if got, want := CapNames(1|1<<21|1<<63), []string{"CHOWN", "SYS_ADMIN", "63"}; !cmp.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := CapNames(0x00000000a80425fb); len(got) != 14 {
		t.Errorf("Docker's default set has 14 capabilities, not %v", got)
	}
	if got := CapNames(0); got != nil {
		t.Errorf("no bits: %v", got)
	}
}

package probe

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// The container's own tree is told from one that is mounted elsewhere, and from
// one that lies below a mount, as a sandbox shows it.
func TestTrees(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"own", "over", "host/proc", "bare", "twice/proc"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
		if d == "bare" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, d, "version"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	at := func(name, fstype string) mount { return mount{target: filepath.Join(dir, name), fstype: fstype} }
	for name, row := range map[string]struct {
		mounts []mount
		want   []tree
	}{
		"its own":               {[]mount{at("own", "proc")}, []tree{{"own", false}}},
		"the host's over it":    {[]mount{at("own", "proc"), at("own", "9p")}, []tree{{"own", true}}},
		"another":               {[]mount{at("own", "proc"), at("over", "proc")}, []tree{{"own", false}, {"over", true}}},
		"below a mount":         {[]mount{at("own", "proc"), at("host", "9p")}, []tree{{"own", false}, {"host/proc", true}}},
		"mounted and below one": {[]mount{at("own", "proc"), at("twice", "ext4"), at("twice/proc", "proc")}, []tree{{"own", false}, {"twice/proc", true}}},
		"nothing of the kind":   {[]mount{at("own", "proc"), at("bare", "tmpfs")}, []tree{{"own", false}}},
	} {
		got := trees(row.mounts, filepath.Join(dir, "own"), []string{"proc"}, []string{"proc"}, has("version"))
		for i := range got {
			got[i].dir, _ = filepath.Rel(dir, got[i].dir)
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}

func TestReadSome(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	read := func(path string) string { return readSome(&recorder{obs: &Observation{}}, "read", path).Errno }
	if got := read(dir); got != "empty" {
		t.Errorf("an empty directory: %q", got)
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{file: "empty", "/dev/null": "empty", dir: "", filepath.Join(dir, "none"): "ENOENT", "/proc/version": ""} {
		if got := read(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

// What may be written is found by opening it in one's own tree, and by asking
// elsewhere; nothing is written either way.
func TestTreeWrite(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "knob"), []byte("as it was"), 0o600); err != nil {
		t.Fatal(err)
	}
	for elsewhere, act := range map[bool]string{false: "open for writing", true: "access for writing"} {
		r := &recorder{obs: &Observation{}}
		tree{dir, elsewhere}.write(r, []string{"knob", "none"})
		if a := r.obs.Attempts; len(a) != 1 || a[0].Act != act || !a[0].OK || a[0].Bits != "allow" {
			t.Errorf("elsewhere %t: %+v", elsewhere, a)
		}
	}
	if data, err := os.ReadFile(filepath.Join(dir, "knob")); string(data) != "as it was" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestDevices(t *testing.T) {
	if got := (device{unix.S_IFBLK, 254, 3}).String(); got != "b 254:3" {
		t.Error(got)
	}
	known := knownDevices()
	for _, want := range []device{{unix.S_IFCHR, 1, 11}, {unix.S_IFBLK, 7, 0}, {unix.S_IFCHR, 5, 0}} {
		if !slices.Contains(known, want) {
			t.Errorf("%s is not known", want)
		}
	}
	if slices.ContainsFunc(known, func(d device) bool { return d.kind == 0 }) || len(known) > nodesMost {
		t.Errorf("a device of no kind, or %d of them", len(known))
	}
	var r recorder
	r.obs = &Observation{}
	devList(&session{}, &r)
	null := slices.IndexFunc(r.obs.Attempts, func(a Attempt) bool { return a.On == "/dev/null" && !a.Control })
	if null < 0 || r.obs.Attempts[null].Note != "c 1:3" || !r.obs.Attempts[null].OK {
		t.Errorf("%+v", r.obs)
	}
}

package verify

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tightship-dev/tightship/engine"
)

// What a result says it is about can be computed by somebody else.
func TestIdentity(t *testing.T) {
	f := newFake(t)
	o := f.options()
	r, err := Image(t.Context(), f, o)
	if err != nil {
		t.Fatal(err)
	}
	wanted, err := o.Policy.Container()
	if err != nil {
		t.Fatal(err)
	}
	if r.SettingsDigest != Launched(wanted) {
		t.Errorf("settings %s, want %s", r.SettingsDigest, Launched(wanted))
	}
	if r.GuestDigest != sha256Of(o.Guest) || r.Subject.ImageID != "sha256:1" || r.LeftOut != 0 {
		t.Errorf("guest %s, image %s, left out %d", r.GuestDigest, r.Subject.ImageID, r.LeftOut)
	}
	if r.Subject.RuntimeDigest != "" || r.Subject.RuntimeNote != "the engine runs on another host" {
		t.Errorf("runtime %q, %q", r.Subject.RuntimeDigest, r.Subject.RuntimeNote)
	}
	wanted.PIDs++
	if r.SettingsDigest == Launched(wanted) {
		t.Error("other settings have the same digest")
	}
}

func TestRuntimeDigest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runc")
	if err := os.WriteFile(path, []byte("a"), 0o700); err != nil {
		t.Fatal(err)
	}
	info := engine.Info{Local: true, Runtime: "runc", Programs: map[string]engine.Program{"runc": {Path: path}, "loose": {Path: path, Args: []string{"--x"}}, "shim": {Type: "t"}}}
	plain, err := RuntimeDigest(info, "")
	if err != nil || plain != sha256Of([]byte("a")) {
		t.Errorf("%s, %v", plain, err)
	}
	if loose, err := RuntimeDigest(info, "loose"); err != nil || loose == plain {
		t.Errorf("its arguments do not count: %v", err)
	}
	if got, err := RuntimeDigest(info, "shim"); err == nil {
		t.Errorf("a shim: %s", got)
	}
}

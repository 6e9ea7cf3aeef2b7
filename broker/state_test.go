package broker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestForeignDirectory has directories in which others can write, or that lead
// elsewhere: whoever can write there makes sandboxes of their own for the next start.
func TestForeignDirectory(t *testing.T) {
	up := newUpstream(t, nil)
	p := policyOf(up.credential("x", apiKey, allow("GET", "/**")))
	for name, prepare := range map[string]func(dir string) error{
		"others can write":        func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777)) },
		"others, with sticky bit": func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777|os.ModeSticky)) },
		"a group can write":       func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o770)) },
		"leads elsewhere": func(dir string) error {
			return errors.Join(os.Mkdir(dir+".other", 0o700), os.Symlink(dir+".other", dir))
		},
		"state leads elsewhere": func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Mkdir(dir+".other", 0o700), os.Symlink(dir+".other", filepath.Join(dir, "state")))
		},
		"sandboxes lead elsewhere": func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Mkdir(dir+".other", 0o700), os.Symlink(dir+".other", filepath.Join(dir, "sandboxes")))
		},
		"state is a file": func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "state"), nil, 0o600))
		},
	} {
		dir := filepath.Join(shortDir(t), "d")
		if err := prepare(dir); err != nil {
			t.Fatal(err)
		}
		b, err := New(Options{Dir: dir, Policy: p, Ledger: &memory{}, Open: newFixed(realKey).opener()})
		if err == nil {
			b.Close()
		}
		if !errors.Is(err, ErrDir) {
			t.Errorf("%s: %v, want %v", name, err, ErrDir)
		}
	}
	if os.Geteuid() != 0 {
		return
	}
	dir := shortDir(t)
	if err := os.Chown(dir, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Dir: dir, Policy: p, Ledger: &memory{}, Open: newFixed(realKey).opener()}); !errors.Is(err, ErrDir) {
		t.Errorf("somebody else's: %v, want %v", err, ErrDir)
	}
}

// TestRemovedMeanwhile removes a sandbox, and adds another one of its name, while the
// engine is asked for the container of the first.
func TestRemovedMeanwhile(t *testing.T) {
	up := newUpstream(t, nil)
	var tb *testBroker
	again := false
	tb = startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), func(o *Options) {
		o.Resolve = func(context.Context, string) (string, int, error) {
			err := tb.Remove("box")
			if again && err == nil {
				_, err = tb.Add("box", os.Getuid())
			}
			return "c0ffee", 0, err
		}
	})
	for _, again = range []bool{true, false} {
		if err := tb.Bind(t.Context(), "box", Who{Container: "c0ffee"}); !errors.Is(err, ErrNoSandbox) {
			t.Errorf("added again %v: %v, want %v", again, err, ErrNoSandbox)
		}
		data, err := os.ReadFile(tb.paths.binding("box"))
		if again == os.IsNotExist(err) {
			t.Errorf("added again %v: the state is %q %v", again, data, err)
		}
	}
}

// TestRemoveKeepsTheNext removes a sandbox twice, and adds one of its name in between.
func TestRemoveKeepsTheNext(t *testing.T) {
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
	old := tb.sandboxes["box"]
	if err := tb.Remove("box"); err != nil {
		t.Fatal(err)
	}
	if _, err := tb.Add("box", os.Getuid()); err != nil {
		t.Fatal(err)
	}
	if err := tb.remove(old); !errors.Is(err, ErrNoSandbox) {
		t.Errorf("%v, want %v", err, ErrNoSandbox)
	}
	if resp, _ := fetch(t, tb.client(t), "GET", "/x/a", nil); resp.StatusCode != 200 || tb.sandboxes["box"] == nil {
		t.Errorf("status %d of the next one", resp.StatusCode)
	}
}

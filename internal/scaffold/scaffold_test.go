package scaffold

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/policy"
)

func open(t *testing.T, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

func TestFiles(t *testing.T) {
	files, err := Files(Options{Now: time.Now(), Action: "v1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{PolicyFile, WorkflowFile, ComposeFile, policy.ComposeSeccomp}
	for i, f := range files {
		if f.Path != paths[i] || f.About == "" || !strings.HasSuffix(string(f.Content), "\n") {
			t.Errorf("%s: %q", f.Path, f.About)
		}
	}
	if _, err := policy.Decode(PolicyFile, files[0].Content); err != nil {
		t.Error(err)
	}
	if !strings.Contains(string(files[1].Content), "uses: tightship-dev/tightship@v1.2.3\n") {
		t.Error("the workflow does not use the action")
	}
	if _, err := Files(Options{Runtime: "a b"}); err == nil {
		t.Error("a runtime that is none is no error")
	}
	p := policy.Default()
	p.Tmpfs["/a:b"] = policy.Tmpfs{}
	if _, err := Files(Options{Policy: p}); err == nil {
		t.Error("a policy that Compose cannot say is no error")
	}
}

func TestPlanAndWrite(t *testing.T) {
	dir := t.TempDir()
	root := open(t, dir)
	f := File{Path: "a/b/file", Content: []byte("new\n")}
	plan := func(want State) {
		t.Helper()
		if got, err := Plan(root, f); err != nil || got != want {
			t.Errorf("%q %v, want %q", got, err, want)
		}
	}
	plan(Missing)
	if err := Write(root, f); err != nil {
		t.Fatal(err)
	}
	plan(Same)
	path := filepath.Join(dir, f.Path)
	for _, other := range []string{"", "old\n", "new\nand more\n"} {
		if err := os.WriteFile(path, []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		plan(Differs)
	}
	if err := Write(root, f); err != nil {
		t.Fatal(err)
	}
	plan(Same)
	if err := errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	plan(Differs) // and does not wait for somebody to write into it
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}

// What cannot be written leaves nothing behind, and nothing lands elsewhere.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	root := open(t, dir)
	if err := os.Mkdir(filepath.Join(dir, "file"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(root, File{Path: "file", Content: []byte("x")}); err == nil {
		t.Error("a directory was replaced")
	}
	if _, err := Plan(root, File{Path: "file"}); err == nil {
		t.Error("a directory is no error")
	}
	if err := os.Symlink(t.TempDir(), filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"out/file", "../file", "/file"} {
		if err := Write(root, File{Path: path, Content: []byte("x")}); err == nil {
			t.Errorf("%s was written", path)
		}
		if s, err := Plan(root, File{Path: path}); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q %v", path, s, err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}

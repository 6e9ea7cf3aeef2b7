//go:build linux

package oci

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/spec"
)

// A derived image has what was added, and shares with its parent what was not:
// the parent is as it was, and stays when the derived one is removed.
func TestDerive(t *testing.T) {
	e, _ := fake(t)
	ctx := within(t)
	ref := "docker-archive:" + saved(t, map[string]v1.Image{"one:1": build(t, archive(file("etc/a", "1"), file("b", "1")))})
	base := must[engine.Image](t)(e.Image(ctx, ref))
	derive := func(c spec.ImageChange) string {
		t.Helper()
		return must[string](t)(e.Derive(ctx, ref, c, map[string]string{engine.Label: "run-7"}))
	}
	id := derive(spec.ImageChange{Env: []string{"A=2", "B=3"}, Labels: map[string]string{"l": "v"}, User: "0", Comment: "ARG X=1",
		Files: []spec.File{{Path: "/etc/a", Mode: 0o4755, Content: []byte("2")}, {Path: "/new", Mode: 0o40700}, {Path: "/new/f", Mode: 0o600, Content: []byte("n")}}})
	img := must[engine.Image](t)(e.Image(ctx, id))
	want := engine.Image{ID: id, Digest: id, OS: base.OS, Arch: base.Arch, Env: []string{"A=2", "B=3"}, User: "0", Volumes: base.Volumes,
		Labels:  map[string]string{"l": "v", engine.Label: "run-7", engine.DerivedLabel: base.ID},
		History: append(slices.Clone(base.History), "ARG X=1")}
	if diff := cmp.Diff(want, img); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	rootfs := func(id string) string {
		return filepath.Join(e.store.image(strings.TrimPrefix(id, "sha256:")), "rootfs")
	}
	if diff := cmp.Diff(map[string]string{"etc": "/", "etc/a": "2", "b": "1", "new": "/", "new/f": "n"}, tree(t, rootfs(id))); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"etc": "/", "etc/a": "1", "b": "1"}, tree(t, rootfs(base.ID))); diff != "" {
		t.Errorf("the parent changed: -want +got\n%s", diff)
	}
	var one, two syscall.Stat_t
	if syscall.Stat(filepath.Join(rootfs(id), "b"), &one) != nil || syscall.Stat(filepath.Join(rootfs(base.ID), "b"), &two) != nil || one.Ino != two.Ino {
		t.Error("what is the same in both is stored twice")
	}
	if info, err := os.Stat(filepath.Join(rootfs(id), "etc/a")); err != nil || info.Mode()&os.ModeSetuid == 0 {
		t.Errorf("the setuid bit is lost: %v, %v", info.Mode(), err)
	}
	if other := derive(spec.ImageChange{Env: []string{"A=3"}}); other == id {
		t.Error("two changes, one image")
	} else if err := e.RemoveImage(ctx, other); err != nil {
		t.Error(err)
	}
	list := must[[]engine.Resource](t)(e.List(ctx, "run-7"))
	if len(list) != 1 || list[0] != (engine.Resource{Kind: "image", ID: id, Name: id, RunID: "run-7"}) {
		t.Errorf("list %+v", list)
	}
	if err := e.RemoveImage(ctx, base.ID); !errors.Is(err, ErrInput) {
		t.Errorf("an image of the cache: %v", err)
	}
	for range 2 {
		if err := e.RemoveImage(ctx, id); err != nil {
			t.Error(err)
		}
	}
	if _, err := e.Image(ctx, id); !errors.Is(err, engine.ErrNoImage) {
		t.Errorf("after its removal: %v", err)
	}
	must[engine.Image](t)(e.Image(ctx, base.ID))
	noneStaged(t, e)
}

func TestDeriveRefuses(t *testing.T) {
	e, _ := fake(t)
	if _, err := e.Derive(within(t), rootDir(t), spec.ImageChange{}, nil); !errors.Is(err, engine.ErrNoDerive) {
		t.Errorf("from a directory of the user's: %v", err)
	}
	if err := e.RemoveImage(within(t), "../x"); !errors.Is(err, engine.ErrNoImage) {
		t.Errorf("a name that leads elsewhere: %v", err)
	}
}

//go:build linux

package oci

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/tightship-dev/tightship/engine"
)

// build makes an image of these layers.
func build(t testing.TB, layers ...[]byte) v1.Image {
	t.Helper()
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH,
		Config: v1.Config{Env: []string{"A=1"}, User: "1000:100", Entrypoint: []string{"/never"}, Volumes: map[string]struct{}{"/data": {}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(l)), nil })
		if err == nil {
			img, err = mutate.AppendLayers(img, layer)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return img
}

// saved writes images as `docker save` does.
func saved(t testing.TB, images map[string]v1.Image) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.tar")
	refs := map[name.Reference]v1.Image{}
	for ref, img := range images {
		r, err := name.ParseReference(ref)
		if err != nil {
			t.Fatal(err)
		}
		refs[r] = img
	}
	if err := tarball.MultiRefWriteToFile(path, refs); err != nil {
		t.Fatal(err)
	}
	return path
}

// laidOut writes images as an OCI layout, each with a tag.
func laidOut(t testing.TB, images map[string]v1.Image) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layout")
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	for tag, img := range images {
		if err := path.AppendImage(img, layout.WithAnnotations(map[string]string{refName: tag})); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestImages(t *testing.T) {
	one := build(t, archive(file("etc/a", "1"), file("b", "1")), archive(file(".wh.b", ""), file("c", "2")))
	two := build(t, archive(file("two", "2")))
	both := map[string]v1.Image{"first:1": one, "second:2": two}
	archived, both1 := saved(t, map[string]v1.Image{"first:1": one}), saved(t, both)
	dir, both2 := laidOut(t, map[string]v1.Image{"1": one}), laidOut(t, map[string]v1.Image{"1": one, "2": two})
	id := must[v1.Hash](t)(one.ConfigName()).String()
	digest := must[v1.Hash](t)(one.Digest()).String()
	for ref, want := range map[string]string{
		"docker-archive:" + archived:              id,
		"docker-archive:" + archived + ":first:1": id,
		"docker-archive:" + both1 + ":first:1":    id,
		"oci:" + dir:                              digest,
		"oci:" + dir + ":1":                       digest,
		"oci:" + both2 + ":1":                     digest,
	} {
		e, _ := fake(t)
		img := must[engine.Image](t)(e.Image(within(t), ref))
		if img.ID != id || img.Digest != want || img.User != "1000:100" || !cmp.Equal(img.Env, []string{"A=1"}) || !cmp.Equal(img.Volumes, []string{"/data"}) || img.Arch != runtime.GOARCH {
			t.Errorf("%s: %+v", ref, img)
		}
		rootfs := filepath.Join(e.store.image(strings.TrimPrefix(id, "sha256:")), "rootfs")
		if diff := cmp.Diff(map[string]string{"etc": "/", "etc/a": "1", "c": "2"}, tree(t, rootfs)); diff != "" {
			t.Errorf("%s: -want +got\n%s", ref, diff)
		}
		// By its ID it is found again, and the second time nothing is unpacked.
		if again := must[engine.Image](t)(e.Image(within(t), id)); again.ID != id {
			t.Errorf("by its ID: %+v", again)
		}
		if err := os.WriteFile(filepath.Join(rootfs, "mark"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		must[engine.Image](t)(e.Image(within(t), ref))
		if _, err := os.Lstat(filepath.Join(rootfs, "mark")); err != nil {
			t.Errorf("%s was unpacked twice: %v", ref, err)
		}
		c := plain(ref)
		st := must[engine.State](t)(e.Inspect(within(t), must[string](t)(e.Create(within(t), "one", c))))
		if !strings.Contains(strings.Join(st.Other, "\n"), "image-volume-not-made=/data") || st.Declared.Entrypoint[0] == "/never" {
			t.Errorf("%s: other %q, entrypoint %q", ref, st.Other, st.Declared.Entrypoint)
		}
	}
	for _, ref := range []string{"docker-archive:" + both1, "docker-archive:" + both1 + ":third:3", "oci:" + both2, "oci:" + both2 + ":3"} {
		e, _ := fake(t)
		_, err := e.Image(within(t), ref)
		var h interface{ Hint() string }
		if !errors.Is(err, engine.ErrNoImage) || !errors.As(err, &h) || !strings.Contains(h.Hint(), "2") {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

// rewrite changes the members of a docker archive.
func rewrite(t *testing.T, path string, change func(h *tar.Header, content []byte) []byte) string {
	t.Helper()
	in := must[*os.File](t)(os.Open(path))
	defer in.Close()
	out := filepath.Join(t.TempDir(), "changed.tar")
	f := must[*os.File](t)(os.Create(out))
	defer f.Close()
	r, w := tar.NewReader(in), tar.NewWriter(f)
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content := change(h, must[[]byte](t)(io.ReadAll(r)))
		h.Size = int64(len(content))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

// Whatever an image is, an error is what comes of it, nothing is kept of it and
// reading it ends.
func TestHostileImages(t *testing.T) {
	img := build(t, archive(file("a", "1")))
	good := saved(t, map[string]v1.Image{"x:1": img})
	config := func(change func(*v1.ConfigFile)) string {
		return rewrite(t, good, func(h *tar.Header, content []byte) []byte {
			if strings.HasPrefix(h.Name, "sha256:") {
				var c v1.ConfigFile
				if err := json.Unmarshal(content, &c); err != nil {
					t.Fatal(err)
				}
				change(&c)
				content = must[[]byte](t)(json.Marshal(c))
			}
			return content
		})
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	blobs := func(change func(path string)) string {
		dir := laidOut(t, map[string]v1.Image{"1": img})
		paths, _ := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
		for _, p := range paths {
			change(p)
		}
		return dir
	}
	for what, ref := range map[string]string{
		"a FIFO":          "docker-archive:" + fifo,
		"a directory":     "docker-archive:" + t.TempDir(),
		"another layer":   "docker-archive:" + config(func(c *v1.ConfigFile) { c.RootFS.DiffIDs[0].Hex = strings.Repeat("0", 64) }),
		"a layer too few": "docker-archive:" + config(func(c *v1.ConfigFile) { c.RootFS.DiffIDs = nil }),
		"a manifest of nonsense": "docker-archive:" + rewrite(t, good, func(h *tar.Header, content []byte) []byte {
			if h.Name == "manifest.json" {
				return []byte("[{]")
			}
			return content
		}),
		"an endless manifest": "docker-archive:" + rewrite(t, good, func(h *tar.Header, content []byte) []byte {
			if h.Name == "manifest.json" {
				return bytes.Repeat([]byte("["), maxManifest+1)
			}
			return content
		}),
		"an endless configuration": "docker-archive:" + rewrite(t, good, func(h *tar.Header, content []byte) []byte {
			if strings.HasPrefix(h.Name, "sha256:") {
				return append(content, bytes.Repeat([]byte(" "), maxManifest)...)
			}
			return content
		}),
		"cut off":                           "docker-archive:" + truncated(t, good),
		"blobs that are changed":            "oci:" + blobs(func(p string) { os.WriteFile(p, []byte("{}"), 0o600) }),
		"blobs that are FIFOs":              "oci:" + blobs(func(p string) { os.Remove(p); syscall.Mkfifo(p, 0o600) }),
		"blobs that are elsewhere":          "oci:" + blobs(func(p string) { os.Remove(p); os.Symlink("/etc/passwd", p) }),
		"no blobs":                          "oci:" + blobs(func(p string) { os.Remove(p) }),
		"a whole directory of another kind": "oci:" + t.TempDir(),
		"a layer that leads out":            "docker-archive:" + saved(t, map[string]v1.Image{"x:1": build(t, archive(hardlink("x", "../../../../etc/passwd")))}),
	} {
		t.Run(what, func(t *testing.T) {
			e, _ := fake(t)
			if _, err := e.Image(within(t), ref); err == nil {
				t.Error("no error")
			} else if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("an error of several lines: %q", err)
			}
			if left, _ := os.ReadDir(filepath.Join(e.store.dir, "images")); len(left) > 0 {
				t.Errorf("kept %v", left)
			}
			noneStaged(t, e)
		})
	}
}

func noneStaged(t *testing.T, e *Engine) {
	t.Helper()
	left, _ := os.ReadDir(filepath.Join(e.store.dir, "staging"))
	if len(left) > 1 {
		t.Errorf("left in staging: %v", left)
	}
}

func truncated(t *testing.T, path string) string {
	t.Helper()
	data := must[[]byte](t)(os.ReadFile(path))
	out := filepath.Join(t.TempDir(), "short.tar")
	if err := os.WriteFile(out, data[:len(data)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}

// An interruption and a full disk leave nothing behind, and the next attempt
// works.
func TestUnpackingIsCutOff(t *testing.T) {
	e, _ := fake(t)
	ref := "docker-archive:" + saved(t, map[string]v1.Image{"x:1": build(t, archive(file("a", strings.Repeat("x", 1<<20))))})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Image(ctx, ref); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	noneStaged(t, e)
	must[engine.Image](t)(e.Image(within(t), ref))
}

func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: a small disk takes root to mount")
	}
	e, _ := fake(t)
	if err := syscall.Mount("tmpfs", e.store.dir, "tmpfs", 0, "size=2m,mode=700"); err != nil {
		t.Skipf("SKIPPED, NOT TESTED: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(e.store.dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	e.store = must[store](t)(openStore(e.store.dir, false))
	ref := "docker-archive:" + saved(t, map[string]v1.Image{"x:1": build(t, archive(file("a", strings.Repeat("x", 8<<20))))})
	_, err := e.Image(within(t), ref)
	var h interface{ Hint() string }
	if !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &h) || !strings.Contains(h.Hint(), "free some space") {
		t.Errorf("error %v", err)
	}
	noneStaged(t, e)
	small := "docker-archive:" + saved(t, map[string]v1.Image{"x:1": build(t, archive(file("a", "x")))})
	must[engine.Image](t)(e.Image(within(t), small))
}

func TestHostRootfs(t *testing.T) {
	e, _ := fake(t)
	img := must[*rootImage](t)(e.resolve(within(t), HostRootfs))
	for _, m := range img.mounts {
		if strings.HasPrefix(m.Destination, "/home") || strings.HasPrefix(m.Destination, "/root") || strings.Contains(m.Destination, "shadow") || strings.Contains(m.Destination, "private") {
			t.Errorf("%s is shown", m.Destination)
		}
		if o := fmt.Sprint(m.Options); !strings.Contains(o, "ro") || !strings.Contains(o, "nosuid") {
			t.Errorf("%s is mounted %v", m.Destination, m.Options)
		}
	}
	passwd := img.etc("passwd")
	if passwd != hostPasswd {
		t.Errorf("passwd is %q", passwd)
	}
	if again := must[*rootImage](t)(e.resolve(within(t), HostRootfs)); again.rootfs != img.rootfs {
		t.Errorf("two of them: %s, %s", again.rootfs, img.rootfs)
	}
	noneStaged(t, e)
}

func TestSplitRef(t *testing.T) {
	dir := t.TempDir()
	odd := filepath.Join(dir, "a:b")
	if err := os.WriteFile(odd, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string][2]string{
		odd: {odd, ""}, odd + ":x:1": {odd, "x:1"}, dir + ":tag": {dir, "tag"}, "/none:such": {"/none:such", ""}, "": {"", ""},
	} {
		if path, ref := splitRef(in); path != want[0] || ref != want[1] {
			t.Errorf("%q is %q, %q; want %q", in, path, ref, want)
		}
	}
}

func FuzzOpenArchive(f *testing.F) {
	data, err := os.ReadFile(saved(f, map[string]v1.Image{"x:1": build(f, archive(file("a", "1")))}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(archive(file("manifest.json", `[{"Config":"c","Layers":["l"]}]`), symlink("c", "c"), file("l", "")))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "a.tar")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		src, err := openArchive(path)
		if err != nil {
			return
		}
		if _, err := src.image.RawConfigFile(); err != nil {
			return
		}
		_, _ = src.image.Layers()
	})
}

func FuzzLastError(f *testing.F) {
	f.Add([]byte(`{"level":"error","msg":"no \u001b[31mway"}{"level":"error"}`))
	f.Add([]byte("time=x level=error msg=\"no way\"\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m := lastError(data, nil); strings.ContainsAny(m, "\n\x1b\x00") || len([]rune(m)) > 401 {
			t.Errorf("%q", m)
		}
	})
}

// An entry that says it is larger than its archive could be read for ever.
func TestSparseArchive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sparse.tar")
	if err := os.WriteFile(path, sparseBomb(), 0o600); err != nil {
		t.Fatal(err)
	}
	e, _ := fake(t)
	if _, err := e.Image(within(t), "docker-archive:"+path); !errors.Is(err, errHostile) {
		t.Errorf("error %v", err)
	}
}

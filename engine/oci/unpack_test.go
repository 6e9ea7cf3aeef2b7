//go:build linux

package oci

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// member is one entry of a test's archive.
type member struct {
	tar.Header
	content string
}

func file(name, content string) member {
	return member{tar.Header{Name: name, Mode: 0o644, Typeflag: tar.TypeReg}, content}
}
func dir(name string) member {
	return member{tar.Header{Name: name, Mode: 0o755, Typeflag: tar.TypeDir}, ""}
}
func symlink(name, to string) member {
	return member{tar.Header{Name: name, Linkname: to, Typeflag: tar.TypeSymlink}, ""}
}
func hardlink(name, to string) member {
	return member{tar.Header{Name: name, Linkname: to, Typeflag: tar.TypeLink}, ""}
}

func archive(members ...member) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		m.Size = int64(len(m.content))
		m.Uid, m.Gid = os.Getuid(), os.Getgid()
		if err := w.WriteHeader(&m.Header); err != nil {
			panic(err)
		}
		if _, err := io.WriteString(w, m.content); err != nil {
			panic(err)
		}
	}
	w.Close()
	return b.Bytes()
}

// tree lists what is below a directory: a file's content, a link's target.
func tree(t testing.TB, top string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == top {
			return err
		}
		name, _ := filepath.Rel(top, p)
		switch {
		case d.IsDir():
			out[name] = "/"
		case d.Type()&fs.ModeSymlink != 0:
			to, _ := os.Readlink(p)
			out[name] = "-> " + to
		case d.Type().IsRegular():
			b, _ := os.ReadFile(p)
			out[name] = string(b)
		default:
			out[name] = d.Type().String()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// unpackLayers unpacks archives one over the other below a directory that has
// something beside it, which must stay as it is.
func unpackLayers(t testing.TB, left *budget, layers ...[]byte) (string, *unpacker, error) {
	t.Helper()
	top := t.TempDir()
	inside := filepath.Join(top, "inside")
	for _, d := range []string{inside, filepath.Join(top, "outside")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(top, "outside", "secret"), []byte("untouched"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(inside)
	if err != nil {
		t.Fatal(err)
	}
	u := &unpacker{root: root, left: left, owners: os.Geteuid() == 0, layer: true}
	defer u.close()
	for _, l := range layers {
		if err = u.unpack(bytes.NewReader(l)); err != nil {
			break
		}
	}
	if got, want := tree(t, filepath.Join(top, "outside")), (map[string]string{"secret": "untouched"}); !cmp.Equal(got, want) {
		t.Errorf("outside the root there is now %v", got)
	}
	beside, _ := os.ReadDir(top)
	if len(beside) != 2 {
		t.Errorf("something was made beside the root: %v", beside)
	}
	return inside, u, err
}

func TestUnpack(t *testing.T) {
	for name, c := range map[string]struct {
		layers [][]byte
		want   map[string]string
	}{
		"files, links, a link from the root on": {
			[][]byte{archive(dir("run/"), symlink("var/run", "/run"), file("var/run/pid", "1"), file("./etc/a", "a"), hardlink("etc/b", "etc/a"), symlink("bin", "usr/bin"), file("bin/sh", "sh"))},
			map[string]string{"run": "/", "run/pid": "1", "var": "/", "var/run": "-> /run", "etc": "/", "etc/a": "a", "etc/b": "a", "bin": "-> usr/bin", "usr": "/", "usr/bin": "/", "usr/bin/sh": "sh"},
		},
		"a later layer replaces and removes": {
			[][]byte{archive(file("a", "1"), file("b", "1"), file("d/x", "1"), file("d/y", "1")), archive(file("a", "2"), file(".wh.b", ""), file("d/.wh.x", ""))},
			map[string]string{"a": "2", "d": "/", "d/y": "1"},
		},
		"a whiteout spares what its own layer brought": {
			[][]byte{archive(file("a", "1")), archive(file("a", "2"), file(".wh.a", ""))},
			map[string]string{"a": "2"},
		},
		"an opaque directory, wherever its mark is": {
			[][]byte{archive(file("d/old", "1"), file("d/sub/old", "1")), archive(file("d/sub/new", "2"), file("d/new", "2"), file("d/.wh..wh..opq", ""))},
			map[string]string{"d": "/", "d/new": "2", "d/sub": "/", "d/sub/new": "2"},
		},
		"a directory in place of a link, and a link in place of a directory": {
			[][]byte{archive(symlink("a", "b"), file("b/x", "1")), archive(dir("a/"), file("a/y", "2"), symlink("b", "a"))},
			map[string]string{"a": "/", "a/y": "2", "b": "-> a"},
		},
		"device nodes are left out, FIFOs are not": {
			[][]byte{archive(member{tar.Header{Name: "dev/mem", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 1}, ""}, member{tar.Header{Name: "pipe", Typeflag: tar.TypeFifo}, ""})},
			map[string]string{"dev": "/", "pipe": "p---------"},
		},
		"names that lead up stay inside": {
			[][]byte{archive(file("../../outside/secret", "x"), file("/outside/secret", "y"))},
			map[string]string{"outside": "/", "outside/secret": "y"},
		},
		"links that lead out stay inside": {
			[][]byte{archive(symlink("out", "../outside"), file("out/secret", "x"), symlink("abs", "/../../outside"), file("abs/more", "y"))},
			map[string]string{"out": "-> ../outside", "abs": "-> /../../outside", "outside": "/", "outside/secret": "x", "outside/more": "y"},
		},
		"a link is replaced, never written through": {
			[][]byte{archive(symlink("f", "../outside/secret"), file("f", "mine"))},
			map[string]string{"f": "mine"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inside, _, err := unpackLayers(t, imageBudget(), c.layers...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, tree(t, inside)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestUnpackRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		layer   []byte
		left    *budget
		hostile bool
	}{
		"links in a circle":               {archive(symlink("a", "b"), symlink("b", "a"), file("a/x", "")), imageBudget(), true},
		"a hard link to the outside":      {archive(hardlink("x", "../outside/secret")), imageBudget(), false},
		"one through a link":              {archive(symlink("out", "../outside"), hardlink("x", "out/secret")), imageBudget(), false},
		"a hard link to a directory":      {archive(dir("d/"), hardlink("x", "d")), imageBudget(), true},
		"a hard link to the root":         {archive(hardlink("x", "/")), imageBudget(), true},
		"a file as a directory":           {archive(file("a", ""), file("a/b", "")), imageBudget(), true},
		"more bytes than there may be":    {archive(file("a", "12345"), file("b", "12345")), &budget{bytes: 8, entries: 10}, true},
		"more files than there may be":    {archive(dir("a"), dir("b"), dir("c")), &budget{bytes: 8, entries: 2}, true},
		"a whiteout of the parent":        {archive(file("d/.wh...", "")), imageBudget(), true},
		"a whiteout of the directory":     {archive(file("d/.wh..", "")), imageBudget(), true},
		"the root is a file":              {archive(symlink("/", "x")), imageBudget(), true},
		"a name that is too long":         {archive(file(strings.Repeat("d/", 3000)+"x", "")), imageBudget(), true},
		"an entry of unknown type":        {archive(member{tar.Header{Name: "x", Typeflag: 'Z'}, ""}), imageBudget(), true},
		"cut off in the middle":           {archive(file("a", strings.Repeat("x", 4096)))[:2000], imageBudget(), false},
		"no archive":                      {bytes.Repeat([]byte("nonsense"), 200), imageBudget(), false},
		"a sparse file of many terabytes": {sparseBomb(), &budget{bytes: 1 << 20, entries: 10}, true},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := unpackLayers(t, c.left, c.layer)
			if err == nil || c.hostile != errors.Is(err, errHostile) {
				t.Errorf("error %v, want one (hostile %v)", err, c.hostile)
			}
		})
	}
}

// sparseBomb is an old GNU sparse entry: 512 bytes that unpack to 1 TiB of zeros.
func sparseBomb() []byte {
	h := make([]byte, 512)
	copy(h, "bomb")
	copy(h[100:], "0000644\x000000000\x000000000\x0000000000000\x0000000000000\x00")
	h[156] = 'S'
	copy(h[257:], "ustar  \x00")
	copy(h[386:], "00000000000\x0000000000000\x00") // one empty stretch at 0
	copy(h[483:], "17777777777777"[:11])            // the real size
	for i := range 8 {
		h[148+i] = ' '
	}
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], []byte{byte('0' + sum>>15&7), byte('0' + sum>>12&7), byte('0' + sum>>9&7), byte('0' + sum>>6&7), byte('0' + sum>>3&7), byte('0' + sum&7), 0, ' '})
	return append(h, make([]byte, 1024)...)
}

func TestUnpackKeepsPrivilegeForRoot(t *testing.T) {
	layer := archive(member{tar.Header{Name: "su", Mode: 0o4755, Typeflag: tar.TypeReg}, "x"})
	inside, _, err := unpackLayers(t, imageBudget(), layer)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(filepath.Join(inside, "su"))
	if err != nil || info.Mode() != 0o755|fs.ModeSetuid {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(archive(dir("a/"), symlink("a/b", "../.."), file("a/b/outside/secret", "x")), archive(file(".wh.a", "")))
	f.Add(archive(symlink("a", "/"), hardlink("b", "a/../outside/secret")), archive(file("a/.wh..wh..opq", "")))
	f.Add(sparseBomb(), []byte{})
	f.Fuzz(func(t *testing.T, one, two []byte) {
		// Whatever it says, what is outside stays as it is.
		inside, _, _ := unpackLayers(t, &budget{bytes: 1 << 20, entries: 200}, one, two)
		_ = removeAll(inside)
	})
}

func TestSkippedIsTold(t *testing.T) {
	_, u, err := unpackLayers(t, imageBudget(), archive(member{tar.Header{Name: "dev/mem", Typeflag: tar.TypeBlock}, ""}))
	if err != nil || u.skipped["device nodes"] != 1 {
		t.Errorf("skipped %v, %v", u.skipped, err)
	}
}

//go:build linux

package oci

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tightship-dev/tightship/internal/text"
)

// budget bounds what unpacking may take, over all layers of an image.
type budget struct {
	bytes   int64
	entries int
}

// imageBudget is far above any agent's image, and below what a bomb needs.
func imageBudget() *budget { return &budget{bytes: 32 << 30, entries: 2_000_000} }

// errHostile says that an archive holds what no honest one does.
var errHostile = errors.New("the archive is not safe to unpack")

// unpacker writes entries of a tar stream below a root, and nowhere else:
// whatever names and links say, every system call goes through os.Root, which
// refuses to leave it. Names are resolved the way the container will see them,
// an absolute link from the root on.
type unpacker struct {
	root   *os.Root
	left   *budget
	owners bool // root keeps owners, file capabilities
	layer  bool // ".wh." names remove (image-spec, layer.md)

	skipped map[string]int  // what was left out, by kind
	fresh   map[string]bool // what this layer brought, in layer mode
	parent  *os.Root        // of the last entry, as the next is often beside it
	raw     string          // the name under which parent was found
	clean   string          // parent's path below root
}

func (u *unpacker) close() {
	u.forget()
	u.root.Close()
}

// forget drops the remembered parent, when what its name means may change.
func (u *unpacker) forget() {
	if u.parent != nil {
		u.parent.Close()
	}
	u.parent, u.raw = nil, ""
}

func (u *unpacker) skip(what string) {
	if u.skipped == nil {
		u.skipped = map[string]int{}
	}
	u.skipped[what]++
}

// entry unpacks one entry, whose content is in r.
func (u *unpacker) entry(h *tar.Header, r io.Reader) error {
	if u.left.entries--; u.left.entries < 0 {
		return fmt.Errorf("%w: it has too many entries", errHostile)
	}
	if len(h.Name) > unix.PathMax || strings.ContainsRune(h.Name, 0) {
		return fmt.Errorf("%w: a name is too long or has a zero byte", errHostile)
	}
	name := path.Clean("/" + h.Name)
	if name == "/" {
		if h.Typeflag != tar.TypeDir {
			return fmt.Errorf("%w: the root is no directory", errHostile)
		}
		return u.attributes(u.root, ".", h)
	}
	dir, base := path.Split(name)
	if err := u.enter(dir); err != nil {
		return fmt.Errorf("%s: %w", text.OneLine(h.Name), err)
	}
	if u.layer && strings.HasPrefix(base, ".wh.") {
		return u.whiteout(base)
	}
	if err := u.put(base, h, r); err != nil {
		return fmt.Errorf("%s: %w", text.OneLine(h.Name), err)
	}
	if u.layer {
		// What is above has something of this layer, then.
		for p := path.Join(u.clean, base); p != "." && !u.fresh[p]; p = path.Dir(p) {
			u.fresh[p] = true
		}
	}
	return nil
}

// enter makes u.parent the directory of that name, made where it is missing.
func (u *unpacker) enter(dir string) error {
	if u.parent != nil && u.raw == dir {
		return nil
	}
	u.forget()
	clean, err := u.resolve(dir)
	if err != nil {
		return err
	}
	if err := u.root.MkdirAll(clean, 0o755); err != nil {
		return err
	}
	if u.parent, err = u.root.OpenRoot(clean); err != nil {
		return err
	}
	u.raw, u.clean = dir, clean
	return nil
}

// resolve follows the symbolic links in a directory's name, below the root.
func (u *unpacker) resolve(dir string) (string, error) {
	todo := strings.Split(strings.Trim(dir, "/"), "/")
	at, links := ".", 0
	for len(todo) > 0 {
		next := todo[0]
		todo = todo[1:]
		switch next {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at) // "." stays "."
			continue
		}
		p := path.Join(at, next)
		info, err := u.root.Lstat(p)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			at = p
			continue
		case err != nil:
			return "", err
		case info.Mode()&fs.ModeSymlink == 0:
			if !info.IsDir() {
				return "", fmt.Errorf("%w: %s is no directory", errHostile, text.OneLine(p))
			}
			at = p
			continue
		}
		if links++; links > 40 {
			return "", fmt.Errorf("%w: too many symbolic links", errHostile)
		}
		target, err := u.root.Readlink(p)
		if err != nil {
			return "", err
		}
		if strings.HasPrefix(target, "/") {
			at = "."
		}
		todo = append(strings.Split(target, "/"), todo...)
		if len(todo) > unix.PathMax {
			return "", fmt.Errorf("%w: a symbolic link is too long", errHostile)
		}
	}
	return at, nil
}

// put makes one file in the parent directory, in place of what is there.
func (u *unpacker) put(base string, h *tar.Header, r io.Reader) error {
	old, err := u.parent.Lstat(base)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && !(old.IsDir() && h.Typeflag == tar.TypeDir) {
		u.moved()
		if err := u.parent.RemoveAll(base); err != nil {
			return err
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if err := u.parent.Mkdir(base, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	case tar.TypeReg, tar.TypeGNUSparse:
		return u.file(base, h, r)
	case tar.TypeSymlink:
		u.moved()
		if err := u.parent.Symlink(h.Linkname, base); err != nil {
			return err
		}
		if u.owners {
			return u.parent.Lchown(base, h.Uid, h.Gid)
		}
		return nil
	case tar.TypeLink:
		return u.link(base, h.Linkname)
	case tar.TypeFifo:
		d, err := u.parent.Open(".")
		if err != nil {
			return err
		}
		defer d.Close()
		if err := unix.Mkfifoat(int(d.Fd()), base, 0o600); err != nil {
			return err
		}
	case tar.TypeChar, tar.TypeBlock:
		// A container's /dev is its own; elsewhere its device cgroup forbids them.
		u.skip("device nodes")
		return nil
	default:
		return fmt.Errorf("%w: an entry of the unknown type %q", errHostile, string(h.Typeflag))
	}
	return u.attributes(u.parent, base, h)
}

// moved notes that names may lead elsewhere now.
func (u *unpacker) moved() { u.raw = "" }

func (u *unpacker) file(base string, h *tar.Header, r io.Reader) error {
	if h.Size > u.left.bytes {
		return fmt.Errorf("%w: it is too large", errHostile)
	}
	f, err := u.parent.OpenFile(base, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.Copy(f, io.LimitReader(r, u.left.bytes))
	u.left.bytes -= n
	if err != nil {
		return err
	}
	if err := u.attributes(u.parent, base, h); err != nil {
		return err
	}
	// After the owner, whose change takes the capabilities away.
	if v, ok := h.PAXRecords["SCHILY.xattr.security.capability"]; ok {
		if !u.owners {
			u.skip("file capabilities")
		} else if err := unix.Fsetxattr(int(f.Fd()), "security.capability", []byte(v), 0); err != nil {
			return fmt.Errorf("its file capability: %w", err)
		}
	}
	return f.Close()
}

// link makes a hard link to a file that is already there.
func (u *unpacker) link(base, to string) error {
	dir, name := path.Split(path.Clean("/" + to))
	if name == "" {
		return fmt.Errorf("%w: a hard link to the root", errHostile)
	}
	target, err := u.resolve(dir)
	if err != nil {
		return err
	}
	target = path.Join(target, name)
	if info, err := u.root.Lstat(target); err != nil {
		return err
	} else if info.IsDir() {
		return fmt.Errorf("%w: a hard link to a directory", errHostile)
	}
	return u.root.Link(target, path.Join(u.clean, base))
}

// attributes sets owner, mode and time. An ordinary user keeps what only an
// owner can be: they own everything, and may always read and write it, or it
// could be neither shown nor removed.
func (u *unpacker) attributes(in *os.Root, base string, h *tar.Header) error {
	mode := h.FileInfo().Mode()
	if u.owners {
		if err := in.Lchown(base, h.Uid, h.Gid); err != nil {
			return err
		}
	} else if h.Typeflag == tar.TypeDir {
		mode |= 0o700
	} else {
		mode |= 0o600
	}
	if err := in.Chmod(base, mode.Perm()|mode&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky)); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeDir || h.ModTime.IsZero() {
		return nil
	}
	return in.Chtimes(base, h.ModTime, h.ModTime)
}

// whiteout removes what lower layers brought, never what this one did.
func (u *unpacker) whiteout(base string) error {
	name := strings.TrimPrefix(base, ".wh.")
	switch {
	case base == ".wh..wh..opq":
		u.moved()
		return u.removeOld(u.clean)
	case strings.HasPrefix(name, ".wh."):
		return nil // AUFS's own notes
	case name == "" || name == "." || name == "..":
		return fmt.Errorf("%w: a whiteout of %q", errHostile, name)
	}
	u.moved()
	p := path.Join(u.clean, name)
	if u.fresh[p] {
		return u.removeOld(p)
	}
	return u.root.RemoveAll(p)
}

// removeOld empties a directory of what this layer did not bring.
func (u *unpacker) removeOld(dir string) error {
	info, err := u.root.Lstat(dir)
	if err != nil || !info.IsDir() {
		return err
	}
	f, err := u.root.Open(dir)
	if err != nil {
		return err
	}
	names, err := f.Readdirnames(-1)
	f.Close()
	if err != nil {
		return err
	}
	for _, name := range names {
		p := path.Join(dir, name)
		if u.fresh[p] {
			err = u.removeOld(p)
		} else {
			err = u.root.RemoveAll(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unpack reads a whole tar stream. The root's close is the caller's.
func (u *unpacker) unpack(r io.Reader) error {
	if u.layer {
		u.fresh = map[string]bool{}
	}
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the archive: %w", err)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if err := u.entry(h, t); err != nil {
			return err
		}
	}
}

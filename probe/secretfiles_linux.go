package probe

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Bounds of the search: what programs keep in known places is looked at first,
// and what is found by walking only as far as these go.
const (
	secretFileSize = 256 << 10 // bytes read of a file in a known place
	secretWalkSize = 64 << 10  // bytes of the largest file looked into by walking
	secretFiles    = 2000      // files looked into by walking
	secretDepth    = 4         // directories below a root
)

// secretRoots are walked, beside the homes: where settings, mounted credentials
// and applications are.
var secretRoots = []string{"/run", "/etc", "/srv", "/app", "/workspace", "/workspaces", "/code", "/repo", "/project", "/data", "/opt", "/usr/src/app"}

// secretAbsolute are places outside homes in which programs keep credentials.
var secretAbsolute = []string{
	"/etc/gitconfig", "/etc/npmrc", "/usr/etc/npmrc", "/usr/local/etc/npmrc", "/etc/pip.conf", "/etc/docker/key.json",
	"/etc/kubernetes/admin.conf", "/etc/kubernetes/kubelet.conf", "/etc/rancher/k3s/k3s.yaml", "/var/lib/kubelet/kubeconfig", "/kaniko/.docker/config.json",
}

// unwalked are directories of packages and caches, whose tests and examples are
// full of keys that open nothing.
var unwalked = []string{"node_modules", "site-packages", "dist-packages", "__pycache__", ".venv", "venv", "vendor", "testdata", ".cache", "/etc/ssl/certs", "/etc/alternatives", "/etc/ca-certificates"}

// unsafeToAsk are file systems on which looking for a file does something, or
// waits for somebody.
var unsafeToAsk = []string{"autofs", "fuse.gvfsd-fuse", "fuse.portal", "fuse.lxcfs"}

// controlHome is a home of our own, in which the search must find a key.
const controlHome = guestDir + "/home"

// hunt is one search.
type hunt struct {
	r      *recorder
	key    []byte
	seen   map[string]bool // files that were looked into
	looked int             // how many
	walked int
	avoid  []string // mounts that are not walked into
}

// secretsFiles looks for credentials in files. Only what is found is reported,
// as path, kind, length and keyed hash; and what may not be read.
func secretsFiles(s *session, r *recorder) {
	h := &hunt{r: r, key: s.plan.Params.HashKey, seen: map[string]bool{}}
	homes := homeDirs()
	mounts, err := readMounts()
	if err != nil {
		r.fail("the mounts cannot be listed: %v", err)
		return
	}
	for _, m := range mounts {
		if slices.Contains(unsafeToAsk, m.fstype) {
			h.avoid = append(h.avoid, m.target)
			continue
		}
		if !within(m.target, "/proc") && !within(m.target, "/sys") && !within(m.target, "/dev") && !within(m.target, guestDir) && m.target != "/" {
			h.file(m.target, true, "") // where a file is mounted
			homes = append(homes, m.target)
		}
	}
	slices.Sort(homes)
	homes = slices.Compact(append(homes, controlHome))
	for _, home := range homes {
		h.home(home)
	}
	for _, f := range secretAbsolute {
		h.file(f, true, "")
	}
	roots := append([]string{os.Getenv("HOME"), "/root", s.plan.Params.Workspace}, secretRoots...)
	if under, err := filepath.Glob("/home/*"); err == nil {
		roots = append(roots, under...)
	}
	for _, root := range append(roots, s.plan.Params.Tmpfs...) {
		if root != "" && real(root) != "/" {
			h.walk(real(root), 0)
		}
	}
	r.fact("homes", len(homes)-1) // without our own
	r.fact("files", h.looked)
	if h.walked >= secretFiles {
		r.fact("cut short", "true")
	}
}

// homeDirs are the homes that passwd names, and this process's.
func homeDirs() []string {
	dirs := []string{"/root", real("/root")}
	if home := os.Getenv("HOME"); filepath.IsAbs(home) {
		dirs = append(dirs, real(home))
	}
	f, err := os.Open("/etc/passwd")
	if err != nil {
		return dirs
	}
	defer f.Close()
	for lines := bufio.NewScanner(io.LimitReader(f, 1<<20)); lines.Scan() && len(dirs) < 200; {
		if fields := strings.Split(lines.Text(), ":"); len(fields) >= 6 && filepath.IsAbs(fields[5]) {
			dirs = append(dirs, real(filepath.Clean(fields[5])))
		}
	}
	return dirs
}

// home looks at what programs keep below a home.
func (h *hunt) home(dir string) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return
	}
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.X_OK, unix.AT_EACCESS); err != nil {
		h.r.try("look into", dir, err)
		return
	}
	there := names(dir)
	for _, k := range keepers {
		if first, _, _ := strings.Cut(k.path, "/"); there != nil && !there[first] {
			continue
		}
		place := filepath.Join(dir, k.path)
		if !strings.HasSuffix(k.path, "/") {
			h.file(place, true, k.kind)
			continue
		}
		entries, err := os.ReadDir(place)
		if err != nil {
			h.refused(place, err)
		}
		for i, e := range entries {
			if i < 200 && !e.IsDir() {
				h.file(filepath.Join(place, e.Name()), true, k.kind)
			}
		}
	}
}

// names is what a directory lists, nil where it does not say all of it. To ask for
// each name that may be there takes a sandbox a hundred times as long.
func names(dir string) map[string]bool {
	const most = 5000
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	list, err := f.Readdirnames(most)
	if err != nil && err != io.EOF || len(list) == most {
		return nil
	}
	there := map[string]bool{}
	for _, n := range list {
		there[n] = true
	}
	return there
}

// walk looks into the files below a directory.
func (h *hunt) walk(dir string, depth int) {
	if depth > secretDepth || h.walked >= secretFiles || within(dir, guestDir) || slices.Contains(h.avoid, dir) {
		return
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // what is known to be there was asked for by name
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case slices.Contains(unwalked, e.Name()) || slices.Contains(unwalked, path):
		case e.Name() == ".git":
			h.file(filepath.Join(path, "config"), true, "")
		case e.IsDir():
			h.walk(path, depth+1)
		case h.walked < secretFiles:
			h.walked++
			h.file(path, false, mounted(path))
		}
	}
}

// mounted names what lies where engines mount credentials and nothing else.
func mounted(path string) string {
	switch {
	case !within(path, "/run/secrets"):
	case within(path, "/run/secrets/kubernetes.io") && filepath.Base(path) != "token":
		return "" // a public certificate, and the name of a namespace
	default:
		return "mounted as a secret"
	}
	return ""
}

func (h *hunt) refused(path string, err error) {
	if errors.Is(err, os.ErrPermission) {
		h.r.try("read", path, err)
	}
}

// file looks into one regular file. It is opened for reading only, and what is
// no regular file is not read.
func (h *hunt) file(path string, known bool, kind string) {
	var st unix.Stat_t
	// A pipe's writer would notice that it was opened.
	if h.seen[path] || unix.Stat(path, &st) == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		return
	}
	if !known && kind == "" && st.Size > secretWalkSize {
		return // no key and no .env is that long
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		if known {
			h.refused(path, err)
		}
		return
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return
	}
	data, err := io.ReadAll(io.LimitReader(f, secretFileSize))
	if err != nil {
		return
	}
	h.seen[path] = true
	h.looked++
	if !known && kind == "" && bytes.IndexByte(data[:min(len(data), 4096)], 0) >= 0 {
		return // not text
	}
	found := InspectFile(h.key, path, known, kind, string(data))
	if within(path, controlHome) {
		err := error(unix.ENOENT)
		if len(found) > 0 {
			err = nil
		}
		h.r.control("find", path, err)
		return
	}
	for _, c := range found {
		h.r.try("found", path, nil).Note = fmt.Sprintf("%s, %d bytes, hash %s", c.Kind, c.Length, c.Hash)
	}
}

//go:build linux

package oci

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	goruntime "runtime"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// systemDirs are what programs of this machine need to run. No home, no /var,
// no /etc as a whole: that is where its secrets are.
var systemDirs = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}

// systemFiles are the parts of /etc that programs need: the loader's, the
// certificates' public part, names of protocols, time.
var systemFiles = []string{
	"/etc/alternatives", "/etc/ca-certificates.conf", "/etc/debian_version", "/etc/ld.so.cache", "/etc/ld.so.conf",
	"/etc/ld.so.conf.d", "/etc/localtime", "/etc/nsswitch.conf", "/etc/os-release", "/etc/pki/ca-trust",
	"/etc/pki/tls/certs", "/etc/protocols", "/etc/services", "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/terminfo",
}

// The users of a root file system made of this machine's: nobody of its own.
const (
	hostPasswd = "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
	hostGroup  = "root:x:0:\nusers:x:100:\nnogroup:x:65534:\n"
)

// hostImage is a root file system of this machine's own system folders, bound
// read-only over a skeleton. The machine's root is never written to.
func (e *Engine) hostImage() (*rootImage, error) {
	img := &rootImage{id: HostRootfs, digest: HostRootfs, os: "linux", arch: goruntime.GOARCH, notes: []string{"rootfs=system folders of this machine, bound read-only"}}
	g, err := e.store.stage()
	if err != nil {
		return nil, err
	}
	rootfs := filepath.Join(g.path, "rootfs")
	if img.mounts, err = skeleton(rootfs); err != nil {
		g.discard()
		return nil, fmt.Errorf("a root file system of this machine's folders: %w", err)
	}
	// One for all: what this machine has changes rarely, and a new one is used
	// by whoever comes next. One that is in use stays.
	name := "host-" + fingerprint(img.mounts)
	if err := g.publish(e.store.image(name)); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	img.rootfs = filepath.Join(e.store.image(name), "rootfs")
	return img, nil
}

// skeleton makes the directories, links and files of our own, and returns what
// is to be mounted over them.
func skeleton(rootfs string) ([]specs.Mount, error) {
	for _, d := range []string{"", "dev", "etc", "home", "proc", "root", "run", "sys", "tmp", "var", "var/tmp", "opt", "mnt"} {
		if err := os.MkdirAll(filepath.Join(rootfs, d), 0o755); err != nil {
			return nil, err
		}
	}
	for _, d := range []string{"tmp", "var/tmp"} {
		if err := os.Chmod(filepath.Join(rootfs, d), 0o777|fs.ModeSticky); err != nil {
			return nil, err
		}
	}
	for name, content := range map[string]string{"etc/passwd": hostPasswd, "etc/group": hostGroup} {
		if err := os.WriteFile(filepath.Join(rootfs, name), []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	var mounts []specs.Mount
	for _, p := range slices.Concat(systemDirs, systemFiles) {
		info, err := os.Lstat(p)
		if err != nil {
			continue // not every system has each
		}
		here := filepath.Join(rootfs, p)
		if err := os.MkdirAll(filepath.Dir(here), 0o755); err != nil {
			return nil, err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			// /bin -> usr/bin, /etc/os-release -> ../usr/lib/os-release
			target, err := os.Readlink(p)
			if err == nil {
				err = os.Symlink(target, here)
			}
			if err != nil {
				return nil, err
			}
			continue
		}
		if info.IsDir() {
			err = os.MkdirAll(here, 0o755)
		} else {
			err = os.WriteFile(here, nil, 0o644)
		}
		if err != nil {
			return nil, err
		}
		mounts = append(mounts, specs.Mount{Destination: path.Clean(p), Type: "bind", Source: p, Options: []string{"bind", "rprivate", "ro", "nosuid", "nodev"}})
	}
	return mounts, nil
}

// fingerprint names a set of mounts.
func fingerprint(mounts []specs.Mount) string {
	all := ""
	for _, m := range mounts {
		all += m.Destination + "\n"
	}
	return idOf(all)[:16]
}

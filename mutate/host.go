package mutate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/kernel"
)

// onHost makes or finds what a mutation asks for on the engine's host. source is
// what to mount, "" for nothing.
func (m Mutation) onHost(ctx context.Context, eng engine.Engine) (source string, stop func() error, err error) {
	info, err := eng.Info(ctx)
	switch {
	case err != nil:
		return "", nil, err
	case !info.Local:
		return "", nil, fmt.Errorf("%w: the engine runs on another host", ErrNotDemonstrable)
	case m.Shared:
		source, err = sharedDir()
		return source, func() error { return nil }, err
	case m.Dir:
		source, err = os.MkdirTemp("", "tightship-")
		if err == nil {
			err = errors.Join(os.Chmod(source, 0o755), os.WriteFile(filepath.Join(source, ".profile"), []byte("umask 022\n"), 0o644))
		}
		return source, func() error { return os.RemoveAll(source) }, err
	case m.Abstract:
		stop, err = hangUp("@tightship-" + rand.Text())
		return "", stop, err
	case m.Socket:
		return listen()
	}
	return "", func() error { return nil }, nil
}

// listen is a socket that accepts whoever connects, and hangs up.
func listen() (path string, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "tightship-")
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(dir, "s") // sun_path holds 108 bytes
	end, err := hangUp(path)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	stop = func() error { return errors.Join(end(), os.RemoveAll(dir)) }
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(path, 0o666)); err != nil {
		return "", nil, errors.Join(err, stop())
	}
	return path, stop, nil
}

func hangUp(name string) (stop func() error, err error) {
	l, err := net.Listen("unix", name)
	if err != nil {
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return func() error {
		err := l.Close()
		<-done
		return err
	}, nil
}

// sharedDir is a directory that lies on a mount with a peer group and has no
// other mount below it: engines refuse to hand on what is not shared.
func sharedDir() (string, error) {
	k, err := kernel.Read(os.Getpid())
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNotDemonstrable, err)
	}
	candidates := []string{"/var/tmp", "/usr/share"}
	for _, m := range k.Mounts {
		entries, _ := os.ReadDir(m.Target)
		for _, e := range entries {
			if shared(m) && e.IsDir() {
				candidates = append(candidates, filepath.Join(m.Target, e.Name()))
			}
		}
	}
	for _, dir := range candidates {
		if real, err := filepath.EvalSymlinks(dir); err == nil && real == dir && shared(liesOn(k.Mounts, dir)) && !holdsMount(k.Mounts, dir) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("%w: no mount of this host is shared, and engines hand on no other", ErrNotDemonstrable)
}

func shared(m kernel.Mount) bool {
	return !slices.Contains([]string{"proc", "sysfs", "cgroup", "cgroup2", "nsfs", "devtmpfs", "autofs"}, m.FSType) &&
		slices.ContainsFunc(m.Propagation, func(p string) bool { return strings.HasPrefix(p, "shared:") })
}

// liesOn is the mount with the longest target that dir is, or is below.
func liesOn(mounts []kernel.Mount, dir string) (on kernel.Mount) {
	for _, m := range mounts {
		if (m.Target == "/" || dir == m.Target || strings.HasPrefix(dir, m.Target+"/")) && len(m.Target) >= len(on.Target) {
			on = m
		}
	}
	return on
}

func holdsMount(mounts []kernel.Mount, dir string) bool {
	return slices.ContainsFunc(mounts, func(m kernel.Mount) bool { return m.Target == dir || strings.HasPrefix(m.Target, dir+"/") })
}

//go:build linux

package oci

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// startIn starts a command in a mount namespace of its own, in which prepare
// has been run. The namespace lives as long as a process in it: a mount that
// was made there needs no removal, however we or the command end.
func startIn(c *exec.Cmd, prepare func() error) error {
	if prepare == nil {
		return c.Start()
	}
	done := make(chan error, 1)
	go func() {
		// A child is forked from its parent's thread and gets that thread's
		// namespaces. The thread is never unlocked and so ends with the goroutine.
		runtime.LockOSThread()
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
				return fmt.Errorf("a mount namespace of its own: %w", err)
			}
			// What we mount does not reach the machine; what it unmounts reaches us.
			if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
				return fmt.Errorf("a mount namespace of its own: %w", err)
			}
			if err := prepare(); err != nil {
				return err
			}
			return c.Start()
		}()
	}()
	return <-done
}

// mountRoot mounts a container's root file system: an overlay of the image below
// and a directory of the container's own above. Where that directory is on an
// overlay itself, as in a container, memory takes its place.
func mountRoot(dir, lower string) error {
	scratch := filepath.Join(dir, "scratch")
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return err
	}
	err := overlay(lower, scratch, filepath.Join(dir, "rootfs"))
	if err == nil {
		return nil
	}
	if merr := unix.Mount("tmpfs", scratch, "tmpfs", 0, "mode=700"); merr != nil {
		return fmt.Errorf("%w; nor a tmpfs for it: %w", err, merr)
	}
	return overlay(lower, scratch, filepath.Join(dir, "rootfs"))
}

func overlay(lower, scratch, at string) error {
	var paths []any
	for _, p := range []string{lower, filepath.Join(scratch, "upper"), filepath.Join(scratch, "work")} {
		if p != lower {
			if err := os.MkdirAll(p, 0o755); err != nil {
				return err
			}
		}
		// By descriptor: a path may have characters that mean something in options.
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		paths = append(paths, f.Fd())
	}
	// The root directory's owner and mode are the upper one's.
	var st unix.Stat_t
	if err := unix.Stat(lower, &st); err != nil {
		return err
	}
	upper := filepath.Join(scratch, "upper")
	if err := os.Chown(upper, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	if err := unix.Chmod(upper, st.Mode&0o7777); err != nil {
		return err
	}
	options := fmt.Sprintf("lowerdir=/proc/self/fd/%d,upperdir=/proc/self/fd/%d,workdir=/proc/self/fd/%d", paths...)
	if err := unix.Mount("overlay", at, "overlay", 0, options); err != nil {
		return fmt.Errorf("an overlay for the root file system: %w", err)
	}
	return nil
}

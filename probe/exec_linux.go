package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// childTime bounds every helper process a probe starts. Forking to the limit in a
// sandbox takes 20 seconds and more where the machine is emulated.
const childTime = time.Minute

// run executes a binary of ours without a shell and returns what it printed.
// The error carries execve's errno when the program could not be started.
func run(path string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), childTime)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{"GOMAXPROCS=1"}
	cmd.Stdout = &out
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", os.ErrDeadlineExceeded
	}
	return strings.TrimSpace(out.String()), err
}

// became executes the helper program at path and says who it became, as its
// exit code. The error carries execve's errno when it could not be started. It
// starts without ambient capabilities, so that what it has, the file gave it:
// Podman makes what is added to a container ambient, for any user.
func became(path string) (int, error) {
	err := throwaway(func() error {
		_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) // no kernel without it has any
		_, err := run(path)
		return err
	})
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= exitUnchanged && exit.ExitCode() <= exitUnchanged+exitSetuid+exitCaps {
		return exit.ExitCode() - exitUnchanged, nil
	}
	if err == nil {
		err = errors.New("it did something else than it should")
	}
	return 0, err
}

// plain is the helper program on its own read-only mount, without privilege.
var plain = filepath.Join(guestDir, "plain")

// tmpExec attempts to run code from each writable memory-backed mount: execve
// of the helper program, and mapping that file executable, which is how a
// shared library is loaded.
func tmpExec(s *session, r *recorder) {
	for _, dir := range append(slices.Clone(s.plan.Params.Tmpfs), "/dev/shm") {
		name, remove, err := s.program(dir)
		if err != nil {
			r.try("copy", dir, err)
			continue
		}
		_, err = became(name)
		r.try("execve", dir, err)
		r.try("mmap PROT_EXEC", dir, mapExec(name))
		remove()
	}
	_, err := became(plain)
	r.control("execve", plain, err)
	r.control("mmap PROT_EXEC", plain, mapExec(plain))
}

// program writes the helper program somewhere in dir and returns a path to it:
// where the host's files are, one that nobody else has.
func (s *session) program(dir string) (path string, remove func(), err error) {
	if !s.hosts(dir) {
		path = s.unique(dir, "exec")
		return path, func() { os.Remove(path) }, place(path, 0o755)
	}
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o700)
	if err != nil {
		return "", nil, err
	}
	hidden := os.NewFile(uintptr(fd), dir)
	defer hidden.Close() // a file that somebody may write cannot be executed
	data, err := HelperELF(runtime.GOARCH)
	if err == nil {
		_, err = hidden.Write(data)
	}
	if err != nil {
		return "", nil, err
	}
	run, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d", run.Fd()), func() { run.Close() }, nil
}

func mapExec(path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	b, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	return unix.Munmap(b)
}

// planted is where the auditor leaves a helper program of a kind in dir.
// The name holds no role: the user must find it.
func planted(dir, kind string) string { return filepath.Join(dir, ".tightship-"+kind) }

// bindCap is CAP_NET_BIND_SERVICE, permitted and effective, in the format of the
// security.capability attribute (capabilities(7), version 2).
var bindCap = []byte{1, 0, 0, 2, 0, 1 << (unix.CAP_NET_BIND_SERVICE % 8), 19: 0}

// suidPlant makes a setuid-root file in every place uid 0 may write, and one
// with a file capability, which nosuid stops as well and which takes
// CAP_SETFCAP. That mode and attribute stick is the control: nosuid stops
// neither.
func suidPlant(s *session, r *recorder) {
	for _, dir := range s.places() {
		filecap := planted(dir, "filecap")
		err := place(filecap, 0o755)
		if err == nil {
			if err = unix.Setxattr(filecap, "security.capability", bindCap, 0); err != nil {
				os.Remove(filecap)
			}
		}
		r.try("plant file-capability file", dir, err)
		path := planted(dir, "suid")
		if err := place(path, 0o4755); err != nil {
			r.try("plant setuid file", dir, err)
			continue
		}
		var st unix.Stat_t
		err = unix.Lstat(path, &st)
		if err == nil && (st.Mode&unix.S_ISUID == 0 || st.Uid != 0) {
			err = fmt.Errorf("mode %04o owner %d", st.Mode&0o7777, st.Uid)
		}
		r.try("plant setuid file", dir, err).Note = fmt.Sprintf("mode %04o owner %d", st.Mode&0o7777, st.Uid)
	}
}

// suidRun executes, as the user, what the auditor planted. OK means that the
// process became root.
func suidRun(s *session, r *recorder) {
	for _, dir := range s.places() {
		for _, k := range []struct{ kind, act string }{{"suid", "execve setuid-root file"}, {"filecap", "execve file-capability file"}} {
			path := planted(dir, k.kind)
			var st unix.Stat_t
			if err := unix.Lstat(path, &st); errors.Is(err, unix.ENOENT) {
				continue // the auditor could not make it there either, and says so
			}
			elevation(r, k.act, path, dir)
		}
	}
	elevation(r, "execve setuid-root helper", filepath.Join(guestDir, "suid"), guestDir)
	elevation(r, "execve file-capability helper", filepath.Join(guestDir, "filecap"), guestDir)
	_, err := became(plain)
	r.control("execve", plain, err)
}

// elevation executes a privileged file and reports whether it gave privilege.
// For uid 0 a capability is nothing that the file gave.
func elevation(r *recorder, act, path, on string) {
	who, err := became(path)
	if err != nil {
		r.try(act, on, err)
		return
	}
	note := fmt.Sprintf("setuid %t, capabilities %t", who&exitSetuid != 0, who&exitCaps != 0)
	if who&exitSetuid != 0 || who&exitCaps != 0 && unix.Getuid() != 0 {
		r.try(act, on, nil).Note = note
		return
	}
	a := r.try(act, on, unix.EPERM)
	a.Errno, a.Note = "unchanged", note
}

// hostDevices are what a host has and no container should: memory, the kernel's
// log, disks. They are opened for reading, if at all, and closed at once.
var hostDevices = []struct {
	name         string
	kind         uint32
	major, minor uint32
}{
	{"mem", unix.S_IFCHR, 1, 1},
	{"kmsg", unix.S_IFCHR, 1, 11},
	{"loop0", unix.S_IFBLK, 7, 0},
	{"sda", unix.S_IFBLK, 8, 0},
	{"vda", unix.S_IFBLK, 254, 0},
}

// devOpen attempts to use a device node on each tmpfs. It needs CAP_MKNOD and
// so runs in the isolating twin; the control is the same node in /dev. Nodes of
// the host's devices say where a node leads on a kernel that knows no nodev.
func devOpen(s *session, r *recorder) {
	attempt := func(dir string, kind, major, minor uint32, flags int) error {
		name := s.unique(dir, "node")
		if err := unix.Mknod(name, kind|0o666, int(unix.Mkdev(major, minor))); err != nil {
			return fmt.Errorf("mknod: %v", err) // not the refusal under test: no errno
		}
		defer unix.Unlink(name)
		fd, err := unix.Open(name, flags|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	}
	null := func(dir string) error { return attempt(dir, unix.S_IFCHR, 1, 3, unix.O_RDWR) }
	for _, dir := range s.plan.Params.Tmpfs {
		err := null(dir)
		a := r.try("open a device node", dir, err)
		if err != nil {
			a.Note = err.Error()
		}
		for _, d := range hostDevices {
			err := attempt(dir, d.kind, d.major, d.minor, unix.O_RDONLY|unix.O_NONBLOCK)
			r.try("open a node of the host's "+d.name, dir, err)
		}
	}
	r.control("open a device node", "/dev", null("/dev"))
}

// memfdExec attempts to run code that lies in no file system at all. No mount
// option stops that; it is shown as a residual risk, never judged.
func memfdExec(s *session, r *recorder) {
	data, err := HelperELF(runtime.GOARCH)
	if err != nil {
		r.fail("%v", err)
		return
	}
	fd, err := unix.MemfdCreate("tightship", 0)
	if err != nil {
		r.try("memfd_create", "", err)
		return
	}
	f := os.NewFile(uintptr(fd), "memfd")
	defer f.Close()
	if _, err = f.Write(data); err == nil {
		cmd := exec.Command("/proc/self/fd/3")
		cmd.ExtraFiles = []*os.File{f} // becomes descriptor 3
		if err = cmd.Run(); cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == exitUnchanged {
			err = nil
		}
	}
	r.try("memfd_create, then execve", "", err)
}

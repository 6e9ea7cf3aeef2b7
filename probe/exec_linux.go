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
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// childTime bounds every helper process a probe starts.
const childTime = 10 * time.Second

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
	for _, dir := range append(append([]string{}, s.plan.Params.Tmpfs...), "/dev/shm") {
		name := s.unique(dir, "exec")
		if err := place(name, 0o755); err != nil {
			r.try("copy", dir, err)
			continue
		}
		_, err := became(name)
		r.try("execve", dir, err)
		r.try("mmap PROT_EXEC", dir, mapExec(name))
		os.Remove(name)
	}
	_, err := became(plain)
	r.control("execve", plain, err)
	r.control("mmap PROT_EXEC", plain, mapExec(plain))
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

// planted is where the auditor leaves a setuid-root helper program in dir.
// The name holds no role: the user must find it.
func planted(dir string) string { return filepath.Join(dir, ".tightship-suid") }

// suidPlant makes a setuid-root file in every place uid 0 may write. That the
// mode sticks is the control: nosuid does not stop chmod.
func suidPlant(s *session, r *recorder) {
	for _, dir := range s.places() {
		path := planted(dir)
		if err := place(path, 0o4755); err != nil {
			r.try("plant setuid file", dir, err)
			continue
		}
		var st unix.Stat_t
		err := unix.Lstat(path, &st)
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
		path := planted(dir)
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); errors.Is(err, unix.ENOENT) {
			continue // the auditor could not write there either, and says so
		}
		elevation(r, "execve setuid-root file", path, dir)
	}
	elevation(r, "execve setuid-root helper", filepath.Join(guestDir, "suid"), guestDir)
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

// devOpen attempts to use a device node on each tmpfs. It needs CAP_MKNOD and
// so runs in the isolating twin; the control is the same node in /dev.
func devOpen(s *session, r *recorder) {
	null := int(unix.Mkdev(1, 3))
	attempt := func(dir string) error {
		name := s.unique(dir, "null")
		if err := unix.Mknod(name, unix.S_IFCHR|0o666, null); err != nil {
			return fmt.Errorf("mknod: %v", err) // not the refusal under test: no errno
		}
		defer unix.Unlink(name)
		fd, err := unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	}
	for _, dir := range s.plan.Params.Tmpfs {
		err := attempt(dir)
		a := r.try("open a device node", dir, err)
		if err != nil {
			a.Note = err.Error()
		}
	}
	r.control("open a device node", "/dev", attempt("/dev"))
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

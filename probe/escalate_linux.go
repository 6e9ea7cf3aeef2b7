package probe

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// throwaway runs f on an operating system thread of its own that ends with it,
// so that whatever f changes about the thread's credentials changes nothing
// else. f must use raw system calls: the standard library's setuid changes
// every thread.
//
// It is never the process's first thread. Go parks that one where it ends others,
// and what /proc says of a process is what its first thread is: a guest whose
// setuid(0) went through there would pass for root's from then on.
func throwaway(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread dies with the goroutine
		if unix.Gettid() == unix.Getpid() {
			defer runtime.UnlockOSThread()
			done <- throwaway(f) // on another one, as this one waits
			return
		}
		done <- f()
	}()
	return <-done
}

func rawCall(nr, a, b, c uintptr) func() error {
	return func() error {
		_, _, e := unix.RawSyscall(nr, a, b, c)
		return errno(e)
	}
}

// escalate attempts every way up that needs no bug: changing IDs, executing
// our own privileged helpers, and the usual programs on PATH.
func escalate(s *session, r *recorder) {
	// gid 0 is the target, unless this process has it already, as in images made
	// to run under any uid: then any other that it lacks.
	gid := uint32(0)
	rgid, egid, sgid := unix.Getresgid()
	for rgid == int(gid) || egid == int(gid) || sgid == int(gid) || inGroup(int(gid)) {
		gid++
	}
	g := uintptr(gid)
	for _, c := range []struct {
		act string
		f   func() error
	}{
		{"setuid(0)", rawCall(unix.SYS_SETUID, 0, 0, 0)},
		{fmt.Sprintf("setgid(%d)", gid), rawCall(unix.SYS_SETGID, g, 0, 0)},
		{"setresuid(0,0,0)", rawCall(unix.SYS_SETRESUID, 0, 0, 0)},
		{fmt.Sprintf("setresgid(%d,%d,%d)", gid, gid, gid), rawCall(unix.SYS_SETRESGID, g, g, g)},
		{fmt.Sprintf("setgroups([%d])", gid), func() error { return setgroups([]uint32{gid}) }},
	} {
		r.try(c.act, "", throwaway(c.f))
	}
	self := uintptr(unix.Geteuid())
	r.control("setresuid to itself", "", throwaway(rawCall(unix.SYS_SETRESUID, self, self, self)))

	elevation(r, "execve setuid-root helper", filepath.Join(guestDir, "suid"), guestDir)
	elevation(r, "execve file-capability helper", filepath.Join(guestDir, "filecap"), guestDir)
	_, err := became(plain)
	r.control("execve", plain, err)
	helper(r, "suid")
	helper(r, "filecap")

	var found []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		for _, name := range []string{"sudo", "su", "doas", "pkexec", "newgrp"} {
			if filepath.IsAbs(dir) && unix.Access(filepath.Join(dir, name), unix.X_OK) == nil {
				found = append(found, filepath.Join(dir, name))
			}
		}
	}
	r.fact("on PATH", strings.Join(found, " "))
}

// helper records that the privileged helper really carries its privilege, as
// far as this user can see: a helper that lost its bits on the way would make
// "not elevated" mean nothing.
func helper(r *recorder, name string) {
	path := filepath.Join(guestDir, name)
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return
	}
	n, err := unix.Getxattr(path, "security.capability", nil)
	switch {
	case st.Mode&unix.S_ISUID != 0 && st.Uid == 0:
		r.fact("helper:"+name, "setuid root")
	case err == nil && n > 0:
		r.fact("helper:"+name, "file capabilities")
	default:
		r.fact("helper:"+name, "no privilege")
	}
}

package probe

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// rlimitNoFile opens descriptors in a child until it is refused, and says how
// many it had.
func rlimitNoFile(s *session, r *recorder) {
	out, err := run(s.self, "nofile", strconv.FormatInt(s.plan.Params.NoFile, 10))
	var had int
	var name string
	if err == nil {
		if _, serr := fmt.Sscanf(out, "had=%d errno=%s", &had, &name); serr != nil {
			err = fmt.Errorf("unexpected answer %q", out)
		}
	}
	if err != nil {
		r.fail("the child that opens descriptors failed: %v", err)
		return
	}
	r.fact("had", had)
	r.control("open a descriptor", "", nil)
	a := r.try("open descriptors until refused", "", nil)
	if name != "none" {
		a.OK, a.Errno = false, name
	}
}

// helperNoFile duplicates descriptors up to most, and prints what happened.
func helperNoFile(most int) {
	for {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			fmt.Printf("had=%d errno=%s\n", highestFD()+1, errnoName(err))
			return
		}
		if fd >= most {
			fmt.Printf("had=%d errno=none\n", fd+1)
			return
		}
	}
}

// highestFD is the highest descriptor in use: they were filled without gaps.
func highestFD() int {
	var lim unix.Rlimit
	unix.Getrlimit(unix.RLIMIT_NOFILE, &lim)
	for fd := int(min(lim.Max, 1<<21)); fd >= 0; fd-- {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			return fd
		}
	}
	return -1
}

// rlimitCore reads the core limit and, where the host would write a core to a
// file, aborts a child and asks whether one was dumped. A host that pipes cores
// to a program is left alone: the pipe ignores the limit.
func rlimitCore(s *session, r *recorder) {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &lim); err != nil {
		r.fail("getrlimit: %v", err)
		return
	}
	r.fact("soft", limitText(lim.Cur))
	r.fact("hard", limitText(lim.Max))
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil || strings.HasPrefix(string(pattern), "|") {
		r.fact("not aborted", "the host pipes cores to a program, or does not say")
		return
	}
	dir, err := s.scratch()
	if err != nil {
		r.fail("%v", err)
		return
	}
	dir = s.unique(dir, "core")
	if err := os.Mkdir(dir, 0o700); err != nil {
		r.fail("cannot make a directory to work in: %v", err)
		return
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command(s.self, "abort")
	cmd.Dir = dir
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) {
		r.fail("the child that aborts did not: %v", err)
		return
	}
	status := exit.Sys().(interface {
		Signaled() bool
		CoreDump() bool
	})
	r.control("SIGABRT ends a child", "", boolErr(!status.Signaled(), "it was not killed by a signal"))
	left, _ := os.ReadDir(dir)
	r.fact("core files", len(left))
	a := r.try("core dump", "", nil)
	if !status.CoreDump() && len(left) == 0 {
		a.OK, a.Errno = false, "no core"
	}
}

func limitText(v uint64) string {
	if v == unix.RLIM_INFINITY {
		return "unlimited"
	}
	return strconv.FormatUint(v, 10)
}

func boolErr(bad bool, msg string) error {
	if bad {
		return errors.New(msg)
	}
	return nil
}

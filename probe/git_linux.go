package probe

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// envGit reads git's identity and fetches from a repository that wants a
// password. The fetch has a terminal, because without one git could not ask
// and would fail at once whatever its settings: the probe must be able to see
// a git that hangs on a prompt.
func envGit(s *session, r *recorder) {
	for _, key := range []string{"user.name", "user.email"} {
		res := s.command([]string{"git", "config", "--get", key})
		r.try("git config --get", key, res.err).Note = clip(res.output)
	}
	s.fetch(r)
}

func (s *session) fetch(r *recorder) {
	server, port, err := passwordServer()
	if err != nil {
		r.try("listen on loopback", "", err)
		return
	}
	defer server.close()
	master, slave, err := openPTY()
	if err != nil {
		r.try("open a terminal", "", err)
		return
	}
	defer master.Close()
	cmd := exec.Command("git", "-c", "http.proxy=", "ls-remote", fmt.Sprintf("http://127.0.0.1:%d/private.git", port))
	cmd.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1") // our server, not the image's proxy
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = cmd.Start()
	slave.Close()
	if errors.Is(err, exec.ErrNotFound) {
		err = unix.ENOENT
	}
	if err != nil {
		r.try("git ls-remote with a terminal", "", err)
		return
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	said := make(chan string, 1)
	go watch(master, said)
	outcome, text := "", ""
	select {
	case err := <-ended:
		outcome = "failed at once"
		if err == nil {
			outcome = "succeeded"
		}
	case text = <-said:
		outcome = "prompted"
	case <-time.After(s.timeout()):
		outcome = "hung"
	}
	unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
	r.control("the repository asked for a password", "", boolErr(!server.asked(), "git never got that far"))
	a := r.try("git ls-remote with a terminal", "http://127.0.0.1/private.git", nil)
	a.OK, a.Errno, a.Note = outcome == "succeeded", outcome, clip(text)
}

// watch reads the terminal until git asks for something.
func watch(master *os.File, said chan<- string) {
	var all strings.Builder
	buf := make([]byte, 1024)
	for all.Len() < MaxText {
		n, err := master.Read(buf)
		all.Write(buf[:n])
		if t := all.String(); strings.Contains(t, "Username") || strings.Contains(t, "Password") {
			// "could not read Username … prompts disabled" is a refusal, not a question.
			if !strings.Contains(t, "could not read") && strings.Contains(t, "': ") {
				said <- t
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// openPTY makes a pseudo-terminal (pts(4)).
func openPTY() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
		return nil, nil, err
	}
	return master, slave, nil
}

// passwords is a server that answers every request with 401.
type passwords struct {
	fd   int
	seen chan struct{}
}

func passwordServer() (*passwords, int, error) {
	fd, err := listenSocket("tcp4", 0)
	if err != nil {
		return nil, 0, err
	}
	addr, err := unix.Getsockname(fd)
	if err == nil {
		err = unix.Listen(fd, 4)
	}
	if err != nil {
		unix.Close(fd)
		return nil, 0, err
	}
	p := &passwords{fd: fd, seen: make(chan struct{}, 64)}
	go p.serve()
	return p, addr.(*unix.SockaddrInet4).Port, nil
}

func (p *passwords) serve() {
	buf := make([]byte, 4096)
	for {
		c, _, err := unix.Accept4(p.fd, unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		unix.SetsockoptTimeval(c, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 2})
		unix.Read(c, buf)
		select {
		case p.seen <- struct{}{}:
		default:
		}
		unix.Write(c, []byte("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"tightship\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
		unix.Close(c)
	}
}

func (p *passwords) asked() bool { return len(p.seen) > 0 }

func (p *passwords) close() {
	unix.Shutdown(p.fd, unix.SHUT_RDWR)
	unix.Close(p.fd)
}

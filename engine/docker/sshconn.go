package docker

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tightship-dev/tightship/internal/text"
)

// sshPatience is how long an ssh that was told to end may take to do so.
const sshPatience = 2 * time.Second

// sshConn is an ssh process as a connection: what is written goes to its stdin,
// what is read comes from its stdout. Closing it ends the process.
type sshConn struct {
	target sshTarget
	cmd    *exec.Cmd
	stdin  *os.File
	stdout *os.File
	stderr text.Tail
	done   chan struct{} // closed when the process is reaped
	closed atomic.Bool
	once   sync.Once
}

// startSSH starts ssh; gone is called when it has ended.
func startSSH(target sshTarget, gone func(*sshConn)) (*sshConn, error) {
	theirIn, stdin, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirIn.Close()
	stdout, theirOut, err := os.Pipe()
	if err != nil {
		stdin.Close()
		return nil, err
	}
	defer theirOut.Close()
	c := &sshConn{target: target, cmd: exec.Command("ssh", target.args()...), stdin: stdin, stdout: stdout, done: make(chan struct{}), stderr: text.Tail{Most: 4096}}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = theirIn, theirOut, &c.stderr
	c.cmd.SysProcAttr = sshProcess()
	// Something that ssh started may keep stderr open.
	c.cmd.WaitDelay = time.Second
	if err := c.cmd.Start(); err != nil {
		stdin.Close()
		stdout.Close()
		return nil, err
	}
	go func() {
		_ = c.cmd.Wait() // the exit code is in ProcessState
		close(c.done)
		gone(c)
	}()
	return c, nil
}

func (c *sshConn) Read(p []byte) (int, error) {
	n, err := c.stdout.Read(p)
	if n > 0 || !errors.Is(err, io.EOF) {
		return n, c.asNet(err)
	}
	if !c.ends() {
		c.Close()
		return 0, &sshError{c.target, -1, c.said()}
	}
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	if code := c.cmd.ProcessState.ExitCode(); code != 0 {
		return 0, &sshError{c.target, code, c.said()}
	}
	return 0, io.EOF
}

// Write fails when ssh has ended; why, only ssh can say.
func (c *sshConn) Write(p []byte) (int, error) {
	n, err := c.stdin.Write(p)
	if errors.Is(err, syscall.EPIPE) && c.ends() && !c.closed.Load() {
		err = &sshError{c.target, c.cmd.ProcessState.ExitCode(), c.said()}
	}
	return n, c.asNet(err)
}

// asNet keeps to what net.Conn promises after Close.
func (c *sshConn) asNet(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return net.ErrClosed
	}
	return err
}

// ends waits for the process for a while, without asking it to end.
func (c *sshConn) ends() bool {
	select {
	case <-c.done:
		return true
	case <-time.After(sshPatience):
		return false
	}
}

// CloseWrite ends the input of what runs at the other end.
func (c *sshConn) CloseWrite() error { return c.asNet(c.stdin.Close()) }

// Close ends the process and returns when it is gone. What it started in its
// group, a ProxyCommand, goes with it.
func (c *sshConn) Close() error {
	c.once.Do(func() {
		c.closed.Store(true)
		c.stdin.Close()
		c.stdout.Close()
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		c.ends()
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	})
	c.ends()
	return nil
}

func (c *sshConn) LocalAddr() net.Addr  { return sshAddr{} }
func (c *sshConn) RemoteAddr() net.Addr { return sshAddr{} }
func (c *sshConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}
func (c *sshConn) SetReadDeadline(t time.Time) error  { return c.stdout.SetReadDeadline(t) }
func (c *sshConn) SetWriteDeadline(t time.Time) error { return c.stdin.SetWriteDeadline(t) }

type sshAddr struct{}

func (sshAddr) Network() string { return "ssh" }
func (sshAddr) String() string  { return "ssh" }

// said is what ssh wrote to stderr, in one line without control characters.
func (c *sshConn) said() string {
	var said []string
	for line := range strings.Lines(c.stderr.String()) {
		// The banners that ssh draws around its warnings say nothing.
		if line = strings.Trim(text.OneLine(line), "@ "); line != "" {
			said = append(said, line)
		}
	}
	return strings.Join(said, " ")
}

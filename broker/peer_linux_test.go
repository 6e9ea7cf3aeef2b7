package broker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// TestEndedCaller has a process connect and end. Its number may be another's by the
// time that it is looked up, so that it counts for nothing.
func TestEndedCaller(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), childCall+"="+path)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); c.Wait() }()
	_ = l.SetDeadline(time.Now().Add(20 * time.Second))
	conn, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	own, err := cgroupOf(os.Getpid())
	if err != nil {
		t.Skip(err)
	}
	p, err := attest(conn)
	if err != nil || p.pid != c.Process.Pid || p.uid != uint32(os.Geteuid()) || !p.cgroup.equal(own) {
		t.Fatalf("while it lives: %+v %v", p, err)
	}
	tb := startBroker(t, policyOf(), func(o *Options) { o.attest = nil })
	box := tb.sandboxes["box"]
	box.pin(own)
	sess := &session{b: tb.Broker, sandbox: box}
	if err := tb.admit(box, sess, conn); err != nil {
		t.Errorf("while it lives: %v", err)
	}
	in.Close()
	// It has ended, and its number is its own until somebody waits for it.
	if err := unix.Waitid(unix.P_PID, c.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if hasPeerHandles(t, conn) {
		p, err := attest(conn)
		if !errors.Is(err, ErrPeer) {
			t.Errorf("after its end: %+v %v, want %v", p, err, ErrPeer)
		}
		box.pin(p.cgroup) // which is the root by now, on some kernels
		if err := tb.admit(box, sess, conn); !errors.Is(err, ErrPeer) {
			t.Errorf("after its end: %v, want %v", err, ErrPeer)
		}
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	if p, err := attest(conn); err == nil {
		t.Errorf("when nothing is left of it: %+v", p)
	}
	if !hasPeerHandles(t, conn) {
		t.Skip("SKIPPED: this kernel has no handles on peers")
	}
}

// hasPeerHandles says whether the kernel has SO_PEERPIDFD.
func hasPeerHandles(t *testing.T, c *net.UnixConn) bool {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var handle int
	var inner error
	if err := raw.Control(func(fd uintptr) { handle, inner = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PEERPIDFD) }); err != nil {
		t.Fatal(err)
	}
	if inner == nil {
		unix.Close(handle)
	}
	return !errors.Is(inner, unix.ENOPROTOOPT)
}

// TestByStart is for kernels without handles on peers.
func TestByStart(t *testing.T) {
	own, err := cgroupOf(os.Getpid())
	if err != nil {
		t.Skip(err)
	}
	p, err := peer{pid: os.Getpid()}.byStart(started)
	if diff := cmp.Diff(own, p.cgroup); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	const none = 1 << 30 // above every limit of numbers
	if p, err := (peer{pid: none}).byStart(started); err == nil {
		t.Errorf("of nobody: %+v", p)
	}
	looks := 0
	another := func(int) (string, error) { looks++; return fmt.Sprint(looks), nil }
	if p, err := (peer{pid: os.Getpid()}).byStart(another); !errors.Is(err, ErrPeer) {
		t.Errorf("of a number that is another's by now: %+v %v", p, err)
	}
}

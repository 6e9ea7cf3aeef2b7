package broker

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// childHold has this program hold connections to the sockets that it names.
const childHold = "TIGHTSHIP_TEST_HOLD"

// heldEach is how many connections are held to each socket.
const heldEach = 1000

// hold connects, says that it has, and waits for the end of its input.
func hold(sockets string) error {
	if _, err := openFiles(); err != nil {
		return err
	}
	for path := range strings.SplitSeq(sockets, ":") {
		for range heldEach {
			c, err := net.Dial("unix", path)
			if err != nil {
				return err
			}
			defer c.Close()
		}
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// TestIdleConnections has another process hold ten thousand connections, and looks at
// what they cost and whether a caller is still served.
func TestIdleConnections(t *testing.T) {
	e2e(t)
	const sandboxes = 10
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
	if tb.files < (sandboxes+1)*heldEach {
		t.Skipf("the limit of open files leaves room for %d connections", tb.files)
	}
	var sockets []string
	for i := range sandboxes {
		name := fmt.Sprint("idle", i)
		if _, err := tb.Add(name, os.Getuid()); err != nil {
			t.Fatal(err)
		}
		sockets = append(sockets, tb.paths.socket(name))
	}
	before := resident(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), childHold+"="+strings.Join(sockets, ":"))
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { in.Close(); c.Wait() }()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatal(line, err)
	}
	eventually(t, "all of them", func() bool { return tb.conns.Load() == sandboxes*heldEach })
	grown := resident(t) - before
	t.Logf("%d idle connections cost %d KiB each", sandboxes*heldEach, grown>>10/(sandboxes*heldEach))
	const most = 24 << 10 // a goroutine's stack and the runtime's part of a file
	if grown > sandboxes*heldEach*most {
		t.Errorf("%d bytes for %d connections", grown, sandboxes*heldEach)
	}
	if resp, body := fetch(t, tb.client(t), "GET", "/x/a", nil); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

package gitwire

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/metrics"
	"testing"
	"time"
)

// A pack of hundreds of megabytes goes through, or is read to its end and refused,
// without being kept. What would keep it is noticed.
func TestE2EBigPack(t *testing.T) {
	const size, most = 256 << 20, 48 << 20
	w := newWorld(t, agentAccess(), false, SHA1).cloned()
	w.ok(w.clone, "config", "core.compression", "0") // random bytes: no time for them
	w.ok(w.clone, "config", "core.bigFileThreshold", "1m")
	x := w.at("agent/x")
	for n := range 4 {
		out, err := os.Create(filepath.Join(w.clone, fmt.Sprint("big", n)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(out, rand.Reader, size/4); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
	}
	w.ok(w.clone, "add", ".")
	w.ok(w.clone, "commit", "-q", "-m", "big")
	big := w.ok(w.clone, "rev-parse", "HEAD")
	server := filepath.Join(w.root, "acme/widget.git")

	// A sibling of big, for which a push of big is a force.
	w.ok(w.clone, "checkout", "-q", "-b", "agent/sibling", x)
	w.commit(w.clone, "sibling")
	w.ok(w.clone, "push", "-q", "origin", "agent/sibling")
	sibling := w.at("agent/sibling")

	var sent int64
	counted := func(i *Inspector, dst io.Writer, src io.Reader) error {
		c := &counter{r: src}
		defer func() { sent = c.n }()
		return i.Copy(t.Context(), dst, c)
	}
	w.broker.copy = counted
	push := func(args ...string) (growth uint64, out string, err error) {
		before, peak := heap(), uint64(0)
		stop, stopped := make(chan bool), make(chan bool)
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
					peak = max(peak, heap())
				}
			}
		}()
		out, err = w.git(w.clone, append([]string{"push", "-q", "origin"}, args...)...)
		close(stop)
		<-stopped
		return max(peak, before) - before, out, err
	}
	check := func(what string, growth uint64) {
		t.Logf("%s: a pack of %d bytes, the heap grew by %d: 1/%d", what, sent, growth, uint64(sent)/max(growth, 1))
		if sent < size || growth > most {
			t.Errorf("%s: a pack of %d bytes, the heap grew by %d", what, sent, growth)
		}
	}

	growth, out, err := push(big + ":refs/heads/agent/big")
	if err != nil || w.at("agent/big") != big {
		t.Fatalf("%v\n%s", err, out)
	}
	check("a new branch", growth)

	w.ok(server, "update-ref", "refs/heads/agent/big", x)
	growth, out, err = push(big + ":refs/heads/agent/big")
	if err != nil || w.at("agent/big") != big {
		t.Fatalf("%v\n%s", err, out)
	}
	check("a fast-forward", growth)

	w.ok(server, "update-ref", "refs/heads/agent/big", sibling)
	growth, out, err = push("-f", big+":refs/heads/agent/big")
	if err == nil || w.at("agent/big") != sibling || !bytes.Contains([]byte(out), []byte("nothing shows that this is a fast-forward")) {
		t.Fatalf("%v\n%s", err, out)
	}
	check("a force that is refused", growth)

	w.ok(server, "update-ref", "refs/heads/agent/big", x)
	w.broker.copy = func(i *Inspector, dst io.Writer, src io.Reader) error {
		all, err := io.ReadAll(src)
		if err != nil {
			return err
		}
		return counted(i, dst, bytes.NewReader(all))
	}
	if growth, out, err = push(big + ":refs/heads/agent/big"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if t.Logf("the mutation that keeps the pack: the heap grew by %d", growth); growth <= most {
		t.Errorf("a pack that is kept is not noticed: the heap grew by %d", growth)
	}
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// heap is what the heap takes now, garbage that was not collected yet included.
func heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

package forward

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestListenTakesLoopbackAlone(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "10.0.0.1:80", "localhost:0", "127.0.0.1", "", "[::ffff:10.0.0.1]:1"} {
		if l, err := Listen(address); !errors.Is(err, ErrLoopback) {
			t.Errorf("%q: %v", address, err)
			if err == nil {
				l.Close()
			}
		}
	}
}

// TestForward sends both ways, each end closing its own direction first.
func TestForward(t *testing.T) {
	dir, err := os.MkdirTemp("", "ts")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, path) }()
	ask := func(s string) string {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(c, s)
		c.(*net.TCPConn).CloseWrite()
		b, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := ask("x"); !strings.HasPrefix(got, "HTTP/1.1 502 ") || !strings.Contains(got, "is it running") {
		t.Errorf("without a broker: %q", got)
	}
	u, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	go func() {
		for {
			c, err := u.Accept()
			if err != nil {
				return
			}
			go func() { // answers when everything has come
				defer c.Close()
				b, _ := io.ReadAll(c)
				io.WriteString(c, "got "+string(b))
			}()
		}
	}()
	large := strings.Repeat("0123456789", 100_000)
	if got := ask(large); got != "got "+large {
		t.Errorf("%d bytes came back", len(got))
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

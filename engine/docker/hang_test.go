package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/engine"
)

// resources counts what a call may leak.
type resources struct{ goroutines, descriptors int }

func count(t *testing.T) resources {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED: descriptors cannot be counted here: %v", err)
	}
	return resources{runtime.NumGoroutine(), len(fds)}
}

// open is count when what earlier tests left has settled.
func open(t *testing.T) resources {
	t.Helper()
	now := count(t)
	for range 50 {
		time.Sleep(time.Millisecond)
		if next := count(t); next.goroutines < now.goroutines || next.descriptors < now.descriptors {
			now = next
		}
	}
	return now
}

// settled is that nothing more is open than before. What ends, ends in its own
// time.
func (before resources) settled(t *testing.T) {
	t.Helper()
	var now resources
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if now = count(t); now.goroutines <= before.goroutines && now.descriptors <= before.descriptors {
			return
		}
	}
	var stacks strings.Builder
	pprof.Lookup("goroutine").WriteTo(&stacks, 1)
	t.Errorf("%+v before, %+v now:\n%s", before, now, stacks.String())
}

// hangs are the ways in which an engine stops in the middle of an answer.
var hangs = map[string]string{
	"after the request":       "",
	"in the status line":      "HTTP/1.1 2",
	"in the header":           "HTTP/1.1 200 OK\r\nContent-Type: app",
	"after the header":        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n",
	"in the body":             "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"Id\":\"0123",
	"in a chunk":              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{\"Id\"",
	"in its own complaint":    "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"mess",
	"in the upgrade's header": "HTTP/1.1 101 UPGRADED\r\nUpg",
}

// stopsAfter says a part of an answer and then nothing, until the other side
// goes or the test ends. It reads no more than the request's header.
func stopsAfter(text string, end <-chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, text)
		gone := make(chan struct{})
		go func() { io.Copy(io.Discard, conn); close(gone) }()
		select {
		case <-gone:
		case <-end:
			conn.Close()
			<-gone
		}
	}
}

// TestHangingEngine has every call meet every way of hanging, over a socket and
// over ssh.
func TestHangingEngine(t *testing.T) {
	for way, text := range hangs {
		t.Run(way, func(t *testing.T) {
			end := make(chan struct{})
			defer close(end)
			e := connect(t, stopsAfter(text, end))
			e.dialer.transport.CloseIdleConnections()
			before := open(t)
			var all sync.WaitGroup
			for name, call := range calls {
				all.Go(func() {
					ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
					defer cancel()
					err := call(ctx, e)
					// An answer without content is over with its header.
					if err == nil && strings.HasPrefix(text, "HTTP/1.1 200") && strings.Contains(" start kill remove rmvol copy ", " "+name+" ") {
						return
					}
					if err == nil {
						t.Errorf("%s: no error", name)
					} else if !strings.Contains(err.Error(), "in time") && !strings.Contains(err.Error(), "deadline") && !strings.Contains(err.Error(), "instead of a stream") {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			all.Wait()
			e.Close()
			before.settled(t)
		})
	}
	t.Run("over ssh", func(t *testing.T) {
		end := make(chan struct{})
		defer close(end)
		e, started := overSSH(t, stopsAfter("", end))
		e.dialer.transport.CloseIdleConnections()
		before := open(t)
		var all sync.WaitGroup
		for name, call := range calls {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				if err := call(ctx, e); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		all.Wait()
		e.Close()
		before.settled(t)
		allGone(t, started())
	})
	t.Run("a login that nobody waits for any more", func(t *testing.T) {
		e, started := overSSH(t, nil)
		e.dialer.transport.CloseIdleConnections()
		t.Setenv(sshDoes, "hangs")
		before := open(t)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := e.Inspect(ctx, "c")
		good(t, err, context.DeadlineExceeded, "does not answer in time")
		before.settled(t) // without Close
		allGone(t, started())
	})
	t.Run("handshake", func(t *testing.T) {
		host := raw(t, "HTTP/1.1 200 OK\r\nApi-Ver", true)
		before := open(t)
		_, err := New(t.Context(), Options{Host: host, Timeout: 100 * time.Millisecond})
		good(t, err, engine.ErrUnreachable, "does not answer in time")
		before.settled(t)
	})
	t.Run("TLS handshake", func(t *testing.T) {
		bare(t)
		ca := issue(t, "ca", nil, nil)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		dir := t.TempDir()
		write(t, dir+"/ca.pem", string(ca.pem))
		t.Setenv("DOCKER_CERT_PATH", dir)
		t.Setenv("DOCKER_TLS_VERIFY", "1")
		before := open(t)
		_, err = New(t.Context(), Options{Host: "tcp://" + l.Addr().String(), Timeout: 100 * time.Millisecond})
		good(t, err, engine.ErrUnreachable, "does not answer in time")
		before.settled(t)
	})
}

// TestHangingStream is an engine that stops in the middle of a stream, in either
// direction.
func TestHangingStream(t *testing.T) {
	long := strings.Repeat("x", 8<<20) // more than sockets and pipes hold
	for _, over := range []string{"unix", "ssh"} {
		for _, said := range []string{"", "\x01\x00", "\x01\x00\x00\x00\x00\x00\x00\x09half", frame(1, "whole")} {
			t.Run(fmt.Sprintf("%s/%q", over, said), func(t *testing.T) {
				end := make(chan struct{})
				defer close(end)
				handle := hijacked(func(c net.Conn) {
					io.WriteString(c, said)
					<-end // without reading
				})
				var e *Engine
				var started func() []string
				if over == "ssh" {
					e, started = overSSH(t, handle)
				} else {
					e = connect(t, handle)
				}
				before := open(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				s, err := e.Attach(ctx, "c")
				if err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(100*time.Millisecond, cancel)
				var all sync.WaitGroup
				all.Go(func() {
					if _, err := io.WriteString(s.Stdin, long); err == nil {
						t.Error("everything was written, and nobody read it")
					}
				})
				for _, r := range []io.Reader{s.Stdout, s.Stderr} {
					all.Go(func() {
						if _, err := io.ReadAll(r); err == nil {
							t.Error("the stream ended as if in order")
						}
					})
				}
				all.Wait()
				s.Close()
				e.Close()
				// The fake's own end of the stream stays open until the test's end.
				before.goroutines, before.descriptors = before.goroutines+2, before.descriptors+1
				before.settled(t)
				if started != nil {
					allGone(t, started())
				}
			})
		}
	}
}

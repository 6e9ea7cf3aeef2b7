// Package forward joins a TCP port on the loopback interface to a Unix socket, for
// clients in a container that cannot speak to a socket by themselves.
//
// It looks at nothing that goes by and holds no secret: the other end of the socket
// asks the kernel who is there, and sees the process that forwards, which is in the
// same container as its clients. So it must listen where only the container's own
// processes reach it, and Listen takes no other address.
package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// MaxConns is how many connections are forwarded at once. Others wait.
const MaxConns = 256

// ErrLoopback says that an address is not on the loopback interface.
var ErrLoopback = errors.New("is not an address of the loopback interface")

// Listen listens on a loopback address, 127.0.0.1:PORT or [::1]:PORT. Port 0 takes
// a free one.
func Listen(address string) (net.Listener, error) {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || !ap.Addr().IsLoopback() {
		return nil, fmt.Errorf("%q %w: want 127.0.0.1:PORT", address, ErrLoopback)
	}
	return net.Listen("tcp", address)
}

// Serve forwards every connection of l to the Unix socket at path until ctx ends, and
// closes l. Each connection dials anew, so that a socket that was replaced is found.
func Serve(ctx context.Context, l net.Listener, path string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	places := make(chan struct{}, MaxConns)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		c, err := l.Accept()
		if err != nil {
			<-places
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			// No files are left, as a rule; the client waits as well.
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(50 * time.Millisecond):
				continue
			}
		}
		running.Go(func() {
			defer func() { <-places }()
			one(ctx, c.(*net.TCPConn), path)
		})
	}
}

// one forwards one connection. Either direction may end before the other.
func one(ctx context.Context, c *net.TCPConn, path string) {
	defer c.Close()
	u, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		_, _ = fmt.Fprintf(c, "HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(unreachable), unreachable)
		// What was sent is read, or the answer would be lost with it.
		_ = c.CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = io.CopyN(io.Discard, c, 1<<20)
		return
	}
	s := u.(*net.UnixConn)
	defer s.Close()
	defer context.AfterFunc(ctx, func() { c.Close(); s.Close() })()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := io.Copy(s, c); err != nil { // the client is gone
			s.Close()
			return
		}
		_ = s.CloseWrite()
	}()
	if _, err := io.Copy(c, s); err == nil {
		_ = c.CloseWrite()
	}
	// The broker has said all it will say; a client that does not notice is cut.
	_ = c.SetReadDeadline(time.Now().Add(time.Second))
	<-done
}

// unreachable is what a client reads when there is no broker.
const unreachable = `{"error":{"type":"tightship_broker","message":"tightship: the broker's socket does not answer: is it running?"}}` + "\n"

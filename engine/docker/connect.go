package docker

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/moby/moby/client"
)

const (
	maxHeader = 256 << 10 // bytes of an answer's header
	maxBody   = 8 << 20   // bytes of an answer; a list of thousands of containers fits
)

var (
	errTooLarge = fmt.Errorf("answer is longer than %d bytes", maxBody)
	errDial     = fmt.Errorf("no connection came about in %v", DefaultTimeout)
)

// dialer opens connections to one engine, for plain calls and for streams.
// TLS is done here and not in http.Transport, so that both are bounded by the
// context and both leave their dialing error in the call's record.
type dialer struct {
	where     Endpoint
	transport *http.Transport
	ssh       *sshDialer
}

func newDialer(where Endpoint) *dialer {
	d := &dialer{where: where, ssh: newSSHDialer()}
	// Over ssh a connection is a login: those that a verification uses at the
	// same time are kept.
	const kept = 6
	d.transport = &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return d.dial(ctx) },
		MaxIdleConns:           kept,
		MaxIdleConnsPerHost:    kept,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
	}
	return d
}

// dial ends with the call it is for: http.Transport would have it go on in the
// background, for as long as the other side likes.
func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, DefaultTimeout, errDial)
	defer cancel()
	defer context.AfterFunc(recordOf(ctx).ctx, cancel)()
	conn, err := d.connect(ctx)
	if err != nil {
		if context.Cause(ctx) == errDial {
			err = errDial
		}
		recordOf(ctx).dialFailed(err)
		return nil, err
	}
	return conn, nil
}

func (d *dialer) connect(ctx context.Context) (net.Conn, error) {
	if d.where.network == "ssh" {
		return d.ssh.dial(ctx, d.where.ssh)
	}
	conn, err := (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext(ctx, d.where.network, d.where.address)
	if err != nil || d.where.tls == nil {
		return conn, err
	}
	secure := tls.Client(conn, d.where.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

// host is the engine's name in requests: it matters to a proxy before the
// engine, and only TCP has one.
func (d *dialer) host() string {
	if d.where.network == "tcp" {
		return d.where.address
	}
	return client.DummyHost
}

// close drops idle connections, and every ssh.
func (d *dialer) close() {
	d.transport.CloseIdleConnections()
	d.ssh.close()
}

func (d *dialer) httpClient() *http.Client {
	return &http.Client{Transport: limited{d.transport}, CheckRedirect: client.CheckRedirect}
}

// limited bounds every answer's body and notes its status in the call's record.
type limited struct{ *http.Transport }

func (l limited) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.Transport.RoundTrip(req)
	r := recordOf(req.Context())
	if err != nil {
		r.broke(err)
		return nil, err
	}
	r.answered(resp.StatusCode)
	resp.Body = &body{ReadCloser: resp.Body, left: maxBody, record: r}
	return resp, nil
}

type body struct {
	io.ReadCloser
	left   int
	record *record
}

func (b *body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if b.left <= 0 {
		b.record.overflowed()
		return 0, errTooLarge
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	if err != nil && err != io.EOF {
		b.record.broke(err)
	}
	return n, err
}

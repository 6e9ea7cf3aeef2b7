package docker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
)

const (
	maxHeader = 256 << 10 // bytes of an answer's header
	maxBody   = 8 << 20   // bytes of an answer; a list of thousands of containers fits
)

var errTooLarge = fmt.Errorf("answer is longer than %d bytes", maxBody)

// dialer opens connections to one engine, for plain calls and for streams.
// TLS is done here and not in http.Transport, so that both are bounded by the
// context and both leave their dialing error in the call's record.
type dialer struct {
	network, address, basePath string
	addr                       string // for messages: no user name, no password
	tls                        *tls.Config
	transport                  *http.Transport
}

func newDialer(host string) (*dialer, error) {
	u, err := client.ParseHostURL(host)
	if err != nil {
		return nil, fmt.Errorf("docker: %w: the host is no address like unix:///path or tcp://host:port", engine.ErrUnreachable)
	}
	d := &dialer{network: u.Scheme, address: u.Host, basePath: u.Path, addr: u.Scheme + "://" + u.Host + u.Path}
	switch u.Scheme {
	case "unix":
	case "tcp":
		if d.tls, err = tlsFromEnv(u.Host); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("docker: %w: %s:// addresses are not supported, use unix:// or tcp://", engine.ErrUnreachable, oneLine(u.Scheme))
	}
	d.transport = &http.Transport{
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return d.dial(ctx) },
		MaxIdleConns:           6,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
	}
	return d, nil
}

// tlsFromEnv reads the docker command's variables. nil means no TLS.
func tlsFromEnv(address string) (*tls.Config, error) {
	dir, verify := os.Getenv(client.EnvOverrideCertPath), os.Getenv(client.EnvTLSVerify) != ""
	if dir == "" && !verify {
		return nil, nil
	}
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("docker: TLS: %w", err)
		}
		dir = filepath.Join(home, ".docker")
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		return nil, fmt.Errorf("docker: TLS client certificate: %w", err)
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		return nil, fmt.Errorf("docker: TLS certificate authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("docker: TLS certificate authority: ca.pem holds no certificate")
	}
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("docker: %w: %q names no port", engine.ErrUnreachable, address)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{cert},
		RootCAs:      pool,
		ServerName:   name,
		// A certificate path without DOCKER_TLS_VERIFY means TLS without
		// verification, for the docker command and so for us.
		InsecureSkipVerify: !verify,
	}, nil
}

func (d *dialer) dial(ctx context.Context) (net.Conn, error) {
	conn, err := (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext(ctx, d.network, d.address)
	if err == nil && d.tls != nil {
		secure := tls.Client(conn, d.tls)
		if err = secure.HandshakeContext(ctx); err != nil {
			conn.Close()
		}
		conn = secure
	}
	if err != nil {
		recordOf(ctx).dialFailed(err)
		return nil, err
	}
	return conn, nil
}

func (d *dialer) httpClient() *http.Client {
	return &http.Client{Transport: limited{d.transport}, CheckRedirect: client.CheckRedirect}
}

// limited bounds every answer's body and notes its status in the call's record.
type limited struct{ *http.Transport }

func (l limited) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.Transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	r := recordOf(req.Context())
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
	return n, err
}

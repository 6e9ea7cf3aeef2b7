package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/tightship-dev/tightship/broker/front"
	"github.com/tightship-dev/tightship/policy"
)

// ErrAddress says that an upstream's name leads to an address that its route does not
// permit.
var ErrAddress = errors.New("the upstream's address is not permitted")

// ErrCA says that a route's certificates are of no use.
var ErrCA = errors.New("the route's certificate authority cannot be used")

// The upstream's times. A model may think for minutes before its first byte.
const (
	dialTime     = 15 * time.Second
	tlsTime      = 15 * time.Second
	responseTime = 10 * time.Minute
	idleTime     = 45 * time.Second // shorter than servers keep a connection
	maxHeader    = 256 << 10        // bytes of a response's head
	idlePerHost  = 64
)

// newTransport makes what sends a route's requests. No proxy of the environment is
// asked, no redirect followed, nothing decompressed. pem is the certificates of the
// route's CA, "" for the system's roots.
func newTransport(r policy.Route, pem string) (*http.Transport, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if r.CA != "" {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM([]byte(pem)) {
			return nil, fmt.Errorf("%w: %s holds no certificate in PEM form", ErrCA, r.CA)
		}
	}
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            guarded(r),
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    tlsTime,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    idlePerHost,
		IdleConnTimeout:        idleTime,
		ResponseHeaderTimeout:  responseTime,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxHeader,
		ReadBufferSize:         16 << 10,
		WriteBufferSize:        16 << 10,
	}, nil
}

// certificates reads the file of a route's CA, "" where it has none.
func certificates(r policy.Route, p *policy.Policy) (pem string, err error) {
	if r.CA == "" {
		return "", nil
	}
	path, err := p.HostPath(r.CA)
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrCA, err)
	}
	return string(b), nil
}

// guarded dials, and looks at the very address that is about to be connected to: a
// name that was looked up before and resolves to something else now (DNS rebinding)
// is caught.
func guarded(r policy.Route) func(context.Context, string, string) (net.Conn, error) {
	d := &net.Dialer{
		Timeout: dialTime,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil || !r.Permits(ap.Addr()) {
				return fmt.Errorf("%w: %s", ErrAddress, address)
			}
			return nil
		},
	}
	return d.DialContext
}

// target is the URL of a request at its upstream. Rest is what follows the route, ""
// where nothing does, and is sent as it came.
func target(base *url.URL, rest, query string, asks bool) *url.URL {
	u := *base
	joined := strings.TrimSuffix(base.EscapedPath(), "/") + rest
	if joined == "" {
		joined = "/"
	}
	u.Path, u.RawPath = front.Unescape(joined), joined
	u.RawQuery, u.ForceQuery = query, asks && query == ""
	return &u
}

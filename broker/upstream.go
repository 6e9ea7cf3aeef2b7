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
// asked, no redirect followed, nothing decompressed. caFile is a PEM file, "" for the
// system's roots.
func newTransport(r policy.Route, caFile string) (*http.Transport, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCA, err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%w: %s holds no certificate in PEM form", ErrCA, caFile)
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

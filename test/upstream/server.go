package upstream

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Use is a request that reached a stand-in.
type Use struct {
	ID         string // of no other request; the answer's X-Request-Id
	Method     string
	Path       string // decoded, without the query
	Query      string
	Proto      string // HTTP/1.1 or HTTP/2.0
	Header     http.Header
	Authorized bool // whether it had the credential, once and in its place
}

// Server is a stand-in that listens on the loopback interface.
type Server struct {
	URL string // https://127.0.0.1:PORT
	CA  []byte // PEM: the authority of its certificate

	inner http.Handler
	http  *http.Server

	mu     sync.Mutex
	demand Demand
	uses   []Use
}

// Start starts a stand-in: HTTP/1.1 and HTTP/2 over TLS on a free port.
func Start(d Demand, h http.Handler) (*Server, error) {
	cert, ca, err := certify()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{URL: "https://" + l.Addr().String(), CA: ca, inner: h, demand: d}
	s.http = &http.Server{
		Handler: s, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0), // a client that hangs up is no news
	}
	go func() { _ = s.http.ServeTLS(l, "", "") }()
	return s, nil
}

// Close ends the stand-in and its connections.
func (s *Server) Close() { _ = s.http.Close() }

// Rotate makes another credential the real one, and the one before of no use.
func (s *Server) Rotate(d Demand) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.demand = d
}

// Client is an HTTP client that trusts the stand-in and has no credential.
func (s *Server) Client() *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.CA)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
	}}
}

// Uses is what reached the stand-in so far, in the order of arrival.
func (s *Server) Uses() []Use {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.uses)
}

// Authorized counts the requests that had the credential.
func (s *Server) Authorized() int {
	n := 0
	for _, u := range s.Uses() {
		if u.Authorized {
			n++
		}
	}
	return n
}

// ServeHTTP records a request, then judges it, then answers.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u := Use{
		ID: rand.Text(), Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Proto: r.Proto, Header: r.Header.Clone(),
	}
	s.mu.Lock()
	demand := s.demand
	u.Authorized = demand.met(r)
	s.uses = append(s.uses, u)
	s.mu.Unlock()
	w.Header().Set("X-Request-Id", u.ID)
	if !u.Authorized {
		if demand.challenge != "" {
			w.Header().Set("WWW-Authenticate", demand.challenge)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintln(w, `{"type":"error","error":{"type":"authentication_error","message":"invalid credential"}}`)
		return
	}
	if r.URL.Path == EchoPath {
		echo(w, r)
		return
	}
	s.inner.ServeHTTP(w, r)
}

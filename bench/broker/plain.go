//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
)

// servePlain is the least that Go's own libraries need to do the upstream's part of
// the work: a ReverseProxy on a Unix socket that adds the header. It looks at
// nothing, records nothing and lets anybody in.
func servePlain(dir, origin string) error {
	key, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return errors.New("ca.pem holds no certificate")
	}
	to, err := url.Parse(origin)
	if err != nil {
		return err
	}
	l, err := net.Listen("unix", filepath.Join(dir, "plain.sock"))
	if err != nil {
		return err
	}
	return http.Serve(l, &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Header.Set(header, string(key))
		},
		// As many connections stay open as there are clients; the rest is Go's default.
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 256, DisableCompression: true},
		ErrorLog:  log.New(os.Stderr, "", 0),
	})
}

func (b *bench) startPlain(context.Context) (*proxy, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := b.start(self, "plain", b.dir, b.origin())
	if err != nil {
		return nil, err
	}
	return &proxy{network: "unix", address: b.file("plain.sock"), process: p}, nil
}

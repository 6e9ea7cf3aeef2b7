//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// header is where the upstream wants the credential.
const header = "X-Api-Key"

// serveUpstream is the process that every proxy sends to. It leaves the certificate
// that it is to be checked with in ca.pem, and says its port when it listens.
func serveUpstream(dir string) error {
	key, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		return err
	}
	cert, err := certificate(filepath.Join(dir, "ca.pem"))
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(answered)))
		_, _ = io.WriteString(w, answered)
	})
	mux.HandleFunc("GET /stream/{bytes}", stream)
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if subtle.ConstantTimeCompare([]byte(r.Header.Get(header)), key) == 0 {
				http.Error(w, "the credential is missing", http.StatusUnauthorized)
				return
			}
			mux.ServeHTTP(w, r)
		}),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		// HTTP/1.1 alone: nginx speaks nothing else to an upstream.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	return server.ServeTLS(l, "", "")
}

// stream sends so many bytes of what a model might stream.
func stream(w http.ResponseWriter, r *http.Request) {
	left, err := strconv.ParseInt(r.PathValue("bytes"), 10, 64)
	if err != nil {
		http.Error(w, "how many bytes?", http.StatusBadRequest)
		return
	}
	line := []byte(`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"for i := range n {\n\tfmt.Println(\"line\", i)\n}"}}` + "\n")
	block := bytes.Repeat(line, 256)
	w.Header().Set("Content-Type", "application/octet-stream")
	for left > 0 {
		n, err := w.Write(block[:min(left, int64(len(block)))])
		if err != nil {
			return
		}
		left -= int64(n)
	}
}

// certificate makes one for localhost that signs itself.
func certificate(file string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "tightship bench"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, os.WriteFile(file, text, 0o644)
}

// startUpstream starts it and waits for its port.
func (b *bench) startUpstream() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	p, err := b.startWith(w, self, "upstream", b.dir)
	w.Close()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	defer context.AfterFunc(ctx, func() { r.Close() })()
	buf := make([]byte, 16)
	n, err := r.Read(buf)
	if err != nil {
		return errors.Join(fmt.Errorf("the upstream does not start: %s", p.output()), err)
	}
	b.upstream, err = strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	return err
}

// origin is the upstream's URL.
func (b *bench) origin() string { return fmt.Sprintf("https://localhost:%d", b.upstream) }

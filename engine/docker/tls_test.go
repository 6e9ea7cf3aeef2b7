package docker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
)

// pair is a certificate with its key.
type pair struct {
	cert      *x509.Certificate
	key       *ecdsa.PrivateKey
	pem, priv []byte
}

// issue makes a certificate; without a signer it is an authority.
func issue(t *testing.T, name string, by *pair, change func(*x509.Certificate)) *pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if by == nil {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
		by = &pair{c, key, nil, nil}
	}
	if change != nil {
		change(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by.cert, &key.PublicKey, by.key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &pair{parsed, key,
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})}
}

// serveTLS is an engine that wants certificates signed by ca; it returns its port.
func serveTLS(t *testing.T, cert, ca *pair, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if cert != nil {
		config.Certificates = []tls.Certificate{{Certificate: [][]byte{cert.cert.Raw}, PrivateKey: cert.key}}
	}
	if ca != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		config.ClientCAs.AddCert(ca.cert)
	}
	if cert != nil {
		l = tls.NewListener(l, config)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: h, ErrorLog: quiet}}
	s.Start()
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func TestTLS(t *testing.T) {
	ca, otherCA := issue(t, "ca", nil, nil), issue(t, "another ca", nil, nil)
	expire := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = c.NotBefore.Add(-2*time.Hour), c.NotAfter.Add(-2*time.Hour)
	}
	server := issue(t, "localhost", ca, nil)
	me := issue(t, "me", ca, nil)
	type files map[string][]byte
	mine := files{"ca.pem": ca.pem, "cert.pem": me.pem, "key.pem": me.priv}
	with := func(change files) files {
		out := files{}
		for _, f := range []files{mine, change} {
			for k, v := range f {
				if out[k] = v; v == nil {
					delete(out, k)
				}
			}
		}
		return out
	}
	tests := []struct {
		name   string
		server *pair // nil: no TLS
		client *pair // the authority of clients; nil: no certificate needed
		files  files
		env    map[string]string // besides DOCKER_CERT_PATH; nil: DOCKER_TLS_VERIFY
		want   error
		says   string // "" is success
		hint   string
	}{
		{"all in order", server, ca, mine, nil, nil, "", ""},
		{"no client certificate where none is needed", server, nil, with(files{"cert.pem": nil, "key.pem": nil}), nil, nil, "", ""},
		{"not verified", server, ca, with(files{"ca.pem": otherCA.pem}), map[string]string{envTLS: "1"}, nil, "", ""},
		{"wrong authority", server, ca, with(files{"ca.pem": otherCA.pem}), nil, engine.ErrUnreachable, "unknown authority", "ca.pem"},
		{"another host's certificate", issue(t, "other.example", ca, nil), ca, mine, nil, engine.ErrUnreachable, "valid for other.example, not localhost", "name"},
		{"expired", issue(t, "localhost", ca, expire), ca, mine, nil, engine.ErrUnreachable, "not valid now", "renew"},
		{"not for servers", issue(t, "localhost", ca, func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[1:] }), ca, mine, nil, engine.ErrUnreachable, "not valid", "server"},
		{"our certificate is another's", server, otherCA, mine, nil, engine.ErrPermission, "refuses our certificate", "cert.pem"},
		{"our certificate is missing", server, ca, with(files{"cert.pem": nil, "key.pem": nil}), nil, engine.ErrPermission, "refuses our certificate", "cert.pem"},
		{"no TLS there", nil, nil, mine, nil, engine.ErrUnreachable, "speaks no TLS", "2376"},
		{"no TLS here", server, ca, mine, map[string]string{}, engine.ErrUnreachable, "it wants TLS", "DOCKER_TLS_VERIFY=1"},
		{"no ca.pem", server, ca, with(files{"ca.pem": nil}), nil, engine.ErrUnreachable, "ca.pem is missing", "DOCKER_CERT_PATH"},
		{"no authority in ca.pem", server, ca, with(files{"ca.pem": []byte("x")}), nil, engine.ErrUnreachable, "holds no certificate", "authority"},
		{"no key.pem", server, ca, with(files{"key.pem": nil}), nil, engine.ErrUnreachable, "key.pem is missing", "private key"},
		{"no cert.pem", server, ca, with(files{"cert.pem": nil}), nil, engine.ErrUnreachable, "cert.pem is missing", "certificate"},
		{"no pair", server, ca, with(files{"key.pem": server.priv}), nil, engine.ErrUnreachable, "no pair", "passphrase"},
		{"garbage", server, ca, with(files{"key.pem": []byte("\x1b[31m")}), nil, engine.ErrUnreachable, "no pair", "PEM"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := bare(t)
			dir := t.TempDir()
			for name, content := range tt.files {
				write(t, filepath.Join(dir, name), string(content))
			}
			t.Setenv(client.EnvOverrideCertPath, dir)
			if tt.env == nil {
				t.Setenv(client.EnvTLSVerify, "1")
			}
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			// The stream shows that both ways of making a connection are secured,
			// and that a half-close passes through.
			echo := hijacked(func(c net.Conn) {
				in, _ := io.ReadAll(c)
				io.WriteString(c, frame(1, "got "+string(in)))
			})
			address := "tcp://localhost:" + serveTLS(t, tt.server, tt.client, fake{"1.41", echo})
			look := func(t *testing.T) {
				e, err := New(t.Context(), Options{Host: os.Getenv("TEST_HOST"), Timeout: 10 * time.Second})
				if tt.says != "" {
					good(t, err, tt.want, tt.says)
					if h := (interface{ Hint() string })(nil); !asHint(err, &h) || !strings.Contains(h.Hint(), tt.hint) {
						t.Errorf("the hint of %q does not say %q", err, tt.hint)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				if verified := !strings.Contains(e.Endpoint().Source, "not verified"); verified != (tt.env == nil) {
					t.Errorf("source %q", e.Endpoint().Source)
				}
				s, err := e.Attach(t.Context(), "c")
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				io.WriteString(s.Stdin, "hello")
				s.Stdin.Close()
				if got, err := io.ReadAll(s.Stdout); string(got) != "got hello" || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			}
			t.Run("by variables", func(t *testing.T) {
				t.Setenv("TEST_HOST", address)
				look(t)
			})
			if len(tt.env) == 0 && tt.env != nil || tt.name == "no ca.pem" {
				return // a context without authority trusts the system's
			}
			t.Run("by context", func(t *testing.T) {
				t.Setenv(client.EnvTLSVerify, "") // says nothing of a context
				t.Setenv(envTLS, "")
				t.Setenv(envContext, "prod")
				meta := metaOf("prod", address)
				if tt.env != nil {
					meta = strings.Replace(meta, "false", "true", 1)
				}
				writeContext(t, config, "prod", meta)
				for name, content := range tt.files {
					write(t, filepath.Join(config, "contexts", "tls", idOf("prod"), "docker", name), string(content))
				}
				look(t)
			})
		})
	}
}

func asHint(err error, h *interface{ Hint() string }) bool { return errors.As(err, h) }

// quiet takes what a server says about failed handshakes.
var quiet = log.New(io.Discard, "", 0)

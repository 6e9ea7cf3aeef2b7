package broker

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/ledger"
)

// reverse is a bare httputil.ReverseProxy on a Unix socket that adds the credential.
func reverse(b *testing.B, up *upstreamServer) string {
	b.Helper()
	to, err := url.Parse(up.URL)
	if err != nil {
		b.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(up.Certificate())
	p := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Header.Set("X-Api-Key", realKey) },
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: pool}, DisableCompression: true, ForceAttemptHTTP2: up.EnableHTTP2, MaxIdleConnsPerHost: idlePerHost,
		},
	}
	path := filepath.Join(shortDir(b), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: p}
	go srv.Serve(l)
	b.Cleanup(func() { srv.Close() })
	return path
}

// BenchmarkRequests has the broker, with a real ledger that syncs and with one in
// memory, beside the bare proxy: the same upstream, the same kind of socket.
func BenchmarkRequests(b *testing.B) {
	up := newUpstream(b, nil)
	up.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "fine") })
	p := policyOf(up.credential("x", apiKey, allow("GET", "/**")))
	p.Credentials[0].Limits.Concurrency = 0
	withLedger := func(l Ledger) string {
		return startBroker(b, p, func(o *Options) { o.Ledger = l }).socket()
	}
	log, err := ledger.Open(filepath.Join(b.TempDir(), "ledger"), ledger.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { log.Close() })
	for name, path := range map[string]string{
		"reverse-proxy": reverse(b, up), "broker-ledger-on-disk": withLedger(log), "broker-ledger-in-memory": withLedger(&memory{}),
	} {
		b.Run(name, func(b *testing.B) {
			c := socketClient(b, path)
			c.Transport.(*http.Transport).MaxIdleConnsPerHost = 256
			b.SetParallelism(64) // as many share a sync of the ledger
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					fetch(b, c, "GET", "/x/a", nil)
				}
			})
		})
	}
}

// BenchmarkBody streams a large body through both.
func BenchmarkBody(b *testing.B) {
	const size = 64 << 20
	block := []byte(strings.Repeat("0123456789abcdef", 4096))
	up := newUpstream(b, nil)
	up.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range size / len(block) {
			w.Write(block)
		}
	})
	tb := startBroker(b, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
	for name, path := range map[string]string{"reverse-proxy": reverse(b, up), "broker": tb.socket()} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			c := socketClient(b, path)
			for b.Loop() {
				resp, err := c.Get("http://b/x/a")
				if err != nil {
					b.Fatal(err)
				}
				if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
					b.Fatal(n, err)
				}
				resp.Body.Close()
			}
		})
	}
}

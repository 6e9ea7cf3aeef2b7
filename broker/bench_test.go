package broker

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
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
			c.Transport.(*http.Transport).MaxIdleConnsPerHost = 64
			b.SetParallelism(16)
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

// TestIdleConnections holds ten thousand connections, of which each is good for a
// request at the end, and looks at what they cost.
func TestIdleConnections(t *testing.T) {
	e2e(t)
	const sandboxes, each = 10, 1000
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
	if tb.files < 2*sandboxes*each+reserved {
		t.Skipf("the limit of open files leaves room for %d connections, with both of their ends here", tb.files)
	}
	before := resident(t)
	var all []net.Conn
	for i := range sandboxes {
		name := "idle" + string(rune('0'+i))
		if _, err := tb.Add(name, os.Getuid()); err != nil {
			t.Fatal(err)
		}
		for range each {
			c, err := net.Dial("unix", tb.paths.socket(name))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			all = append(all, c)
		}
	}
	eventually(t, "all of them", func() bool { return tb.conns.Load() == sandboxes*each })
	grown := resident(t) - before
	t.Logf("%d idle connections cost %d KiB each, with both of their ends", len(all), grown>>10/len(all))
	if grown > len(all)*32<<10 {
		t.Errorf("%d bytes for %d connections", grown, len(all))
	}
	for _, c := range []net.Conn{all[0], all[len(all)-1]} {
		if status, _ := say(t, c, "GET /x/a HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n"); status != 200 {
			t.Errorf("status %d", status)
		}
	}
}

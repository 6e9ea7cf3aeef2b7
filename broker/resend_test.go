package broker

import (
	"bufio"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tightship-dev/tightship/ledger"
)

// closing is an upstream that answers one request on each connection, and closes it
// under the next one. It says how many requests reached it. It speaks HTTP/1.1 alone.
func closing(t *testing.T, status int) (up *upstreamServer, uses func() int) {
	var mu sync.Mutex
	n, kept := 0, map[string]bool{}
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n++
		again := kept[r.RemoteAddr]
		kept[r.RemoteAddr] = true
		mu.Unlock()
		if again {
			if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
				c.Close()
			}
			return
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(srv.Close)
	up = &upstreamServer{Server: srv, ca: filepath.Join(t.TempDir(), "ca.pem")}
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(up.ca, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return up, func() int { mu.Lock(); defer mu.Unlock(); return n }
}

// TestNetHTTPRepeatsNothing has requests that net/http takes for such as it may send a
// second time by itself: without a body, with an empty one, with a key that says so.
// The second time would be a use of the credential without a record.
func TestNetHTTPRepeatsNothing(t *testing.T) {
	for name, head := range map[string]string{
		"no body":        "GET /x/a HTTP/1.1\r\nHost: b\r\n\r\n",
		"empty chunks":   "GET /x/a HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"idempotent":     "POST /x/a HTTP/1.1\r\nHost: b\r\nIdempotency-Key: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"idempotent, 0":  "POST /x/a HTTP/1.1\r\nHost: b\r\nIdempotency-Key: 1\r\nContent-Length: 0\r\n\r\n",
		"idempotent, 1":  "POST /x/a HTTP/1.1\r\nHost: b\r\nIdempotency-Key: 1\r\nContent-Length: 1\r\n\r\nx",
		"upgrade":        "GET /x/a HTTP/1.1\r\nHost: b\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
		"empty and long": "OPTIONS /x/a HTTP/1.1\r\nHost: b\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			up, uses := closing(t, http.StatusForbidden)
			cr := up.credential("x", apiKey, allow("GET", "/**"), allow("POST", "/**"), allow("OPTIONS", "/**"))
			cr.Route.WebSocket = true
			tb := startBroker(t, policyOf(cr), nil)
			c := tb.dial(t)
			r := bufio.NewReader(c)
			for range 3 {
				fmt.Fprint(c, head)
				resp, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, resp.Body); err != nil {
					t.Fatal(err)
				}
			}
			c.Close()
			tb.quiesce(t)
			if uses() < 3 {
				t.Fatalf("%d requests reached the upstream, want 3 or more", uses())
			}
			if n := len(tb.ledger.of(ledger.Intent)); n != uses() {
				t.Errorf("%d uses of the credential, and %d records", uses(), n)
			}
		})
	}
}

// TestQuestionsAreNotRepeated is the same for what the broker asks of a git server.
func TestQuestionsAreNotRepeated(t *testing.T) {
	for method, body := range map[string][]byte{"GET": nil, "POST": []byte("0000")} {
		up, uses := closing(t, http.StatusOK)
		tb := startBroker(t, policyOf(up.credential("x", apiKey)), nil)
		c := &call{session: &session{b: tb.Broker, sandbox: tb.sandboxes["box"]}, live: tb.world.Load().live["x"]}
		for range 3 {
			r, err := http.NewRequest(method, up.URL+"/a", bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Idempotency-Key", "1")
			resp, err := asking{c}.RoundTrip(r)
			if err != nil {
				continue // the connection was closed on it
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
		if n := len(tb.ledger.of(ledger.Intent)); n != uses() || n < 2 {
			t.Errorf("%s: %d uses of the credential, and %d records", method, uses(), n)
		}
	}
}

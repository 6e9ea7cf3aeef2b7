package broker

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tightship-dev/tightship/ledger"
)

// TestEachSendingIsRecorded has an upstream close connections that it kept under the
// next request. A request that may be repeated is, and each time is a use with a record
// of its own; one that may not is not.
func TestEachSendingIsRecorded(t *testing.T) {
	for method, want := range map[string]struct {
		status int
		uses   int64
	}{"GET": {200, 3}, "POST": {502, 2}} {
		var uses atomic.Int64
		kept := map[string]bool{}
		srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			uses.Add(1)
			if kept[r.RemoteAddr] {
				c, _, err := w.(http.Hijacker).Hijack()
				if err == nil {
					c.Close()
				}
				return
			}
			kept[r.RemoteAddr] = true
			w.Write([]byte("fine"))
		}))
		defer srv.Close()
		up := &upstreamServer{Server: srv, ca: filepath.Join(t.TempDir(), "ca.pem")}
		if err := os.WriteFile(up.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		tb := startBroker(t, policyOf(up.credential("x", apiKey, allow(method, "/**"))), nil)
		c := tb.client(t)
		body := func() *strings.Reader {
			if method == "GET" {
				return nil
			}
			return strings.NewReader("x")
		}
		status := 0
		for range 2 {
			var resp *http.Response
			if b := body(); b == nil {
				resp, _ = fetch(t, c, method, "/x/a", nil)
			} else {
				resp, _ = fetch(t, c, method, "/x/a", b)
			}
			status = resp.StatusCode
		}
		if status != want.status || uses.Load() != want.uses {
			t.Errorf("%s: status %d after %d uses, want %d after %d", method, status, uses.Load(), want.status, want.uses)
		}
		if n := int64(len(tb.ledger.of(ledger.Intent))); n != uses.Load() {
			t.Errorf("%s: %d uses, %d records", method, uses.Load(), n)
		}
	}
}

package broker

import (
	"bufio"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/policy"
)

// TestNoUserAgentOfOurs has a caller that does not name itself.
func TestNoUserAgentOfOurs(t *testing.T) {
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
	for _, sent := range []string{"", "User-Agent: me/1\r\n"} {
		if status, _ := say(t, tb.dial(t), "GET /x/a HTTP/1.1\r\nHost: b\r\nConnection: close\r\n"+sent+"\r\n"); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
	}
	got := up.requests()
	if v, ok := got[0].header["User-Agent"]; ok {
		t.Errorf("the upstream is told %q, and nobody said that", v)
	}
	if v := got[1].header.Get("User-Agent"); v != "me/1" {
		t.Errorf("the upstream is told %q, want me/1", v)
	}
}

// TestBodyOfKnownLength has a caller say at once that its body is too large: it is not
// even asked for it.
func TestBodyOfKnownLength(t *testing.T) {
	up := newUpstream(t, nil)
	cr := up.credential("x", apiKey, allow("POST", "/**"))
	cr.Limits.Body = 4
	tb := startBroker(t, policyOf(cr), nil)
	const head = "POST /x/a HTTP/1.1\r\nHost: b\r\nConnection: close\r\nContent-Length: "
	status, rule := say(t, tb.dial(t), head+"5\r\nExpect: 100-continue\r\n\r\n")
	if n := len(up.requests()); status != http.StatusRequestEntityTooLarge || rule != "body-size" || n != 0 {
		t.Errorf("status %d by %q, and %d requests arrived", status, rule, n)
	}
	if status, rule := say(t, tb.dial(t), head+"4\r\n\r\nhell"); status != http.StatusOK {
		t.Errorf("what is small enough: status %d by %q", status, rule)
	}
}

// TestHeadersOfTheConnection has an upstream send headers that are for its connection
// with the broker alone. It speaks HTTP/1.1, as HTTP/2 has none.
func TestHeadersOfTheConnection(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Connection"] = []string{"X-Hop , x-other"}
		for _, name := range []string{"X-Hop", "X-Other", "X-End"} {
			w.Header().Set(name, "1")
		}
	}))
	t.Cleanup(srv.Close)
	up := &upstreamServer{Server: srv, ca: filepath.Join(t.TempDir(), "ca.pem")}
	if err := os.WriteFile(up.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
	resp, _ := fetch(t, tb.client(t), "GET", "/x/a", nil)
	if h := resp.Header; h.Get("X-Hop") != "" || h.Get("X-Other") != "" || h.Get("X-End") != "1" {
		t.Errorf("the caller is told %v", h)
	}
}

// TestWebSocketExtensionRefused has an upstream take an extension that was not offered,
// after which its frames cannot be searched.
func TestWebSocketExtensionRefused(t *testing.T) {
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
		rw.Flush()
	})
	cr := up.credential("ws", policy.Attach{Style: policy.AttachBearer}, allow("GET", "/chat"))
	cr.Route.WebSocket = true
	tb := startBroker(t, policyOf(cr), nil)
	c := tb.dial(t)
	fmt.Fprint(c, "GET /ws/chat HTTP/1.1\r\nHost: b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != http.StatusBadGateway {
		t.Fatalf("%v %v", resp, err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	eventually(t, "an outcome", func() bool { return len(tb.ledger.of(ledger.Outcome)) == 1 })
	if e := tb.ledger.of(ledger.Outcome)[0]; e.Rule != RuleWebSocket || e.Status != http.StatusBadGateway {
		t.Errorf("recorded: %+v", e)
	}
}

// TestRedirectWithoutTheParameter has an upstream redirect to where it was asked, with
// the credential that it was asked with.
func TestRedirectWithoutTheParameter(t *testing.T) {
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/b?a=1&"+r.URL.RawQuery)
		w.WriteHeader(http.StatusFound)
	})
	tb := startBroker(t, policyOf(up.credential("x", policy.Attach{Style: policy.AttachQuery, Name: "key"}, allow("GET", "/**"))), nil)
	resp, body := fetch(t, tb.client(t), "GET", "/x/a", nil)
	if got := resp.Header.Get("Location"); got != "/x/b?a=1" {
		t.Errorf("%d %q, want /x/b?a=1: %s", resp.StatusCode, got, body)
	}
}

// TestSameHost has the ways in which a Location names the upstream, or another server.
func TestSameHost(t *testing.T) {
	for name, tc := range map[string]struct {
		a, b string
		want bool
	}{
		"the same":            {"https://h", "https://h/a", true},
		"the port as usual":   {"https://h", "https://h:443", true},
		"as usual, the other": {"https://h:443", "https://h", true},
		"case":                {"https://h", "https://H", true},
		"a port of its own":   {"https://h:8443", "https://h:8443", true},
		"another port":        {"https://h", "https://h:8443", false},
		"no port":             {"https://h:8443", "https://h", false},
		"another host":        {"https://h", "https://h.example", false},
		"another scheme":      {"https://h", "http://h", false},
		"another scheme, 443": {"https://h", "http://h:443", false},
		"a user":              {"https://h", "https://u@h", false},
	} {
		a, err := url.Parse(tc.a)
		if err != nil {
			t.Fatal(err)
		}
		b, err := url.Parse(tc.b)
		if err != nil {
			t.Fatal(err)
		}
		if got := sameHost(a, b); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

// TestTransportAlone is by looks: net/http asks no proxy about a loopback address, where
// the upstreams of tests are.
func TestTransportAlone(t *testing.T) {
	tr, err := newTransport(policy.Route{}, "")
	if err != nil {
		t.Fatal(err)
	}
	if tr.Proxy != nil {
		t.Error("a proxy is asked")
	}
	if !tr.DisableCompression {
		t.Error("an encoding is asked for that is taken off, unseen")
	}
}

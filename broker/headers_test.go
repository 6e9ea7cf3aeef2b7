package broker

import (
	"bufio"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
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

// oldUpstream speaks HTTP/1.1 alone.
func oldUpstream(t *testing.T, h http.HandlerFunc) *upstreamServer {
	t.Helper()
	srv := httptest.NewTLSServer(h)
	t.Cleanup(srv.Close)
	up := &upstreamServer{Server: srv, ca: filepath.Join(t.TempDir(), "ca.pem")}
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(up.ca, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return up
}

// TestHeadersOfTheConnection has an upstream send headers that are between it and the
// broker.
func TestHeadersOfTheConnection(t *testing.T) {
	gone := []string{"X-Hop", "X-Other", "Alt-Svc", "Set-Cookie2", "Proxy-Authentication-Info", "Proxy-Authenticate", "Keep-Alive", "Content-Encoding"}
	up := oldUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Connection"] = []string{"X-Hop , x-other"} // HTTP/2 has no such header
		for _, name := range append(gone, "X-End") {
			w.Header().Set(name, "identity")
		}
	})
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
	resp, _ := fetch(t, tb.client(t), "GET", "/x/a", nil)
	for _, name := range gone {
		if v, ok := resp.Header[name]; ok {
			t.Errorf("the caller is told %s: %q", name, v)
		}
	}
	if v := resp.Header.Get("X-End"); v != "identity" {
		t.Errorf("and of what is the caller's %q: %v", v, resp.Header)
	}
}

// TestCallersOwnWords has a caller send what is not its own to say.
func TestCallersOwnWords(t *testing.T) {
	names := []string{
		"Authorization", "Proxy-Authorization", "Proxy-Authenticate", "Proxy-Connection", "Proxy-Anything",
		"X-Api-Key", "Api-Key", "Apikey", "X-Goog-Api-Key", "X-Auth-Token", "X-Auth-Key",
		"Private-Token", "Job-Token", "Deploy-Token", "X-Amz-Security-Token", "Cookie", "Cookie2",
		"Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "X-Cluster-Client-Ip", "X-Host", "Cf-Connecting-Ip",
		"Max-Forwards", "X-Forwarded-For", "X-Forwarded-Anything",
	}
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", policy.Attach{Style: policy.AttachQuery, Name: "key"}, allow("GET", "/**"))), nil)
	for _, name := range append(names, "X-Mine") {
		fetch(t, tb.client(t), "GET", "/x/a", nil, name, "mine")
	}
	got := up.requests()
	if len(got) == 0 || got[len(got)-1].header.Get("X-Mine") != "mine" {
		t.Fatalf("what is the caller's does not arrive: %+v", got)
	}
	for _, s := range got[:len(got)-1] {
		for _, name := range names {
			if v, ok := s.header[name]; ok {
				t.Errorf("the upstream is told %s: %q", name, v)
			}
		}
	}
}

// TestNoFinalStatus has upstreams whose answer is no final one.
func TestNoFinalStatus(t *testing.T) {
	for status, line := range map[string]string{"101": "Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket", "600": "Unheard of\r\nContent-Length: 0"} {
		up := oldUpstream(t, func(w http.ResponseWriter, r *http.Request) {
			c, rw, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return
			}
			defer c.Close()
			fmt.Fprintf(rw, "HTTP/1.1 %s %s\r\n\r\n", status, line)
			rw.Flush()
		})
		tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
		if got, rule := say(t, tb.dial(t), "GET /x/a HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n"); got != http.StatusBadGateway || rule != RuleStatus {
			t.Errorf("%s: the caller is told %d by %q, want 502 by %q", status, got, rule, RuleStatus)
		}
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

// openWebSocket is a WebSocket to an upstream that sends the frames and waits.
func openWebSocket(t *testing.T, tb *testBroker) (net.Conn, *bufio.Reader) {
	t.Helper()
	c := tb.dial(t)
	fmt.Fprint(c, "GET /ws/chat HTTP/1.1\r\nHost: b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n!")
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", resp, err)
	}
	return c, r
}

// TestWebSocketIsCut revokes the credential of a WebSocket that is open.
func TestWebSocketIsCut(t *testing.T) {
	done := make(chan struct{})
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		rw.Write(frame(0x81, "hello"))
		rw.Flush()
		<-done
	})
	defer close(done)
	cr := up.credential("ws", policy.Attach{Style: policy.AttachBearer}, allow("GET", "/chat"))
	cr.Route.WebSocket = true
	tb := startBroker(t, policyOf(cr), nil)
	_, r := openWebSocket(t, tb)
	if _, err := io.ReadFull(r, make([]byte, len("\x81\x05hello"))); err != nil {
		t.Fatal(err)
	}
	if err := tb.Revoke("ws"); err != nil {
		t.Fatal(err)
	}
	// The deadline is the test's own, and no cut.
	if n, err := r.ReadByte(); err == nil || os.IsTimeout(err) {
		t.Errorf("what was under way went on: %q %v", n, err)
	}
}

// TestPingStaysShort has a ping that would be longer without the credential than a ping
// may be.
func TestPingStaysShort(t *testing.T) {
	const short = "k3y-8byt"
	up := webSocketUpstream(t, frame(0x89, strings.Repeat("x", 125-len(short))+short), frame(0x81, "y"))
	cr := up.credential("ws", policy.Attach{Style: policy.AttachBearer}, allow("GET", "/chat"))
	cr.Route.WebSocket = true
	tb := startBroker(t, policyOf(cr), func(o *Options) { o.Open = newFixed(short).opener() })
	_, r := openWebSocket(t, tb)
	want := "\x89\x7d" + (strings.Repeat("x", 125-len(short)) + "[redacted]")[:125] + "\x81\x01y"
	if got, err := io.ReadAll(r); err != nil || string(got) != want {
		t.Errorf("%q %v, want %q", got, err, want)
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

// TestRedirectToAPieceOfTheValue has a value of which a URL takes a piece for its host.
func TestRedirectToAPieceOfTheValue(t *testing.T) {
	const value, piece = "sk-real-7qm2vx9p/lw4zt8rb0123", "7qm2vx9p"
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "https://"+r.Header.Get("X-Api-Key"))
		w.WriteHeader(http.StatusFound)
	})
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), func(o *Options) { o.Open = newFixed(value).opener() })
	resp, body := fetch(t, tb.client(t), "GET", "/x/a", nil)
	if resp.StatusCode != http.StatusBadGateway || strings.Contains(body, piece) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	eventually(t, "an outcome", func() bool { return len(tb.ledger.of(ledger.Outcome)) == 1 })
	if e := tb.ledger.of(ledger.Outcome)[0]; strings.Contains(e.Reason, piece) {
		t.Errorf("recorded: %+v", e)
	}
}

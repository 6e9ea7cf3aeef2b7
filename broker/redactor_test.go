package broker

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/tightship-dev/tightship/policy"
)

const (
	otherKey = "sk-other-9aYt3LkQ8vNw2Zx"
	nextKey  = "sk-next-Zz81kQmP04LxTn7c"
)

// echoes is an upstream that streams, after a beginning, one line with the key that
// came with each other request, or with the one before that.
func echoes(t *testing.T) *upstreamServer {
	keys, last := make(chan string, 9), ""
	return newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/x":
			last = r.Header.Get("X-Api-Key")
			keys <- last
			return
		case "/last":
			keys <- last
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: begin\n\n")
		for {
			w.(http.Flusher).Flush()
			select {
			case key := <-keys:
				fmt.Fprintf(w, "data: %s\n\n", key)
			case <-r.Context().Done():
				return
			}
		}
	})
}

// streaming begins a stream and returns what gives its lines, "" at its end.
func streaming(t *testing.T, tb *testBroker, path string) func() string {
	t.Helper()
	c := tb.dial(t)
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: b\r\n\r\n", path)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(resp.Body)
	next := func() string {
		for lines.Scan() {
			if lines.Text() != "" {
				return lines.Text()
			}
		}
		return ""
	}
	if got := next(); got != "data: begin" {
		t.Fatalf("the stream begins with %q", got)
	}
	return next
}

// twoKeys is a broker with two credentials for one upstream.
func twoKeys(t *testing.T, up *upstreamServer) (tb *testBroker, a, b *fixed) {
	a, b = newFixed(realKey), newFixed(otherKey)
	both := policyOf(up.credential("a", apiKey, allow("GET", "/**")), up.credential("b", apiKey, allow("GET", "/**")))
	return startBroker(t, both, func(o *Options) {
		o.Open = func(c policy.Credential, changed func()) (Secret, error) {
			return map[string]*fixed{"a": a, "b": b}[c.Name].open(changed), nil
		}
	}), a, b
}

// A stream has what came over other connections while it lasts: a value that was
// rotated in, another credential's, and one that the policy no longer has.
func TestStreamsEchoOthers(t *testing.T) {
	const redacted = "data: [redacted]"
	up := echoes(t)
	tb, a, _ := twoKeys(t, up)
	c := tb.client(t)
	next := streaming(t, tb, "/a/stream")
	fetch(t, c, "GET", "/a/x", nil)
	if got := next(); got != redacted {
		t.Errorf("its own value: %q", got)
	}
	a.set(nextKey)
	fetch(t, c, "GET", "/a/x", nil)
	if got := next(); got != redacted {
		t.Errorf("a value that was rotated in: %q", got)
	}
	fetch(t, c, "GET", "/b/x", nil)
	if got := next(); got != redacted {
		t.Errorf("another credential's value: %q", got)
	}
	fetch(t, c, "GET", "/a/x", nil)
	if got := next(); got != redacted {
		t.Errorf("its own value, after another credential was used: %q", got)
	}
	fetch(t, c, "GET", "/b/x", nil)
	next()
	if err := tb.Reload(policyOf(up.credential("a", apiKey, allow("GET", "/**")))); err != nil {
		t.Fatal(err)
	}
	fetch(t, c, "GET", "/a/last", nil)
	if got := next(); got != redacted {
		t.Errorf("the value of a credential that is gone: %q", got)
	}
}

// What is under way with a credential ends when it is taken out of the policy.
func TestRemovedCredentialEnds(t *testing.T) {
	up := echoes(t)
	tb, _, _ := twoKeys(t, up)
	ends, stays := streaming(t, tb, "/a/stream"), streaming(t, tb, "/b/stream")
	if err := tb.Reload(policyOf(up.credential("b", apiKey, allow("GET", "/**")))); err != nil {
		t.Fatal(err)
	}
	if got := ends(); got != "" {
		t.Errorf("it goes on: %q", got)
	}
	fetch(t, tb.client(t), "GET", "/b/x", nil)
	if got := stays(); got != "data: [redacted]" {
		t.Errorf("the other one: %q", got)
	}
}

// A frame has a value that came into use after the WebSocket began.
func TestWebSocketRotated(t *testing.T) {
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
		rw.Flush()
		if b, err := rw.ReadByte(); err == nil && b == '!' {
			rw.Write(frame(0x81, nextKey))
			rw.Flush()
		}
	})
	cr := up.credential("ws", policy.Attach{Style: policy.AttachBearer}, allow("GET", "/chat"))
	cr.Route.WebSocket = true
	tb := startBroker(t, policyOf(cr), nil)
	c := tb.dial(t)
	fmt.Fprint(c, "GET /ws/chat HTTP/1.1\r\nHost: b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n")
	r := bufio.NewReader(c)
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	tb.secret.set(nextKey)
	fmt.Fprint(c, "!")
	if got, _ := io.ReadAll(r); string(got) != "\x81\x0a[redacted]" {
		t.Errorf("%q", got)
	}
}

// A value that cannot be looked for is not used, and the others are.
func TestUnfitBesideOthers(t *testing.T) {
	tb, a, b := twoKeys(t, newUpstream(t, nil))
	c := tb.client(t)
	want := func(path string, status int) {
		t.Helper()
		if resp, _ := fetch(t, c, "GET", path, nil); resp.StatusCode != status {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, status)
		}
	}
	want("/a/x", 200)
	a.set("short")
	want("/a/x", 502)
	want("/b/x", 200)
	b.set(nextKey)
	want("/a/x", 502)
	want("/b/x", 200)
	a.set(realKey)
	want("/a/x", 200)
}

// The source of a credential that was never used is closed at once, and of one that
// was when the broker ends.
func TestRetired(t *testing.T) {
	r, err := newRedactor()
	if err != nil {
		t.Fatal(err)
	}
	source := func() (*vault, *counted) {
		s := &counted{}
		v, err := r.open(policy.Credential{}, func(_ policy.Credential, changed func()) (Secret, error) {
			s.opened = newFixed(realKey).open(changed).(*opened)
			return s, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return v, s
	}
	_, kept := source()
	unused, never := source()
	used, once := source()
	if err := used.use(t.Context(), func([]byte) {}); err != nil {
		t.Fatal(err)
	}
	r.retire(unused)
	r.retire(used)
	if kept.closed != 0 || never.closed != 1 || once.closed != 0 {
		t.Errorf("closed: kept %d, unused %d, used %d", kept.closed, never.closed, once.closed)
	}
	if _, n := r.Text(realKey); n != 1 {
		t.Error("the value of the one that was used is not looked for")
	}
	r.close()
	if kept.closed != 1 || never.closed != 1 || once.closed != 1 {
		t.Errorf("closed at the end: kept %d, unused %d, used %d", kept.closed, never.closed, once.closed)
	}
}

type counted struct {
	*opened
	closed int
}

func (c *counted) Close() { c.closed++ }

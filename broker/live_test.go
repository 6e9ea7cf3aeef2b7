package broker

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/broker/front"
	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/policy"
)

// A reload fetches what cannot be seen to change, and nothing else: to fetch an OAuth
// login again is to spend it.
func TestReloadFetches(t *testing.T) {
	for from, fetched := range map[string]bool{"exec:pass show x": true, "keyring:x": true, "env:X": false, "file:x": false, "oauth:x": false} {
		t.Run(from, func(t *testing.T) {
			up := newUpstream(t, nil)
			c := up.credential("x", apiKey, allow("GET", "/a"))
			c.From = from
			p := policyOf(c)
			tb := startBroker(t, p, func(o *Options) { o.Load = func() (*policy.Policy, error) { return p, nil } })
			const next = "sk-next-0123456789abcdef"
			tb.secret.next = next
			if err := tb.ReloadFile(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := realKey
			if fetched {
				want = next
			}
			if resp, err := tb.client(t).Get("http://b/x/a"); err != nil || resp.StatusCode != 200 {
				t.Fatal(resp, err)
			}
			seen := up.requests()
			if got := seen[len(seen)-1].header.Get("X-Api-Key"); got != want {
				t.Errorf("the upstream saw %q, want %q", got, want)
			}
			tb.secret.fail(errors.New("locked"))
			if err := tb.ReloadFile(t.Context()); (err != nil) != fetched || fetched && !strings.Contains(err.Error(), "keeps the value") {
				t.Errorf("with a source that fails: %v", err)
			}
		})
	}
}

// TestReload changes the policy and the value under a connection that stays.
func TestReload(t *testing.T) {
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/a"))), nil)
	c := tb.dial(t)
	r := bufio.NewReader(c)
	ask := func(path string) int {
		t.Helper()
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: b\r\n\r\n", path)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	if s := ask("/x/b"); s != 403 {
		t.Errorf("before: %d", s)
	}
	if err := tb.Reload(policyOf(up.credential("x", apiKey, allow("GET", "/b")))); err != nil {
		t.Fatal(err)
	}
	if a, b := ask("/x/a"), ask("/x/b"); a != 403 || b != 200 {
		t.Errorf("after: %d, %d", a, b)
	}
	const next = "sk-next-0123456789abcdef"
	tb.secret.set(next)
	ask("/x/b")
	seen := up.requests()
	if got := seen[len(seen)-1].header.Get("X-Api-Key"); got != next {
		t.Errorf("the upstream saw %q", got)
	}
	// Networks count at once, and not when a connection that is kept ends.
	elsewhere := up.credential("x", apiKey, allow("GET", "/b"))
	elsewhere.Route.Networks = []string{"10.0.0.0/8"}
	if err := tb.Reload(policyOf(elsewhere)); err != nil {
		t.Fatal(err)
	}
	if s := ask("/x/b"); s != 502 {
		t.Errorf("to a network that is no longer listed: %d", s)
	}
	if err := tb.Reload(policyOf(up.credential("x", apiKey, allow("GET", "/b")))); err != nil {
		t.Fatal(err)
	}
	// A policy that cannot be put to work changes nothing.
	bad := up.credential("x", apiKey, allow("GET", "/c"))
	bad.Route.CA = "/nowhere.pem"
	if err := tb.Reload(policyOf(bad)); !errors.Is(err, ErrCA) {
		t.Errorf("a policy with no CA: %v", err)
	}
	if s := ask("/x/b"); s != 200 {
		t.Errorf("after a bad policy: %d", s)
	}
}

// TestReloadReadsCertificates changes what is in the file of a route's certificates, of
// which the policy says only the name. The credential stays, as to fetch it again can be
// to spend it; the connections that the old certificates vouched for do not.
func TestReloadReadsCertificates(t *testing.T) {
	up := newUpstream(t, nil)
	p := policyOf(up.credential("x", apiKey, allow("GET", "/**")))
	tb := startBroker(t, p, nil)
	reload := func() *live {
		t.Helper()
		if err := tb.Reload(p); err != nil {
			t.Fatal(err)
		}
		if resp, _ := fetch(t, tb.client(t), "GET", "/x/a", nil); resp.StatusCode != 200 {
			t.Errorf("status %d", resp.StatusCode)
		}
		return tb.world.Load().live["x"]
	}
	first := reload()
	if next := reload(); next.transport != first.transport {
		t.Error("the connections are gone, and nothing changed")
	}
	pem, err := os.ReadFile(up.ca)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(up.ca, append([]byte("another\n"), pem...), 0o600); err != nil {
		t.Fatal(err)
	}
	if next := reload(); next.transport == first.transport || next.vault != first.vault {
		t.Errorf("other certificates: the connections stay %v, the credential stays %v", next.transport == first.transport, next.vault == first.vault)
	}
	if err := os.WriteFile(up.ca, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := tb.Reload(p); !errors.Is(err, ErrCA) {
		t.Errorf("no certificates: %v, want %v", err, ErrCA)
	}
}

// TestOldValueIsStillFound has an upstream echo the value before the last one.
func TestOldValueIsStillFound(t *testing.T) {
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "it was "+realKey) })
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/a"))), nil)
	fetch(t, tb.client(t), "GET", "/x/a", nil)
	tb.secret.set("sk-next-0123456789abcdef")
	if _, body := fetch(t, tb.client(t), "GET", "/x/a", nil); strings.Contains(body, realKey) {
		t.Error(body)
	}
}

func TestRevoke(t *testing.T) {
	arrived := make(chan struct{}, 1)
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			arrived <- struct{}{}
			<-r.Context().Done()
		}
	})
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
	cut := make(chan error, 1)
	go func() {
		_, err := tb.client(t).Get("http://b/x/wait")
		cut <- err
	}()
	<-arrived
	if err := tb.Revoke("nobody"); !errors.Is(err, ErrNoCredential) {
		t.Error(err)
	}
	if err := tb.Revoke("x"); err != nil {
		t.Fatal(err)
	}
	// The client gives up by itself after a while, which is no cut.
	if err := <-cut; err == nil || os.IsTimeout(err) {
		t.Errorf("what was under way went on: %v", err)
	}
	resp, body := fetch(t, tb.client(t), "GET", "/x/a", nil)
	if resp.StatusCode != 403 || !strings.Contains(body, RuleRevoked) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	// A change of the policy does not bring it back.
	if err := tb.Reload(policyOf(up.credential("x", apiKey, allow("GET", "/a")))); err != nil {
		t.Fatal(err)
	}
	if resp, _ := fetch(t, tb.client(t), "GET", "/x/a", nil); resp.StatusCode != 403 {
		t.Errorf("after a reload: %d", resp.StatusCode)
	}
	if n := len(up.requests()); n != 1 {
		t.Errorf("%d uses", n)
	}
}

func TestSecretFails(t *testing.T) {
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
	tb.secret.fail(errors.New("the file is gone"))
	resp, body := fetch(t, tb.client(t), "GET", "/x/a", nil)
	if resp.StatusCode != 502 || !strings.Contains(body, RuleSecret) || strings.Contains(body, "the file is gone") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	eventually(t, "the denial is recorded", func() bool { return len(tb.ledger.of(ledger.Denied)) == 1 })
	if d := tb.ledger.of(ledger.Denied); !strings.Contains(d[0].Reason, "the file is gone") {
		t.Errorf("the ledger does not say why: %+v", d)
	}
	// A value that cannot be looked for in answers is not used either.
	tb.secret.fail(nil)
	tb.secret.set("short")
	resp, body = fetch(t, tb.client(t), "GET", "/x/a", nil)
	if resp.StatusCode != 502 || !strings.Contains(body, RuleSecret) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if n := len(up.requests()) + len(tb.ledger.of(ledger.Intent)); n != 0 {
		t.Errorf("%d uses", n)
	}
}

// TestUnfitValueIsForgotten puts a value right that could not be used: the wrong one was
// never sent, and must not keep the right one from being used.
func TestUnfitValueIsForgotten(t *testing.T) {
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Header.Get("X-Api-Key")+" "+realKey) })
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
	fetch(t, tb.client(t), "GET", "/x/a", nil)
	tb.secret.set("short")
	if resp, body := fetch(t, tb.client(t), "GET", "/x/a", nil); resp.StatusCode != 502 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	tb.secret.set("sk-next-0123456789abcdef")
	if resp, body := fetch(t, tb.client(t), "GET", "/x/a", nil); resp.StatusCode != 200 || body != "[redacted] [redacted]" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestReloadsTakeTurns has one reload after the other read the policy, so that the last
// to have read it is the last to put it to work.
func TestReloadsTakeTurns(t *testing.T) {
	up := newUpstream(t, nil)
	p := policyOf(up.credential("x", apiKey, allow("GET", "/a")))
	var reading, most atomic.Int32
	tb := startBroker(t, p, func(o *Options) {
		o.Load = func() (*policy.Policy, error) {
			n := reading.Add(1)
			defer reading.Add(-1)
			for range 1000 {
				n = max(n, reading.Load())
				runtime.Gosched()
			}
			if n > most.Load() {
				most.Store(n)
			}
			return p, nil
		}
	})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := tb.ReloadFile(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := most.Load(); n != 1 {
		t.Errorf("%d read the policy at once", n)
	}
}

func TestLimits(t *testing.T) {
	now := time.Unix(1000, 0)
	u := usage{credential: "x"}
	type use struct{ *front.Exchange }
	begin := func(l policy.Bounds) string {
		if d := u.begin(now, l, &use{}); d != nil {
			if key := "limits." + d.rule + " of the credential x"; !strings.Contains(d.reason, key) {
				t.Errorf("%q does not name %s", d.reason, key)
			}
			return d.rule
		}
		return ""
	}
	rate := policy.Bounds{Rate: policy.Rate{Requests: 2, Per: time.Second}}
	for i, step := range []struct {
		after time.Duration
		l     policy.Bounds
		want  string
	}{
		{0, rate, ""}, {0, rate, ""}, {0, rate, RuleRate}, {400 * time.Millisecond, rate, RuleRate}, {100 * time.Millisecond, rate, ""},
		{0, rate, RuleRate}, {time.Hour, rate, ""}, {0, rate, ""}, {0, rate, RuleRate},
		{0, policy.Bounds{Concurrency: 5}, RuleConcurrency}, {0, policy.Bounds{Concurrency: 6}, ""},
		{0, policy.Bounds{Budget: policy.Budget{Requests: 6}}, RuleBudget}, {0, policy.Bounds{Budget: policy.Budget{Requests: 7}}, ""},
	} {
		now = now.Add(step.after)
		if got := begin(step.l); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
}

// TestLimitsNameWhatToRaise asks once more than is allowed.
func TestLimitsNameWhatToRaise(t *testing.T) {
	up := newUpstream(t, nil)
	c := up.credential("x", apiKey, allow("GET", "/**"))
	c.Limits.Rate = policy.Rate{Requests: 1, Per: time.Hour}
	tb := startBroker(t, policyOf(c), nil)
	fetch(t, tb.client(t), "GET", "/x/a", nil)
	want := "tightship: more than 1 request in 1h0m0s (limits.rate of the credential x)"
	if resp, body := fetch(t, tb.client(t), "GET", "/x/a", nil); resp.StatusCode != 429 || !strings.Contains(body, want) {
		t.Errorf("%d %s, want %q", resp.StatusCode, body, want)
	}
}

// TestOneSandboxDoesNotStarveAnother fills one sandbox's connections.
func TestOneSandboxDoesNotStarveAnother(t *testing.T) {
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), func(o *Options) { o.MaxConns = 3 })
	if _, err := tb.Add("other", os.Getuid()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		tb.dial(t)
	}
	eventually(t, "three connections", func() bool { return tb.conns.Load() == 3 })
	resp, err := http.ReadResponse(bufio.NewReader(tb.dial(t)), nil)
	if err != nil || resp.StatusCode != 503 {
		t.Errorf("the fourth: %v %v", resp, err)
	}
	if resp, body := fetch(t, socketClient(t, tb.paths.socket("other")), "GET", "/x/a", nil); resp.StatusCode != 200 {
		t.Errorf("the other: %d %s", resp.StatusCode, body)
	}
}

func TestSlowSenders(t *testing.T) {
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("POST", "/**"))), func(o *Options) {
		o.Times = front.Times{Idle: time.Minute, Head: 200 * time.Millisecond, Body: 200 * time.Millisecond, Send: time.Minute}
	})
	for rule, sent := range map[string]string{
		"slow-head": "POST /x/a HTTP/1.1\r\nHo",
		"slow-body": "POST /x/a HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\nhel",
	} {
		status, got := say(t, tb.dial(t), sent)
		if status != 408 || got != rule {
			t.Errorf("%s: %d %s", rule, status, got)
		}
	}
	// One that ends in the middle is cut off, and nobody waits for it.
	c := tb.dial(t)
	io.WriteString(c, "POST /x/a HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\nhel")
	c.(interface{ CloseWrite() error }).CloseWrite()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != 400 {
		t.Errorf("%v %v", resp, err)
	}
}

// TestDenialsDoNotFillTheDisk makes a thousand denials.
func TestDenialsDoNotFillTheDisk(t *testing.T) {
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey)), nil)
	c := tb.client(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				fetch(t, c, "GET", "/x/a", nil)
			}
		})
	}
	all.Wait()
	var text strings.Builder
	if err := tb.metrics.write(&text, 1, 0); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), `tightship_broker_requests_total{credential="x",decision="denied",rule="not-allowed",result="denied",code="403"} 400`) {
		t.Errorf("the metrics: %s", text.String())
	}
	if n := len(tb.ledger.of(ledger.Denied)); n < denialBurst || n > 399 {
		t.Errorf("%d records", n)
	}
	d := &denials{tank: bucket{used: denialBurst}, lost: 7}
	if lost, ok := d.admit(time.Now().Add(time.Hour)); !ok || lost != 7 {
		t.Errorf("%d %v", lost, ok)
	}
}

// A fault in one request ends that one's connection, is told without its words, and
// leaves an intent without an outcome.
func TestFaultEndsOneRequest(t *testing.T) {
	up := newUpstream(t, nil)
	notices := make(chan Notice, 9)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), func(o *Options) {
		o.Notify = func(n Notice) {
			if n.What == "request.panicked" {
				notices <- n
			}
		}
	})
	c := tb.dial(t)
	tb.ledger.before = func(e ledger.Entry) {
		if e.Kind == ledger.Intent {
			panic("words with " + realKey)
		}
	}
	fmt.Fprint(c, "GET /x/a HTTP/1.1\r\nHost: b\r\n\r\n")
	if got, err := io.ReadAll(c); err != nil || len(got) > 0 {
		t.Errorf("%q %v", got, err)
	}
	if n := <-notices; n.Sandbox != "box" || !strings.Contains(n.Text, "string") || strings.Contains(n.Text, realKey) {
		t.Errorf("%+v", n)
	}
	tb.ledger.before = nil
	if resp, _ := fetch(t, tb.client(t), "GET", "/x/a", nil); resp.StatusCode != 200 {
		t.Errorf("afterwards: %d", resp.StatusCode)
	}
	eventually(t, "nothing is under way", func() bool { return tb.List()[0].Uses[0].UnderWay == 0 })
}

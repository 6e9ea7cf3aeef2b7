package broker

import (
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/policy"
)

// inside says whether a goroutine is in a function of this package.
func inside(function string) bool {
	buf := make([]byte, 1<<20)
	return strings.Contains(string(buf[:runtime.Stack(buf, true)]), "/broker."+function+"(")
}

// TestRevokedMeanwhile revokes a credential when a request was looked at and is not yet
// counted, so that it is not among those that are cut.
func TestRevokedMeanwhile(t *testing.T) {
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
	u := tb.sandboxes["box"].usage("x")
	u.mu.Lock()
	type answer struct {
		resp *http.Response
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		resp, err := tb.client(t).Get("http://b/x/a")
		answered <- answer{resp, err}
	}()
	eventually(t, "the request is about to be counted", func() bool { return inside("(*usage).begin") })
	tb.gone.add("x") // as Revoke does before it cuts what is counted
	u.mu.Unlock()
	a := <-answered
	if a.err != nil {
		t.Fatal(a.err)
	}
	defer a.resp.Body.Close()
	if n := len(up.requests()); a.resp.StatusCode != http.StatusForbidden || n != 0 {
		t.Errorf("status %d, and %d requests arrived", a.resp.StatusCode, n)
	}
}

// TestUnfitValueIsNotLent has the value change to one that cannot be looked for, after
// it was checked and before it is used.
func TestUnfitValueIsNotLent(t *testing.T) {
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
	v := tb.world.Load().live["x"].vault
	if err := v.check(t.Context()); err != nil {
		t.Fatal(err)
	}
	tb.secret.set("short")
	s, err := v.use(t.Context(), func(b []byte) { t.Errorf("lent %q", b) })
	if s != nil || err == nil {
		t.Errorf("%v %v", s, err)
	}
	// And where there is none at all.
	none := &vault{secret: &opened{fixed: newFixed(realKey), changed: func() {}}}
	if s, err := none.use(t.Context(), func(b []byte) { t.Errorf("lent %q", b) }); s != nil || !errors.Is(err, errNoScan) {
		t.Errorf("%v %v, want %v", s, err, errNoScan)
	}
}

// TestChangeDuringAnswer has the value change in the middle of an answer that holds the
// one before, which is looked for until nobody reads such an answer any more.
func TestChangeDuringAnswer(t *testing.T) {
	goOn := make(chan struct{})
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat("x", 100<<10))
		w.(http.Flusher).Flush()
		select {
		case <-goOn:
			io.WriteString(w, r.Header.Get("X-Api-Key"))
		case <-r.Context().Done():
		}
	})
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
	resp, err := tb.client(t).Get("http://b/x/a")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	tb.secret.mu.Lock()
	tb.secret.value = "sk-next-0123456789abcdef" // and nobody asks for the one before
	tb.secret.mu.Unlock()
	tb.world.Load().live["x"].vault.changed()
	close(goOn)
	body, err := io.ReadAll(resp.Body)
	if err != nil || !strings.HasSuffix(string(body), "[redacted]") {
		t.Errorf("%d bytes that end in %q, %v", len(body), body[max(0, len(body)-40):], err)
	}
}

// idle is a use that does nothing.
type idle struct{ name string }

func (idle) Cancel() {}

// TestEndedUsesAreFree has one use after the other where only one is allowed at once.
func TestEndedUsesAreFree(t *testing.T) {
	var u usage
	one := policy.Bounds{Concurrency: 1}
	for _, name := range []string{"first", "second"} {
		x := &idle{name}
		if d := u.begin(time.Time{}, one, x); d != nil {
			t.Errorf("the %s: %s", name, d.reason)
		}
		if d := u.begin(time.Time{}, one, &idle{}); d == nil || d.rule != RuleConcurrency {
			t.Errorf("beside the %s: %+v", name, d)
		}
		u.end(x)
	}
	if n, underWay := u.counts(); n != 2 || underWay != 0 {
		t.Errorf("%d uses, %d of them under way", n, underWay)
	}
}

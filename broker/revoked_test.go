package broker

import (
	"bufio"
	"errors"
	"fmt"
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

// TestEndedMeanwhile revokes a credential, or takes it out of the policy, when a request
// was looked at and is not yet counted, so that it is not among those that are cut.
func TestEndedMeanwhile(t *testing.T) {
	// Each is what is done before the counted ones are cut.
	for name, end := range map[string]func(b *Broker) error{
		"revoked": func(b *Broker) error { return b.gone.set("x", true) },
		"taken out": func(b *Broker) error {
			w, err := b.newWorld(policyOf(), b.world.Load())
			b.world.Store(w)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			up := newUpstream(t, nil)
			tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), nil)
			c := tb.dial(t)
			u := tb.sandboxes["box"].usage("x")
			u.mu.Lock()
			fmt.Fprint(c, "GET /x/a HTTP/1.1\r\nHost: b\r\n\r\n")
			eventually(t, "the request is about to be counted", func() bool { return inside("(*usage).begin") })
			err := end(tb.Broker)
			u.mu.Unlock()
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if n := len(up.requests()); err != nil || resp.StatusCode != http.StatusForbidden || n != 0 {
				t.Errorf("%v %v, and %d requests arrived", resp, err, n)
			}
		})
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
	if err := v.use(t.Context(), func(b []byte) { t.Errorf("lent %q", b) }); err == nil {
		t.Error("it counts as lent")
	}
	// And one that nobody was told of.
	none := &vault{secret: &opened{fixed: newFixed(realKey), changed: func() {}}}
	if err := none.use(t.Context(), func(b []byte) { t.Errorf("lent %q", b) }); !errors.Is(err, errNotKnown) {
		t.Errorf("%v, want %v", err, errNotKnown)
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

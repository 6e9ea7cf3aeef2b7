package broker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tightship-dev/tightship/ledger"
)

// TestTooLargeToRecord has a push with more refs than a record has room for. What came
// of it is recorded all the same, without them.
func TestTooLargeToRecord(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	l, err := ledger.Open(dir, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey)), func(o *Options) { o.Ledger = l })
	refs := make([]ledger.RefUpdate, 1000)
	for i := range refs {
		refs[i].Ref = fmt.Sprint("refs/heads/", i, strings.Repeat("\x01", 1000))
	}
	tb.later(ledger.Entry{Kind: ledger.Denied, Sandbox: "box", Reason: "because", Refs: refs})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var all []byte
	files, err := os.ReadDir(dir)
	for _, f := range files {
		data, rerr := os.ReadFile(filepath.Join(dir, f.Name()))
		all, err = append(all, data...), errors.Join(err, rerr)
	}
	if err != nil || !strings.Contains(string(all), `"reason":"because (1000 refs are left out`) {
		t.Errorf("the denial is not recorded (%v)", err)
	}
}

// TestRefusedCallersDoNotFillTheLog has somebody else connect again and again.
func TestRefusedCallersDoNotFillTheLog(t *testing.T) {
	up := newUpstream(t, nil)
	var told, refused atomic.Int32
	tb := startBroker(t, policyOf(up.credential("x", apiKey)), func(o *Options) {
		o.attest = func(*session, peer) error { refused.Add(1); return ErrPeer }
		o.Notify = func(n Notice) {
			if n.What == "caller.refused" {
				told.Add(1)
			}
		}
	})
	const callers = 500
	for range callers {
		tb.dial(t).Close()
	}
	eventually(t, "all are refused", func() bool { return refused.Load() == callers })
	tb.quiesce(t)
	if n := told.Load(); n < 1 || n > callers/2 {
		t.Errorf("the operator is told %d times of %d callers", n, callers)
	}
}

// TestContainerOfTheRecord binds a sandbox while somebody connects to it.
func TestContainerOfTheRecord(t *testing.T) {
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), func(o *Options) {
		o.attest = func(s *session, _ peer) error {
			s.sandbox.mu.Lock()
			defer s.sandbox.mu.Unlock()
			s.sandbox.bind.Container = "c0ffee"
			return nil
		}
	})
	fetch(t, tb.client(t), "GET", "/x/a", nil)
	if e := tb.ledger.of(ledger.Intent)[0]; e.Container != "c0ffee" {
		t.Errorf("recorded of the container %q", e.Container)
	}
}

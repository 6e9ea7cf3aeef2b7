package broker

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/policy"
)

// past is a real ledger's records.
func past(dir string) func(uint64, func(ledger.Record)) error {
	return func(from uint64, f func(ledger.Record)) error { return ledger.Each(context.Background(), dir, from, f) }
}

// generation runs a broker over what the ones before it left, as long as f does.
func generation(t *testing.T, dir string, p *policy.Policy, f func(b *Broker)) {
	t.Helper()
	records := filepath.Join(dir, "ledger")
	l, err := ledger.Open(records, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := New(Options{
		Dir: filepath.Join(dir, "s"), Policy: p, Ledger: l, Open: newFixed(realKey).opener(),
		Revoked: records + ".revoked", Past: past(records), attest: func(*session, peer) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.Serve(ctx) }()
	f(b)
	stop()
	if err := errors.Join(<-done, l.Close()); err != nil {
		t.Fatal(err)
	}
}

// A budget is for a sandbox's whole life, of which a restart is no end, and a removal is.
func TestBudgetOutlivesTheBroker(t *testing.T) {
	up := newUpstream(t, nil)
	c := up.credential("x", apiKey, allow("GET", "/**"))
	c.Limits.Budget.Requests = 3
	free := up.credential("free", apiKey, allow("GET", "/**"))
	p, dir := policyOf(c, free), shortDir(t)
	if err := os.Mkdir(filepath.Join(dir, "s"), 0o711); err != nil {
		t.Fatal(err)
	}
	ask := func(b *Broker, path string, want int) {
		t.Helper()
		if resp, _ := fetch(t, socketClient(t, b.paths.socket("box")), "GET", path, nil); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
	generation(t, dir, p, func(b *Broker) {
		for _, name := range []string{"older", "box"} {
			if _, err := b.Add(name, os.Getuid()); err != nil {
				t.Fatal(err)
			}
		}
		ask(b, "/x/a", 200)
		ask(b, "/free/a", 200)
		ask(b, "/x/a", 200)
	})
	generation(t, dir, p, func(b *Broker) {
		ask(b, "/x/a", 200)
		ask(b, "/x/a", 403)
		ask(b, "/free/a", 200)
	})
	generation(t, dir, p, func(b *Broker) {
		ask(b, "/x/a", 403)
		if err := b.Remove("box"); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Add("box", os.Getuid()); err != nil {
			t.Fatal(err)
		}
		if err := b.Bind(t.Context(), "box", Who{Cgroup: "/docker/box"}); err != nil {
			t.Fatal(err)
		}
	})
	generation(t, dir, p, func(b *Broker) { ask(b, "/x/a", 200) })
}

// A revocation lasts until it is taken back, whatever becomes of the broker.
func TestRevocationOutlivesTheBroker(t *testing.T) {
	up := newUpstream(t, nil)
	p, dir := policyOf(up.credential("x", apiKey, allow("GET", "/**"))), shortDir(t)
	if err := os.Mkdir(filepath.Join(dir, "s"), 0o711); err != nil {
		t.Fatal(err)
	}
	generation(t, dir, p, func(b *Broker) {
		if _, err := b.Add("box", os.Getuid()); err != nil {
			t.Fatal(err)
		}
		if err := b.Restore("x"); !errors.Is(err, ErrNoCredential) {
			t.Errorf("of one that is not revoked: %v", err)
		}
		if err := b.Revoke("x"); err != nil {
			t.Fatal(err)
		}
	})
	generation(t, dir, p, func(b *Broker) {
		c := socketClient(t, b.paths.socket("box"))
		if resp, body := fetch(t, c, "GET", "/x/a", nil); resp.StatusCode != http.StatusForbidden || !strings.Contains(body, RuleRevoked) {
			t.Errorf("after a restart: %d %s", resp.StatusCode, body)
		}
		if err := b.Restore("x"); err != nil {
			t.Fatal(err)
		}
		if resp, _ := fetch(t, c, "GET", "/x/a", nil); resp.StatusCode != 200 {
			t.Errorf("taken back: %d", resp.StatusCode)
		}
	})
	generation(t, dir, p, func(b *Broker) {
		if resp, _ := fetch(t, socketClient(t, b.paths.socket("box")), "GET", "/x/a", nil); resp.StatusCode != 200 {
			t.Errorf("taken back, after a restart: %d", resp.StatusCode)
		}
	})
	var events []string
	if err := past(filepath.Join(dir, "ledger"))(0, func(r ledger.Record) {
		if strings.HasPrefix(r.Event, "credential.") {
			events = append(events, r.Event+" "+r.Credential)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(events, ", "); got != "credential.revoked x, credential.restored x" {
		t.Errorf("recorded: %s", got)
	}
}

// A revocation that cannot be kept counts all the same, and says so; and what cannot be
// read starts no broker, which would serve what was revoked.
func TestRevocationFile(t *testing.T) {
	up := newUpstream(t, nil)
	p := policyOf(up.credential("x", apiKey, allow("GET", "/**")))
	dir := t.TempDir()
	tb := startBroker(t, p, func(o *Options) { o.Revoked = filepath.Join(dir, "nowhere", "revoked") })
	if err := tb.Revoke("x"); err == nil || !strings.Contains(err.Error(), "only until") {
		t.Error(err)
	}
	if resp, _ := fetch(t, tb.client(t), "GET", "/x/a", nil); resp.StatusCode != http.StatusForbidden {
		t.Errorf("%d", resp.StatusCode)
	}
	if err := tb.Restore("x"); err == nil || !strings.Contains(err.Error(), "only until") {
		t.Error(err)
	}
	if resp, _ := fetch(t, tb.client(t), "GET", "/x/a", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("taken back: %d", resp.StatusCode)
	}
	var events []string
	for _, e := range tb.ledger.of(ledger.Event) {
		if e.Credential == "x" {
			events = append(events, e.Event)
		}
	}
	if got := strings.Join(events, ", "); got != "credential.revoked, credential.restored" {
		t.Errorf("recorded: %s", got)
	}
	file := filepath.Join(dir, "revoked")
	if err := os.WriteFile(file, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := New(Options{Dir: shortDir(t), Policy: p, Ledger: &memory{}, Open: newFixed(realKey).opener(), Revoked: file})
	if err == nil || !strings.Contains(err.Error(), file) {
		t.Error(err)
	}
}

// A sandbox that nobody can read of is not made.
func TestAddIsRecorded(t *testing.T) {
	tb := startBroker(t, policyOf(), nil)
	tb.ledger.failWith(ledger.ErrBroken)
	if _, err := tb.Add("other", os.Getuid()); !errors.Is(err, ledger.ErrBroken) {
		t.Error(err)
	}
	if len(tb.List()) != 1 {
		t.Error("it is there")
	}
	tb.ledger.failWith(nil)
}

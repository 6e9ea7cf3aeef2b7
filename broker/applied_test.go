package broker

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/policy"
)

// TestLimitsAreApplied has requests that are one too many, each by another limit.
func TestLimitsAreApplied(t *testing.T) {
	for rule, tc := range map[string]struct {
		limits policy.Bounds
		status int
		retry  string
	}{
		RuleRate:   {policy.Bounds{Rate: policy.Rate{Requests: 1, Per: time.Hour}}, http.StatusTooManyRequests, "3601"},
		RuleBudget: {policy.Bounds{Budget: policy.Budget{Requests: 1}}, http.StatusForbidden, ""},
	} {
		up := newUpstream(t, nil)
		cr := up.credential("x", apiKey, allow("GET", "/**"))
		cr.Limits = tc.limits
		tb := startBroker(t, policyOf(cr), nil)
		if resp, _ := fetch(t, tb.client(t), "GET", "/x/a", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: the first: %d", rule, resp.StatusCode)
		}
		resp, body := fetch(t, tb.client(t), "GET", "/x/a", nil)
		if resp.StatusCode != tc.status || !strings.Contains(body, `"rule":"`+rule+`"`) || resp.Header.Get("Retry-After") != tc.retry {
			t.Errorf("%s: the second: %d %v %s", rule, resp.StatusCode, resp.Header, body)
		}
		if n := len(up.requests()); n != 1 {
			t.Errorf("%s: %d requests arrived", rule, n)
		}
	}
}

// TestOneAtOnce has one request after the other, and one beside another.
func TestOneAtOnce(t *testing.T) {
	arrived, goOn := make(chan struct{}), make(chan struct{})
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			arrived <- struct{}{}
			<-goOn
		}
	})
	cr := up.credential("x", apiKey, allow("GET", "/**"))
	cr.Limits = policy.Bounds{Concurrency: 1}
	tb := startBroker(t, policyOf(cr), nil)
	c := tb.dial(t) // whose next request is read when the one before is over
	r := bufio.NewReader(c)
	answered := func() int {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	for i := range 3 {
		fmt.Fprint(c, "GET /x/a HTTP/1.1\r\nHost: b\r\n\r\n")
		if s := answered(); s != http.StatusOK {
			t.Fatalf("number %d after the other: %d", i, s)
		}
	}
	fmt.Fprint(c, "GET /x/wait HTTP/1.1\r\nHost: b\r\n\r\n")
	<-arrived
	resp, body := fetch(t, tb.client(t), "GET", "/x/a", nil)
	close(goOn)
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("beside another: %d %s", resp.StatusCode, body)
	}
	if s := answered(); s != http.StatusOK {
		t.Errorf("the one that was there: %d", s)
	}
}

// TestConnectionsThatEndedAreFree has one connection after the other, where a sandbox
// may have one.
func TestConnectionsThatEndedAreFree(t *testing.T) {
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), func(o *Options) { o.MaxConns = 1 })
	for i := range 3 {
		c := tb.dial(t)
		if status, rule := say(t, c, "GET /x/a HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n"); status != http.StatusOK {
			t.Fatalf("number %d: %d by %q", i, status, rule)
		}
		c.Close()
		tb.sandboxes["box"].settle(t)
	}
}

// settle waits until the sandbox counts no connection.
func (s *sandbox) settle(t *testing.T) {
	t.Helper()
	eventually(t, "no connection counts", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.conns == 0
	})
}

// TestShare has fewer files than connections would be allowed.
func TestShare(t *testing.T) {
	tb := startBroker(t, policyOf(), func(o *Options) { o.MaxConns = 100 })
	if _, err := tb.Add("other", os.Getuid()); err != nil {
		t.Fatal(err)
	}
	for files, want := range map[int]int{1000: 100, 60: 30, 1: 1} {
		tb.files = files
		if got := tb.share(); got != want {
			t.Errorf("of %d files: %d, want %d", files, got, want)
		}
	}
}

// TestRecordsAreShort has a caller choose long words.
func TestRecordsAreShort(t *testing.T) {
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/ok/**"))), nil)
	long := strings.Repeat("a", 3*maxText)
	for _, path := range []string{"/x/", "/x/?", "/x/ok/", "/x/ok/?"} {
		fetch(t, tb.client(t), "GET", path+long, nil)
	}
	all := append(tb.ledger.of(ledger.Denied), tb.ledger.of(ledger.Intent)...)
	if len(all) != 4 {
		t.Errorf("%d records", len(all))
	}
	for _, e := range all {
		if n := len(e.Path) + len(e.Reason); n > 2*(maxText+len("…")) || len(e.Path) > maxText+len("…") {
			t.Errorf("%d bytes: %+v", n, e)
		}
	}
}

// TestValueIsGivenUp takes a credential out of the policy that nothing was sent with, and
// then ends the broker.
func TestValueIsGivenUp(t *testing.T) {
	up := newUpstream(t, nil)
	kept, gone := up.credential("kept", apiKey, allow("GET", "/**")), up.credential("gone", apiKey, allow("GET", "/**"))
	sources := map[string]*counted{"kept": {}, "gone": {}}
	b, err := New(Options{Dir: shortDir(t), Policy: policyOf(kept, gone), Ledger: &memory{},
		Open: func(c policy.Credential, changed func()) (Secret, error) {
			sources[c.Name].opened = newFixed(realKey).open(changed).(*opened)
			return sources[c.Name], nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	err = b.Reload(policyOf(kept))
	if k, g := sources["kept"].closed, sources["gone"].closed; err != nil || k != 0 || g != 1 {
		t.Errorf("%v: closed: kept %d, gone %d", err, k, g)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if k, g := sources["kept"].closed, sources["gone"].closed; k != 1 || g != 1 {
		t.Errorf("closed at the end: kept %d, gone %d", k, g)
	}
	// What was overwritten takes everything for a value.
	if got, _ := b.redactor.Text("harmless"); got != "[redacted]" {
		t.Errorf("values are still looked for at the end, in %q", got)
	}
}

// TestPushRecords looks at what the ledger says of a push, and of one whose pack is none.
func TestPushRecords(t *testing.T) {
	request, err := os.ReadFile("gitwire/testdata/git/create.request")
	if err != nil {
		t.Fatal(err)
	}
	broken := bytes.Replace(request, []byte("PACK"), []byte("PAKC"), 1)
	for name, tc := range map[string]struct {
		request []byte
		rule    string
	}{"whole": {request, "credentials[git].git.repositories: acme/widget"}, "broken": {broken, "git: pack"}} {
		up := newUpstream(t, nil)
		cr := up.credential("git", policy.Attach{Style: policy.AttachBearer})
		cr.Git = &policy.GitAccess{Repositories: []string{"acme/widget"}, Fetch: true, Push: []string{"refs/heads/**"}}
		tb := startBroker(t, policyOf(cr), nil)
		c := tb.client(t)
		resp, body := fetch(t, c, "POST", "/git/acme/widget.git/git-receive-pack", bytes.NewReader(tc.request), "Content-Type", "application/x-git-receive-pack-request")
		if resp.StatusCode != http.StatusOK || strings.Contains(body, "refused by tightship") != (name == "broken") {
			t.Errorf("%s: %d %q", name, resp.StatusCode, body)
		}
		c.CloseIdleConnections()
		tb.quiesce(t)
		for _, kind := range []string{ledger.Intent, ledger.Outcome} {
			all := tb.ledger.of(kind)
			e := all[len(all)-1]
			if len(e.Refs) != 1 || !strings.HasPrefix(e.Refs[0].Ref, "refs/heads/") || e.Refs[0].New == "" {
				t.Errorf("%s: the %s has the refs %+v", name, kind, e.Refs)
			}
			if kind == ledger.Outcome && e.Rule != tc.rule {
				t.Errorf("%s: the outcome is by the rule %q, want %q", name, e.Rule, tc.rule)
			}
		}
	}
}

// TestReloadAttachesAnew changes where a credential goes and how it is attached.
func TestReloadAttachesAnew(t *testing.T) {
	first, second := newUpstream(t, nil), newUpstream(t, nil)
	tb := startBroker(t, policyOf(first.credential("x", apiKey, allow("GET", "/**"))), nil)
	fetch(t, tb.client(t), "GET", "/x/a", nil)
	another := policy.Attach{Style: policy.AttachHeader, Name: "x-token"}
	for _, up := range []*upstreamServer{first, second} { // the one, and then the other
		before := len(up.requests())
		cr := up.credential("x", another, allow("GET", "/**"))
		cr.Route.CA = first.ca // which is of the same certificate, so that nothing else changes
		if err := tb.Reload(policyOf(cr)); err != nil {
			t.Fatal(err)
		}
		fetch(t, tb.client(t), "GET", "/x/a", nil)
		got := up.requests()[before:]
		if len(got) != 1 || got[0].header.Get("X-Token") != realKey || got[0].header.Get("X-Api-Key") != "" {
			t.Errorf("the upstream saw %+v", got)
		}
	}
	// A password is sent in base64, in which it is looked for from then on.
	echo := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, base64.StdEncoding.EncodeToString([]byte(r.Header.Get("Authorization"))))
	})
	for _, style := range []policy.AttachStyle{policy.AttachBearer, policy.AttachBasic} {
		if err := tb.Reload(policyOf(echo.credential("x", policy.Attach{Style: style}, allow("GET", "/**")))); err != nil {
			t.Fatal(err)
		}
		if _, body := fetch(t, tb.client(t), "GET", "/x/a", nil); !strings.Contains(body, "[redacted]") {
			t.Errorf("%v: the caller is told %s", style, body)
		}
	}
}

// TestReloadOpensAnew changes where a value comes from.
func TestReloadOpensAnew(t *testing.T) {
	up := newUpstream(t, nil)
	cr := up.credential("x", apiKey, allow("GET", "/**"))
	tb := startBroker(t, policyOf(cr), func(o *Options) {
		o.Open = func(c policy.Credential, changed func()) (Secret, error) {
			return newFixed("value of " + c.From).open(changed), nil
		}
	})
	for _, from := range []string{"env:x", "env:another", "env:another"} {
		cr.From = from
		if err := tb.Reload(policyOf(cr)); err != nil {
			t.Fatal(err)
		}
		fetch(t, tb.client(t), "GET", "/x/a", nil)
		got := up.requests()
		if v := got[len(got)-1].header.Get("X-Api-Key"); v != "value of "+from {
			t.Errorf("the upstream saw %q, want that of %s", v, from)
		}
	}
}

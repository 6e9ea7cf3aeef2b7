package broker

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/policy"
)

func TestAttach(t *testing.T) {
	for name, tc := range map[string]struct {
		attach policy.Attach
		path   string
		want   func(s seen) bool
	}{
		"header": {apiKey, "/x/v1?a=b", func(s seen) bool { return cmp.Equal(s.header["X-Api-Key"], []string{realKey}) && s.uri == "/v1?a=b" }},
		"bearer": {policy.Attach{Style: policy.AttachBearer}, "/x/v1", func(s seen) bool { return s.header.Get("Authorization") == "Bearer "+realKey }},
		"basic": {policy.Attach{Style: policy.AttachBasic, Name: "me"}, "/x/v1", func(s seen) bool {
			return s.header.Get("Authorization") == "Basic "+base64.StdEncoding.EncodeToString([]byte("me:"+realKey))
		}},
		"query": {policy.Attach{Style: policy.AttachQuery, Name: "key"}, "/x/v1?a=b&KEY=mine&k%65y=mine;x&c=1;key=mine", func(s seen) bool {
			return s.uri == "/v1?a=b&key="+realKey
		}},
	} {
		t.Run(name, func(t *testing.T) {
			up := newUpstream(t, nil)
			tb := startBroker(t, policyOf(up.credential("x", tc.attach, allow("GET", "/v1"))), nil)
			resp, body := fetch(t, tb.client(t), "GET", tc.path, nil, "Authorization", "Bearer mine", "X-Api-Key", "mine",
				"Cookie", "a=b", "X-Forwarded-For", "10.0.0.1", "Accept-Encoding", "gzip")
			if resp.StatusCode != 200 || body != "fine" {
				t.Fatalf("%d %s", resp.StatusCode, body)
			}
			got := up.requests()
			if len(got) != 1 || !tc.want(got[0]) {
				t.Fatalf("the upstream saw %+v", got)
			}
			for _, gone := range []string{"Cookie", "X-Forwarded-For"} {
				if v := got[0].header.Get(gone); v != "" {
					t.Errorf("%s: %s was passed on", gone, v)
				}
			}
			if strings.Contains(fmt.Sprint(got[0]), "mine") {
				t.Errorf("the caller's own credential was passed on: %+v", got[0])
			}
			if enc := got[0].header.Get("Accept-Encoding"); enc != "identity" {
				t.Errorf("Accept-Encoding: %s", enc)
			}
			if got[0].proto != 2 {
				t.Errorf("HTTP/%d to an upstream that speaks 2", got[0].proto)
			}
		})
	}
}

// TestRecordBeforeUse is the package's promise, with its mutation: a ledger that
// answers before it is durable must be noticed.
func TestRecordBeforeUse(t *testing.T) {
	for _, mutated := range []bool{false, true} {
		t.Run(fmt.Sprintf("mutated=%v", mutated), func(t *testing.T) {
			mem := &memory{}
			var early []string
			up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
				if len(mem.of(ledger.Intent)) == 0 {
					early = append(early, r.RequestURI)
				}
			})
			tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), func(o *Options) {
				o.Ledger = mem
				if mutated {
					o.Ledger = &lateLedger{memory: mem, release: make(chan struct{})}
				}
			})
			fetch(t, tb.client(t), "GET", "/x/a", nil)
			if late, ok := tb.o.Ledger.(*lateLedger); ok {
				close(late.release)
			}
			if mutated != (len(early) > 0) {
				t.Errorf("uses without a record: %v", early)
			}
		})
	}
}

func TestLedgerFails(t *testing.T) {
	for name, row := range map[string]struct {
		err  error
		want []string // the notices of three requests, each with two records
	}{
		"broken": {fmt.Errorf("%w: no space left on device", ledger.ErrBroken), []string{"ledger.broken"}},
		"full":   {errors.New("no space left on device"), []string{"ledger.failed", "ledger.failed", "ledger.failed", "ledger.failed", "ledger.failed", "ledger.failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			up := newUpstream(t, nil)
			var mu sync.Mutex
			var notices []string
			tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), func(o *Options) {
				o.Notify = func(n Notice) {
					mu.Lock()
					defer mu.Unlock()
					if strings.HasPrefix(n.What, "ledger.") {
						notices = append(notices, n.What)
						if !strings.Contains(n.Text, row.err.Error()) {
							t.Errorf("%+v does not say %v", n, row.err)
						}
					}
				}
			})
			tb.ledger.failWith(row.err)
			for range 3 {
				// The words of the system may hold paths of the host.
				resp, body := fetch(t, tb.client(t), "GET", "/x/a", nil)
				if resp.StatusCode != 503 || !strings.Contains(body, RuleLedger) || strings.Contains(body, "no space left") {
					t.Errorf("%d %s", resp.StatusCode, body)
				}
			}
			if n := len(up.requests()); n != 0 {
				t.Errorf("%d requests were sent", n)
			}
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(notices, row.want) {
				t.Errorf("the operator is told %v, want %v", notices, row.want)
			}
		})
	}
}

// What is refused is said in the form that a client shows.
func TestRefusalsAreShown(t *testing.T) {
	up := newUpstream(t, nil)
	git := up.credential("git", policy.Attach{Style: policy.AttachBearer})
	git.Git = &policy.GitAccess{Repositories: []string{"acme/widget"}, Fetch: true}
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/a")), git), nil)
	resp, body := fetch(t, tb.client(t), "GET", "/git/acme/widget.git/HEAD", nil)
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != 403 || got != "text/plain; charset=utf-8" || !strings.HasPrefix(body, "tightship: ") || !strings.Contains(body, "the route /git is for git alone") {
		t.Errorf("git: %d %s %s", resp.StatusCode, got, body)
	}
	resp, body = fetch(t, tb.client(t), "GET", "/x/b", nil)
	notice := resp.Header.Get("Npm-Notice")
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != 403 || got != "application/json" || !strings.Contains(notice, "GET /b") || !strings.Contains(body, "GET /b") {
		t.Errorf("others: %d %s %s, npm: %s", resp.StatusCode, got, body, notice)
	}
}

func TestRecords(t *testing.T) {
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "your key is ", r.Header.Get("X-Api-Key")) })
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("POST", "/v1"))), nil)
	c := tb.client(t)
	fetch(t, c, "POST", "/x/v1?secret=word&b", strings.NewReader("hello"))
	fetch(t, c, "GET", "/x/v1", nil)
	var got []ledger.Entry
	eventually(t, "three records", func() bool {
		got = slices.DeleteFunc(tb.ledger.all(), func(e ledger.Entry) bool { return e.Kind == ledger.Event })
		return len(got) == 3
	})
	for i := range got {
		got[i].Latency = 0
		if got[i].Of > 0 {
			got[i].Of = 1 // its number counts the sandbox's event
		}
	}
	want := []ledger.Entry{
		{Kind: "intent", Sandbox: "box", Credential: "x", Route: "/x", Method: "POST", Path: "/v1?secret=…&b", Decision: "allowed", Rule: "credentials[x].allow[0]"},
		{Kind: "outcome", Of: 1, Sandbox: "box", Credential: "x", Route: "/x", Method: "POST", Path: "/v1?secret=…&b", Decision: "allowed", Rule: "credentials[x].allow[0]",
			Status: 200, BytesIn: 5, BytesOut: 22, Redactions: 1},
		{Kind: "denied", Sandbox: "box", Credential: "x", Route: "/x", Method: "GET", Path: "/v1", Decision: "denied", Rule: "not-allowed", Status: 403,
			Reason: "the credential x may not be used for GET /v1"},
	}
	// The outcome and the denial are written by two goroutines.
	if got[1].Kind == "denied" {
		got[1], got[2] = got[2], got[1]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDenialSaysWhatWouldAllow(t *testing.T) {
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/v1"))), nil)
	resp, body := fetch(t, tb.client(t), "DELETE", "/x/v1/models/a", nil)
	want := `{"error":{"type":"tightship_denied","message":"tightship: the credential x may not be used for DELETE /v1/models/a; ` +
		`the line that would allow it, under credentials[x].allow: - {methods: [DELETE], paths: [/v1/models/a]}","denied":"DELETE /x/v1/models/a",` +
		`"rule":"not-allowed","allow_line":"- {methods: [DELETE], paths: [/v1/models/a]}","where":"credentials[x].allow"}}` + "\n"
	if resp.StatusCode != 403 || body != want {
		t.Errorf("%d\n%s\n%s", resp.StatusCode, body, want)
	}
}

// A caller that is refused at the first byte of a long body, and sends all of it before
// it reads, is told why.
func TestRefusedBodyIsReadOut(t *testing.T) {
	tb := startBroker(t, policyOf(newUpstream(t, nil).credential("x", apiKey, allow("POST", "/**"))), nil)
	c := tb.dial(t)
	const size = 8 << 20
	if _, err := fmt.Fprintf(c, "POST /x/a HTTP/1.1\r\nHost: b\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Error(resp, err)
	}
}

// TestBodies sends bodies of all framings both ways, on connections that stay.
func TestBodies(t *testing.T) {
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		n := 0
		fmt.Sscan(r.Header.Get("X-Size"), &n)
		w.Write(bytes.Repeat([]byte("0123456789abcdef"), n/16))
	})
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("POST", "/**"), allow("GET", "/**"))), nil)
	c := tb.client(t)
	for _, size := range []int{0, 16, 4096, small, small + 16, 256 << 10} {
		for _, chunked := range []bool{false, true} {
			body := strings.Repeat("x", size)
			var r io.Reader = strings.NewReader(body)
			if chunked {
				r = io.MultiReader(r) // of unknown length
			}
			resp, got := fetch(t, c, "POST", "/x/a", r, "X-Size", fmt.Sprint(size), "Expect", "100-continue")
			if resp.StatusCode != 200 || len(got) != size/16*16 {
				t.Errorf("%d chunked=%v: status %d, %d bytes", size, chunked, resp.StatusCode, len(got))
			}
			seen := up.requests()
			if s := seen[len(seen)-1].body; s != body {
				t.Errorf("%d chunked=%v: %d bytes arrived", size, chunked, len(s))
			}
		}
	}
	resp, got := fetch(t, c, "POST", "/x/a", io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20+1))))
	if resp.StatusCode != 413 || !strings.Contains(got, "body-size") {
		t.Errorf("beyond the limit: %d %s", resp.StatusCode, got)
	}
}

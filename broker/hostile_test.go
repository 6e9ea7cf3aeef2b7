package broker

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/broker/front"
	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/policy"
)

// row is a line of the corpora in testdata: a name, what is expected, and the bytes.
type row struct{ name, want, raw string }

func corpus(t testing.TB, name string) []row {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for i, line := range strings.Split(string(data), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Fields(line)
		raw, err := strconv.Unquote(line[strings.IndexByte(line, '"'):])
		if err != nil {
			t.Fatalf("%s:%d: %v", name, i+1, err)
		}
		rows = append(rows, row{f[0], f[1], raw})
	}
	return rows
}

// hostilePolicy is what the corpora are about.
func hostilePolicy(up *upstreamServer) *policy.Policy {
	api := up.credential("api", apiKey, allow("POST", "/v1/messages"), allow("GET", "/v1/models/*", "/v1/files/**"))
	admin := up.credential("admin", apiKey, allow("GET", "/x"))
	admin.Route.Listen = "/api/admin"
	pkg := up.credential("pkg", policy.Attach{Style: policy.AttachBearer}, allow("GET", "/@acme%2f*", "/@acme/*"))
	q := up.credential("q", policy.Attach{Style: policy.AttachQuery, Name: "key"}, allow("GET", "/search"))
	return policyOf(api, admin, pkg, q)
}

func TestHostile(t *testing.T) {
	rows := corpus(t, "hostile.txt")
	if len(rows) < 200 {
		t.Errorf("%d rows, want 200 and more", len(rows))
	}
	up := newUpstream(t, nil)
	tb := startBroker(t, hostilePolicy(up), nil)
	covered := map[string]bool{}
	for _, r := range rows {
		covered[r.want] = true
		t.Run(r.name, func(t *testing.T) {
			tb.sandboxes["box"].denials = denials{} // which would leave some out
			before := len(tb.ledger.of(ledger.Denied))
			status, rule := say(t, tb.dial(t), r.raw)
			want, ok := front.Rules[r.want]
			if !ok {
				want = http.StatusForbidden
			}
			if r.want == RuleUpgrade || r.want == RuleEncodedSlash { // by the policy
				want = status
			}
			if status != want || rule != "" && rule != r.want {
				t.Errorf("status %d by rule %q, want %d by %q", status, rule, want, r.want)
			}
			eventually(t, "a record", func() bool { return len(tb.ledger.of(ledger.Denied)) > before })
			if e := tb.ledger.of(ledger.Denied)[before]; e.Rule != r.want || e.Sandbox != "box" {
				t.Errorf("recorded: %+v", e)
			}
			if status < 400 {
				t.Errorf("status %d", status)
			}
		})
	}
	if got := tb.ledger.of(ledger.Intent); len(got) != 0 {
		t.Errorf("%d intents: %+v", len(got), got)
	}
	if got := up.requests(); len(got) != 0 {
		t.Errorf("%d requests reached the upstream: %+v", len(got), got)
	}
	// What takes time has a test of its own.
	for rule := range front.Rules {
		if !covered[rule] && rule != "slow-head" && rule != "slow-body" && rule != "body-ended" {
			t.Errorf("no row is refused by the rule %s", rule)
		}
	}
}

// say sends bytes and reads the answer, and the rule that it names.
func say(t *testing.T, c net.Conn, raw string) (status int, rule string) {
	t.Helper()
	if _, err := io.WriteString(c, raw); err != nil && !strings.Contains(err.Error(), "broken pipe") {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(raw, " ")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if method == "HEAD" {
		return resp.StatusCode, ""
	}
	var p problem
	if err := json.Unmarshal(body, &p); err != nil && resp.StatusCode >= 400 {
		t.Fatalf("%v: %s", err, body)
	}
	return resp.StatusCode, p.Error.Rule
}

func TestBenign(t *testing.T) {
	rows := corpus(t, "benign.txt")
	if len(rows) < 40 {
		t.Errorf("%d rows, want 40 and more", len(rows))
	}
	up := newUpstream(t, nil)
	tb := startBroker(t, hostilePolicy(up), nil)
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			before := len(up.requests())
			c := tb.dial(t)
			if _, err := io.WriteString(c, r.raw); err != nil {
				t.Fatal(err)
			}
			br := bufio.NewReader(c)
			resp, err := http.ReadResponse(br, nil)
			if err == nil && resp.StatusCode == http.StatusContinue {
				resp, err = http.ReadResponse(br, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 200 || string(body) != "fine" {
				t.Fatalf("%d %s %v", resp.StatusCode, body, err)
			}
			got := up.requests()[before:]
			if len(got) != 1 || strings.TrimSuffix(strings.TrimSuffix(got[0].uri, "&key="+realKey), "key="+realKey) != r.want {
				t.Fatalf("the upstream saw %+v, want %s", got, r.want)
			}
			if !strings.Contains(fmt.Sprint(got[0].header, got[0].uri), realKey) {
				t.Errorf("without the credential: %+v", got[0])
			}
		})
	}
}

// TestPipelined sends the whole benign corpus ahead on one connection, with a hostile
// request at its end: each head is looked at, not only a connection's first.
func TestPipelined(t *testing.T) {
	up := newUpstream(t, nil)
	tb := startBroker(t, hostilePolicy(up), nil)
	c := tb.dial(t)
	var all strings.Builder
	n := 0
	for _, r := range corpus(t, "benign.txt") {
		if r.name != "close" && r.name != "post-expect" {
			all.WriteString(r.raw)
			n++
		}
	}
	all.WriteString("GET /api/../x HTTP/1.1\r\nHost: b\r\n\r\n")
	go io.WriteString(c, all.String())
	br := bufio.NewReader(c)
	for i := range n + 1 {
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatalf("answer %d of %d: %v", i+1, n+1, err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: 400, false: 200}[i == n]; resp.StatusCode != want {
			t.Errorf("answer %d: status %d, want %d", i+1, resp.StatusCode, want)
		}
	}
	if got := len(up.requests()); got != n {
		t.Errorf("%d requests reached the upstream, want %d", got, n)
	}
}

package broker

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/secret"
)

// written is the metrics as they are served.
func (tb *testBroker) written(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	if err := tb.writeMetrics(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Broken is what a ledger says of itself.
func (m *memory) Broken() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if errors.Is(m.fail, ledger.ErrBroken) {
		return m.fail
	}
	return nil
}

// TestHealthOfALedger breaks the ledger. An entry that is at fault breaks nothing.
func TestHealthOfALedger(t *testing.T) {
	up := newUpstream(t, nil)
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/a"))), nil)
	control := tb.controlHandler()
	healthz := func() (int, string) {
		w := &answered{header: http.Header{}}
		r, _ := http.NewRequest("GET", "/healthz", nil)
		control.ServeHTTP(w, r)
		return w.status, w.body.String()
	}
	for _, step := range []struct {
		err    error
		status int // of a use
		health int
		says   string
		gauge  string
	}{
		{nil, 200, 200, "ok\n", "0"},
		{fmt.Errorf("%w: it is too long", ledger.ErrEntry), 503, 200, "ok\n", "0"},
		{fmt.Errorf("%w: no space left on device", ledger.ErrBroken), 503, 503, "no space left on device: every use of a credential is refused until the broker is started again\n", "1"},
	} {
		tb.ledger.failWith(step.err)
		if resp, body := fetch(t, tb.client(t), "GET", "/x/a", nil); resp.StatusCode != step.status {
			t.Errorf("%v: %d %s", step.err, resp.StatusCode, body)
		}
		if status, body := healthz(); status != step.health || !strings.HasSuffix(body, step.says) {
			t.Errorf("%v: healthz %d %q", step.err, status, body)
		}
		if line := "\ntightship_broker_ledger_broken " + step.gauge + "\n"; !strings.Contains(tb.written(t), line) {
			t.Errorf("%v: no %q in the metrics", step.err, line)
		}
		if got := tb.Status(t.Context()).Ledger; (got != "") != (step.gauge == "1") {
			t.Errorf("%v: the status says %q", step.err, got)
		}
	}
}

// answered is an answer of the control socket's.
type answered struct {
	header http.Header
	status int
	body   strings.Builder
}

func (a *answered) Header() http.Header { return a.header }
func (a *answered) WriteHeader(s int)   { a.status = s }
func (a *answered) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = 200
	}
	return a.body.Write(p)
}

// TestStatusOfAReload: the policy that is at work is the one before, until a right one
// is read.
func TestStatusOfAReload(t *testing.T) {
	up := newUpstream(t, nil)
	p := policyOf(up.credential("x", apiKey, allow("GET", "/a")))
	var bad error
	tb := startBroker(t, p, func(o *Options) { o.Load = func() (*policy.Policy, error) { return p, bad } })
	for _, err := range []error{nil, errors.New("line 3: no such key\nanother line"), nil} {
		bad = err
		if got := tb.ReloadFile(t.Context()); (got == nil) != (err == nil) {
			t.Fatal(got)
		}
		got, line := tb.Status(t.Context()).Reload, "\ntightship_broker_policy_last_reload_successful 1\n"
		if err != nil {
			line = strings.Replace(line, "1", "0", 1)
			if got == nil || got.Text != err.Error() || got.Time.IsZero() {
				t.Errorf("the status says %+v", got)
			}
		} else if got != nil {
			t.Errorf("all is well, and the status says %+v", got)
		}
		if !strings.Contains(tb.written(t), line) {
			t.Errorf("no %q in the metrics", line)
		}
	}
	// One that reads well and cannot be put to work is no other case.
	wrong := up.credential("x", apiKey, allow("GET", "/a"))
	wrong.Route.CA = "/nowhere.pem"
	p = policyOf(wrong)
	if err := tb.ReloadFile(t.Context()); err == nil || tb.Status(t.Context()).Reload == nil {
		t.Errorf("a policy that cannot be put to work: %v, %+v", err, tb.Status(t.Context()).Reload)
	}
}

// TestStatusOfValues has sources of all sorts, with and without a value.
func TestStatusOfValues(t *testing.T) {
	up := newUpstream(t, nil)
	dir := t.TempDir()
	ran := filepath.Join(dir, "ran")
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("good", realKey, 0o600)
	write("open", realKey, 0o644)
	write("short", "k3y", 0o600)
	from := map[string]string{
		"good": "file:good", "open": "file:open", "short": "file:short", "missing": "file:missing",
		"cmd": "exec:sh -c 'echo " + realKey + " >&2; echo x >>ran; exit 1'", "idle": "exec:touch ran",
	}
	var all []policy.Credential
	for _, name := range []string{"good", "open", "short", "missing", "cmd", "idle"} {
		c := up.credential(name, apiKey, allow("GET", "/a"))
		c.From = from[name]
		all = append(all, c)
	}
	tb := startBroker(t, policyOf(all...), func(o *Options) {
		o.Open = func(c policy.Credential, changed func()) (Secret, error) {
			src, err := secret.Open(c.From, secret.Options{Name: c.Name, BaseDir: dir})
			return secret.NewKeeper(src, secret.KeeperOptions{Changed: changed}), err
		}
	})
	check := func(want map[string][2]string) {
		t.Helper()
		for _, c := range tb.Status(t.Context()).Credentials {
			w, ok := want[c.Name]
			if ok && (c.State != w[0] || !strings.Contains(c.Problem, w[1]) || (w[1] == "") != (c.Problem == "")) {
				t.Errorf("%s: %q, %q; want %q", c.Name, c.State, c.Problem, w)
			}
			if strings.Contains(c.Problem, realKey) || strings.Contains(c.Problem, "k3y") {
				t.Errorf("%s: the value is in %q", c.Name, c.Problem)
			}
		}
	}
	check(map[string][2]string{
		"good": {StateInUse, ""}, "open": {StateNoValue, "others can read or change it"}, "short": {StateNoValue, "cannot be redacted"},
		"missing": {StateNoValue, "there is no such credential"}, "cmd": {StateUnused, ""}, "idle": {StateUnused, ""},
	})
	if _, err := os.Stat(ran); err == nil {
		t.Error("to ask for the status ran a command")
	}
	fetch(t, tb.client(t), "GET", "/cmd/a", nil)
	before, _ := os.ReadFile(ran)
	check(map[string][2]string{"cmd": {StateNoValue, "exit status 1"}})
	if after, _ := os.ReadFile(ran); len(before) == 0 || len(after) != len(before) {
		t.Errorf("the command ran %d times, and then %d", len(before)/2, len(after)/2)
	}
	// A value that was good stays while its source is not.
	write("good", "", 0o600)
	write("missing", realKey, 0o600)
	eventually(t, "the file is looked at again, and the other one is found", func() bool {
		s := map[string]CredentialStatus{}
		for _, c := range tb.Status(t.Context()).Credentials {
			s[c.Name] = c
		}
		return s["good"].State == StateInUse && strings.Contains(s["good"].Problem, "empty") && s["missing"].State == StateInUse && s["missing"].Problem == ""
	})
	if err := tb.Revoke("good"); err != nil {
		t.Fatal(err)
	}
	check(map[string][2]string{"good": {StateRevoked, ""}})
}

// TestMetricsSayWhatCame tells what the upstream answered from what was never answered.
func TestMetricsSayWhatCame(t *testing.T) {
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/401":
			w.WriteHeader(401)
		case "/redirect":
			http.Redirect(w, r, "https://elsewhere.example.com/", http.StatusFound)
		default:
			io.WriteString(w, "fine")
		}
	})
	gone := newUpstream(t, nil)
	gone.Close()
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**")), gone.credential("gone", apiKey, allow("GET", "/**"))), nil)
	for path, want := range map[string]string{
		"/x/200":      `credential="x",decision="allowed",rule="credentials[x].allow[0]",result="answered",code="200"`,
		"/x/401":      `credential="x",decision="allowed",rule="credentials[x].allow[0]",result="answered",code="401"`,
		"/x/redirect": `credential="x",decision="allowed",rule="redirect",result="failed",code="502"`,
		"/gone/a":     `credential="gone",decision="allowed",rule="upstream",result="failed",code="502"`,
		"/nowhere/a":  `credential="",decision="denied",rule="no-route",result="denied",code="403"`,
	} {
		fetch(t, tb.client(t), "GET", path, nil)
		line := "tightship_broker_requests_total{" + want + "} 1\n"
		eventually(t, line, func() bool { return strings.Contains(tb.written(t), line) })
	}
	if k := keyOf(ledger.Entry{Kind: ledger.Outcome, Rule: "credentials[x].allow[0]"}); k.result != resultGone || k.code != "" {
		t.Errorf("nobody waited: %+v", k)
	}
}

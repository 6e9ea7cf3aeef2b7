package broker

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/policy"
)

// realKey is the value that the upstreams here demand and no caller may see.
const realKey = "sk-real-7Qm2vX9pLw4Zt8Rb"

// memory is a ledger that keeps everything in memory.
type memory struct {
	mu      sync.Mutex
	entries []ledger.Entry
	fail    error
	before  func(ledger.Entry) // called before an entry is durable
}

func (m *memory) Append(_ context.Context, e ledger.Entry) (uint64, error) {
	if m.before != nil {
		m.before(e)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return 0, m.fail
	}
	m.entries = append(m.entries, e)
	return uint64(len(m.entries)), nil
}

func (m *memory) Post(e ledger.Entry) error {
	_, err := m.Append(context.Background(), e)
	return err
}

func (m *memory) failWith(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

func (m *memory) all() []ledger.Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]ledger.Entry(nil), m.entries...)
}

// of is the entries of a kind.
func (m *memory) of(kind string) []ledger.Entry {
	var out []ledger.Entry
	for _, e := range m.all() {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// fixed is a secret that can be exchanged.
type fixed struct {
	mu      sync.Mutex
	value   string
	before  []string
	next    string // what Rotate fetches
	err     error
	changed []func()
}

func newFixed(s string) *fixed { return &fixed{value: s} }

func (f *fixed) open(changed func()) Secret {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.changed = append(f.changed, changed)
	return &opened{fixed: f, changed: changed}
}

// opened tells of its first value when that is first asked for, as a Keeper does.
type opened struct {
	*fixed
	changed func()
	told    sync.Once
}

func (o *opened) Use(_ context.Context, f func([]byte)) error {
	o.told.Do(o.changed)
	o.mu.Lock()
	value, err := o.value, o.err
	o.mu.Unlock()
	if err == nil {
		f([]byte(value))
	}
	return err
}

func (f *fixed) Values(g func(...[]byte)) {
	f.mu.Lock()
	all := [][]byte{[]byte(f.value)}
	for _, b := range f.before {
		all = append(all, []byte(b))
	}
	f.mu.Unlock()
	g(all...)
}

func (f *fixed) set(s string) {
	f.mu.Lock()
	f.before, f.value = append(f.before, f.value), s
	f.mu.Unlock()
	for _, changed := range f.changed {
		changed()
	}
}

// Rotate fetches what comes next, if something does.
func (f *fixed) Rotate(context.Context) error {
	f.mu.Lock()
	next, err := f.next, f.err
	f.mu.Unlock()
	if err == nil && next != "" {
		f.set(next)
	}
	return err
}

func (f *fixed) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fixed) Close() {}

// seen is a request as an upstream saw it.
type seen struct {
	method, uri, host, body string
	header                  http.Header
	proto                   int
}

// upstreamServer records what reaches it, and answers with its handler.
type upstreamServer struct {
	*httptest.Server
	ca string

	mu   sync.Mutex
	seen []seen
}

func newUpstream(t testing.TB, h http.HandlerFunc) *upstreamServer {
	t.Helper()
	u := &upstreamServer{}
	if h == nil {
		h = func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "fine") }
	}
	u.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body []byte
		if r.Header.Get("Upgrade") == "" && r.Header.Get("X-Stream") == "" {
			body, _ = io.ReadAll(r.Body)
		}
		u.mu.Lock()
		u.seen = append(u.seen, seen{r.Method, r.RequestURI, r.Host, string(body), r.Header.Clone(), r.ProtoMajor})
		u.mu.Unlock()
		h(w, r)
	}))
	u.EnableHTTP2 = true
	u.Config.ErrorLog = log.New(io.Discard, "", 0) // of callers that are killed
	u.StartTLS()
	t.Cleanup(u.Close)
	u.ca = filepath.Join(t.TempDir(), "ca.pem")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: u.Certificate().Raw})
	if err := os.WriteFile(u.ca, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return u
}

func (u *upstreamServer) requests() []seen {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]seen(nil), u.seen...)
}

// credential is a credential with a route to the upstream.
func (u *upstreamServer) credential(name string, a policy.Attach, allow ...policy.Allow) policy.Credential {
	return policy.Credential{
		Name: name, From: "env:" + name,
		Route:  policy.Route{Listen: "/" + name, Upstream: u.URL, CA: u.ca, Networks: []string{"127.0.0.0/8"}},
		Attach: a, Allow: allow,
		Limits: policy.Bounds{Concurrency: 64, Body: 1 << 20},
	}
}

func allow(method string, paths ...string) policy.Allow {
	return policy.Allow{Methods: []string{method}, Paths: paths}
}

var apiKey = policy.Attach{Style: policy.AttachHeader, Name: "x-api-key"}

func policyOf(cs ...policy.Credential) *policy.Policy {
	p := policy.Default()
	p.Credentials = cs
	return p
}

// testBroker is a broker at work with one sandbox, box.
type testBroker struct {
	*Broker
	ledger  *memory
	gitPort string
	secret  *fixed
}

// startBroker runs a broker until the test ends. Callers are taken as they come,
// unless edit says otherwise.
func startBroker(t testing.TB, p *policy.Policy, edit func(*Options)) *testBroker {
	t.Helper()
	tb := &testBroker{ledger: &memory{}, secret: newFixed(realKey)}
	o := Options{
		Dir: shortDir(t), Policy: p, Ledger: tb.ledger,
		Open:   func(_ policy.Credential, changed func()) (Secret, error) { return tb.secret.open(changed), nil },
		attest: func(*session, peer) error { return nil },
	}
	if edit != nil {
		edit(&o)
	}
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	tb.Broker = b
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if _, err := b.Add("box", os.Getuid()); err != nil {
		t.Fatal(err)
	}
	return tb
}

// shortDir is a directory with a path that leaves room for a socket's.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ts")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (tb *testBroker) socket() string { return tb.paths.socket("box") }

func (tb *testBroker) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", tb.socket())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// client speaks to the sandbox's socket, whatever the URL's host.
func (tb *testBroker) client(t testing.TB) *http.Client { return socketClient(t, tb.socket()) }

func socketClient(t testing.TB, path string) *http.Client {
	tr := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
		DisableCompression: true,
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport:     tr,
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// fetch makes a request and returns the status and the body.
func fetch(t testing.TB, c *http.Client, method, path string, body io.Reader, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, "http://broker"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

// quiesce waits until no connection is left and everything is recorded.
func (tb *testBroker) quiesce(t testing.TB) {
	t.Helper()
	eventually(t, "the connections end", func() bool { return tb.conns.Load() == 0 })
}

// eventually waits for what happens in the background.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// lateLedger is the mutation of every ledger: it answers before the entry is durable.
type lateLedger struct {
	*memory
	release chan struct{}
}

func (l *lateLedger) Append(ctx context.Context, e ledger.Entry) (uint64, error) {
	go func() {
		<-l.release
		_, _ = l.memory.Append(ctx, e)
	}()
	return 1, nil
}

type policyType = policy.Policy

func (f *fixed) opener() func(policy.Credential, func()) (Secret, error) {
	return func(_ policy.Credential, changed func()) (Secret, error) { return f.open(changed), nil }
}

// resident is how much memory the process has, in bytes.
func resident(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip(err)
	}
	var size, pages int
	if _, err := fmt.Sscan(string(data), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

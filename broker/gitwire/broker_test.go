package gitwire

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const (
	upstreamUser     = "x-access-token"
	upstreamPassword = "the-real-credential"
)

// newUpstream serves the bare repositories below root as a real server does: git
// http-backend, behind TLS and a password.
func newUpstream(t *testing.T, root string, http2 bool) *httptest.Server {
	t.Helper()
	backend := &cgi.Handler{
		Path:   filepath.Join(gitExec(t), "git-http-backend"),
		Root:   "/",
		Env:    append(gitEnv(t), "GIT_PROJECT_ROOT="+root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=someone"),
		Stderr: io.Discard,
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != upstreamUser || password != upstreamPassword {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			http.Error(w, "who are you", http.StatusUnauthorized)
			return
		}
		r.TransferEncoding = nil // package cgi refuses chunks, http-backend reads to the end
		backend.ServeHTTP(w, r)
	}))
	s.EnableHTTP2 = http2
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// testBroker is the smallest broker there can be around this package.
type testBroker struct {
	access    Access
	upstream  *url.URL
	transport http.RoundTripper
	ask       bool               // ask the server about what a pack doesn't tell
	inspect   func(i *Inspector) // for mutations
	record    func(request, response []byte)
	copy      func(i *Inspector, dst io.Writer, src io.Reader) error

	mu      sync.Mutex
	pushes  []Decision
	results []map[string]Result
	calls   []string
	refused []error
}

// newBroker returns a broker before the upstream, and the URL that clients use.
func newBroker(t *testing.T, upstream *httptest.Server, a Access) (*testBroker, string) {
	t.Helper()
	to, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := upstream.Client().Transport.(*http.Transport).Clone()
	transport.DisableCompression = true
	transport.TLSClientConfig = &tls.Config{RootCAs: transport.TLSClientConfig.RootCAs}
	t.Cleanup(transport.CloseIdleConnections)
	b := &testBroker{access: a, upstream: to, transport: attach{transport}}
	s := httptest.NewServer(b)
	t.Cleanup(s.Close)
	return b, s.URL
}

// attach adds the credential.
type attach struct{ next http.RoundTripper }

func (a attach) RoundTrip(r *http.Request) (*http.Response, error) {
	r.SetBasicAuth(upstreamUser, upstreamPassword)
	return a.next.RoundTrip(r)
}

func (b *testBroker) note(call string, refused error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, call)
	if refused != nil {
		b.refused = append(b.refused, refused)
	}
}

func (b *testBroker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call, err := Classify(r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Get("Content-Type"))
	if err != nil {
		b.note("refused", err)
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	version, err := Protocol(r.Header.Values("Git-Protocol"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	if v := b.access.Call(call); !v.Allowed {
		contentType, body := RefuseCall(call, version, b.access.Name, v)
		send(w, r, contentType, body)
		return
	}
	b.note(r.Method+" "+string(call.Service)+" "+r.Header.Get("Content-Encoding")+" "+r.Header.Get("Git-Protocol"), nil)
	if call.Advertise || call.Service == UploadPack {
		proxy := &httputil.ReverseProxy{Transport: b.transport, FlushInterval: -1, Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(b.upstream) }}
		proxy.ServeHTTP(w, r)
		return
	}
	b.push(w, r, call)
}

// send answers a request whose body nobody wants, once the client has sent it all.
func send(w http.ResponseWriter, r *http.Request, contentType string, body []byte) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(body)
}

// recorder keeps what goes by.
type recorder struct {
	http.ResponseWriter
	out bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.out.Write(p)
	return r.ResponseWriter.Write(p)
}

func (b *testBroker) push(w http.ResponseWriter, r *http.Request, call Call) {
	if b.record != nil {
		var in bytes.Buffer
		out := &recorder{ResponseWriter: w}
		r.Body = io.NopCloser(io.TeeReader(r.Body, &in))
		w = out
		defer func() { b.record(in.Bytes(), out.out.Bytes()) }()
	}
	in, err := Body(r.Body, r.Header.Get("Content-Encoding"), 0)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p, err := ReadCommands(in, DefaultLimits())
	if err != nil {
		b.note("unreadable", err)
		contentType, body := Unreadable(p, err)
		send(w, r, contentType, body)
		return
	}
	var d Decision
	if !p.Probe {
		d = b.access.Decide(p)
		if !d.Allowed() {
			b.keep(d, nil)
			contentType, body := Refusal(p, d)
			send(w, r, contentType, body)
			return
		}
	}
	i := &Inspector{Format: p.Capabilities.Format, Limits: DefaultLimits(), Ask: d.Ask()}
	if b.ask {
		i.Server = &Upstream{Transport: b.transport, URL: b.upstream.String() + "/" + call.Repository + ".git", Format: i.Format, Limits: i.Limits, Bytes: 1 << 30}
	}
	if b.inspect != nil {
		b.inspect(i)
	}
	pr, pw := io.Pipe()
	copied := make(chan error, 1)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		_, err := pw.Write(p.Head)
		switch {
		case err != nil:
		case !p.HasPack():
		case b.copy != nil:
			err = b.copy(i, pw, p.Rest)
		default:
			err = i.Copy(ctx, pw, p.Rest)
		}
		copied <- err
		pw.CloseWithError(err) // nil is the end
	}()
	out, err := http.NewRequestWithContext(ctx, "POST", b.upstream.String()+r.URL.Path, pr)
	if err != nil {
		panic(err)
	}
	out.Header.Set("Content-Type", r.Header.Get("Content-Type"))
	for _, v := range r.Header.Values("Git-Protocol") {
		out.Header.Add("Git-Protocol", v)
	}
	response, err := b.transport.RoundTrip(out)
	if err != nil {
		pr.CloseWithError(err)
		stopped := <-copied
		var force *ForceError
		if errors.As(stopped, &force) {
			d = d.Settle(force.Answers)
			b.keep(d, nil)
			if force.Err != nil {
				b.note("server", force.Err)
			}
			contentType, body := Refusal(p, d)
			send(w, r, contentType, body)
			return
		}
		if errors.Is(stopped, ErrPack) {
			b.note("pack", stopped)
			contentType, body := Unreadable(p, stopped)
			send(w, r, contentType, body)
			return
		}
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	w.Header().Set("Content-Type", response.Header.Get("Content-Type"))
	w.WriteHeader(response.StatusCode)
	report := NewReport(p)
	_, _ = io.Copy(io.MultiWriter(w, report), response.Body)
	results, _ := report.Results()
	b.keep(d, results)
}

func (b *testBroker) keep(d Decision, results map[string]Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pushes = append(b.pushes, d)
	b.results = append(b.results, results)
}

// last is the last push, and what the server said.
func (b *testBroker) last(t *testing.T) (Decision, map[string]Result) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pushes) == 0 {
		t.Fatal("the broker saw no push")
	}
	return b.pushes[len(b.pushes)-1], b.results[len(b.results)-1]
}

func (b *testBroker) seen(want string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.calls {
		if strings.Contains(c, want) {
			return true
		}
	}
	return false
}

func gitExec(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// gitEnv keeps the machine's own configuration out.
func gitEnv(t *testing.T) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com",
		"GIT_AUTHOR_DATE=1700000000 +0000", "GIT_COMMITTER_DATE=1700000000 +0000",
		"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=init.defaultBranch", "GIT_CONFIG_VALUE_0=main", "GIT_CONFIG_KEY_1=gc.auto", "GIT_CONFIG_VALUE_1=0",
	}
}

package broker

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/broker/forward"
	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/policy"
)

// port forwards a loopback port to the sandbox's socket, as the guest does.
func (tb *testBroker) port(t *testing.T) string {
	t.Helper()
	l, err := forward.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- forward.Serve(ctx, l, tb.socket()) }()
	t.Cleanup(func() { cancel(); <-done })
	return l.Addr().String()
}

// demanding lets nobody in without the real credential, however it is attached.
func demanding(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		if r.Header.Get("X-Api-Key") != realKey && r.Header.Get("Authorization") != "Bearer "+realKey && password != realKey {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			http.Error(w, `{"error":"who are you"}`, http.StatusUnauthorized)
			return
		}
		h(w, r)
	}
}

// program runs a client with a clean environment.
func program(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = t.TempDir()
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.Dir, "NO_COLOR=1"}, env...)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
	if bytes.Contains(out, []byte(realKey)) {
		t.Errorf("%s saw the credential: %s", name, out)
	}
	return string(out)
}

// venv is a Python with packages from PyPI.
func venv(t *testing.T, packages ...string) string {
	t.Helper()
	e2e(t, "python3")
	dir := t.TempDir()
	if out, err := run(t, "python3", "-m", "venv", dir); err != nil {
		t.Skip(out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, filepath.Join(dir, "bin/pip"), append([]string{"install", "-q"}, packages...)...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Skipf("PyPI: %v: %s", err, out)
	}
	return filepath.Join(dir, "bin/python")
}

func events(w http.ResponseWriter, all ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, e := range all {
		io.WriteString(w, e+"\n\n")
		w.(http.Flusher).Flush()
	}
}

func TestCurl(t *testing.T) {
	e2e(t, "curl")
	up := newUpstream(t, demanding(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Method, " your key is ", r.Header.Get("X-Api-Key"))
	}))
	tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("POST", "/v1"))), nil)
	got := program(t, nil, "curl", "-sS", "--unix-socket", tb.socket(), "-d", strings.Repeat("x", 5000), "http://broker/x/v1")
	if got != "POST your key is [redacted]" {
		t.Error(got)
	}
	got = program(t, nil, "curl", "-sS", "--unix-socket", tb.socket(), "-X", "DELETE", "http://broker/x/v1")
	if !strings.Contains(got, `"allow_line":"- {methods: [DELETE], paths: [/v1]}"`) {
		t.Error(got)
	}
}

func TestSDKs(t *testing.T) {
	python := venv(t, "anthropic", "openai")
	up := newUpstream(t, demanding(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/messages":
			events(w,
				`event: message_start`+"\n"+`data: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}}`,
				`event: content_block_start`+"\n"+`data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
				`event: content_block_delta`+"\n"+`data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello from the stand-in"}}`,
				`event: content_block_stop`+"\n"+`data: {"type":"content_block_stop","index":0}`,
				`event: message_delta`+"\n"+`data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":5}}`,
				`event: message_stop`+"\n"+`data: {"type":"message_stop"}`)
		case "/v1/chat/completions":
			events(w, `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"hello too"},"finish_reason":null}]}`, `data: [DONE]`)
		}
	}))
	openai := up.credential("openai", policy.Attach{Style: policy.AttachBearer}, allow("POST", "/v1/chat/completions"))
	tb := startBroker(t, policyOf(up.credential("anthropic", apiKey, allow("POST", "/v1/messages")), openai), nil)
	port := tb.port(t)
	env := []string{
		"ANTHROPIC_BASE_URL=http://" + port + "/anthropic", "ANTHROPIC_API_KEY=placeholder",
		"OPENAI_BASE_URL=http://" + port + "/openai/v1", "OPENAI_API_KEY=placeholder",
	}
	got := program(t, env, python, "-c", `
import anthropic, openai
with anthropic.Anthropic().messages.stream(model="m", max_tokens=5, messages=[{"role": "user", "content": "hi"}]) as s:
    print("".join(s.text_stream))
print("".join(c.choices[0].delta.content or "" for c in openai.OpenAI().chat.completions.create(model="m", stream=True, messages=[{"role": "user", "content": "hi"}])))
try:
    anthropic.Anthropic().models.list()
except anthropic.PermissionDeniedError as e:
    print(e.message)
`)
	for _, want := range []string{"hello from the stand-in\n", "hello too\n", "- {methods: [GET], paths: [/v1/models]}"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
}

func TestPip(t *testing.T) {
	python := venv(t, "pip")
	var wheel bytes.Buffer
	z := zip.NewWriter(&wheel)
	for name, text := range map[string]string{
		"demo_private.py":                     "word = 'installed'\n",
		"demo_private-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: demo-private\nVersion: 1.0\n",
		"demo_private-1.0.dist-info/WHEEL":    "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		"demo_private-1.0.dist-info/RECORD":   "",
	} {
		f, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, text)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	up := newUpstream(t, demanding(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".whl") {
			w.Write(wheel.Bytes())
			return
		}
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, `<a href="../../files/demo_private-1.0-py3-none-any.whl">demo_private-1.0-py3-none-any.whl</a>`)
	}))
	cr := up.credential("pypi", policy.Attach{Style: policy.AttachBasic, Name: "me"}, allow("GET", "/simple/*/", "/files/*"))
	tb := startBroker(t, policyOf(cr), nil)
	program(t, nil, python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-cache-dir", "--index-url", "http://"+tb.port(t)+"/pypi/simple/", "demo-private")
	if got := program(t, nil, python, "-c", "import demo_private; print(demo_private.word)"); got != "installed\n" {
		t.Error(got)
	}
}

func TestNpm(t *testing.T) {
	e2e(t, "npm")
	var ball bytes.Buffer
	z := gzip.NewWriter(&ball)
	tw := tar.NewWriter(z)
	manifest := `{"name":"@acme/widget","version":"1.0.0"}`
	if err := tw.WriteHeader(&tar.Header{Name: "package/package.json", Mode: 0o644, Size: int64(len(manifest))}); err != nil {
		t.Fatal(err)
	}
	io.WriteString(tw, manifest)
	tw.Close()
	z.Close()
	sum := sha512.Sum512(ball.Bytes())
	published := make(chan string, 1)
	var up *upstreamServer
	var base string
	up = newUpstream(t, demanding(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == "PUT":
			published <- r.RequestURI
			w.WriteHeader(201)
			io.WriteString(w, "{}")
		case strings.HasSuffix(r.URL.Path, ".tgz"):
			w.Write(ball.Bytes())
		default:
			_ = json.NewEncoder(w).Encode(map[string]any{
				"name": "@acme/widget", "dist-tags": map[string]string{"latest": "1.0.0"},
				"versions": map[string]any{"1.0.0": map[string]any{"name": "@acme/widget", "version": "1.0.0", "dist": map[string]string{
					"tarball": base + "/@acme/widget/-/widget-1.0.0.tgz", "integrity": "sha512-" + base64.StdEncoding.EncodeToString(sum[:]),
				}}},
			})
		}
	}))
	cr := up.credential("npm", policy.Attach{Style: policy.AttachBearer},
		allow("GET", "/@acme%2f*", "/@acme/*/-/*"), allow("PUT", "/@acme%2f*"))
	tb := startBroker(t, policyOf(cr), nil)
	registry := "http://" + tb.port(t) + "/npm"
	base = registry
	dir := t.TempDir()
	npm := func(args ...string) {
		t.Helper()
		conf := "registry=" + registry + "/\n//" + strings.TrimPrefix(registry, "http://") + "/:_authToken=placeholder\naudit=false\nfund=false\nupdate-notifier=false\nfetch-retries=0\n"
		if err := os.WriteFile(filepath.Join(dir, ".npmrc"), []byte(conf), 0o600); err != nil {
			t.Fatal(err)
		}
		program(t, nil, "npm", append(args, "--prefix", dir, "--userconfig", filepath.Join(dir, ".npmrc"), "--cache", filepath.Join(dir, "cache"))...)
	}
	npm("install", "@acme/widget")
	if out, err := run(t, "npm", "install", "other", "--prefix", dir, "--userconfig", filepath.Join(dir, ".npmrc"), "--cache", filepath.Join(dir, "cache")); err == nil || !strings.Contains(out, "npm notice tightship: ") {
		t.Errorf("a package that is not allowed: %v: %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules/@acme/widget/package.json")); err != nil {
		t.Error(err)
	}
	pkg := t.TempDir()
	if err := os.WriteFile(filepath.Join(pkg, "package.json"), []byte(`{"name":"@acme/widget","version":"2.0.0"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	npm("publish", pkg)
	if got := <-published; got != "/@acme%2fwidget" {
		t.Error(got)
	}
}

// told is the policy with which a container is told of a credential, whose upstream is
// github.com to it.
func told(c policy.Credential) *policy.Policy {
	c.Route.Upstream = "https://github.com"
	return policyOf(c)
}

func TestGit(t *testing.T) {
	e2e(t, "git")
	execPath, err := run(t, "git", "--exec-path")
	if err != nil {
		t.Fatal(err)
	}
	root, work := t.TempDir(), t.TempDir()
	up := newUpstream(t, nil)
	up.Config.Handler = demanding(func(w http.ResponseWriter, r *http.Request) {
		r.TransferEncoding = nil
		(&cgi.Handler{
			Path: filepath.Join(execPath, "git-http-backend"), Root: "/", Stderr: io.Discard,
			Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=x", "HOME=" + root, "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"},
		}).ServeHTTP(w, r)
	})
	cr := up.credential("git", policy.Attach{Style: policy.AttachBasic, Name: "x-access-token"})
	cr.Limits.Body = 0
	cr.Git = &policy.GitAccess{Repositories: []string{"acme/widget"}, Fetch: true, Push: []string{"refs/heads/agent/*"}}
	tb := startBroker(t, policyOf(cr), nil)
	git := func(args ...string) (string, error) {
		c := exec.Command("git", args...)
		c.Dir = work
		c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + work, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b"}
		if tb.gitPort != "" {
			_, port, _ := strings.Cut(tb.gitPort, ":")
			n, err := strconv.Atoi(port)
			if err != nil {
				t.Fatal(err)
			}
			c.Env = append(c.Env, told(cr).Variables(n)...)
		}
		out, err := c.CombinedOutput()
		return string(out), err
	}
	tb.gitPort = tb.port(t)
	must := func(args ...string) {
		t.Helper()
		if out, err := git(args...); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	must("init", "-q", "--bare", "-b", "main", root+"/acme/widget.git")
	must("init", "-q", "-b", "main", "seed")
	must("-C", "seed", "commit", "-q", "--allow-empty", "-m", "first")
	must("-C", "seed", "push", "-q", root+"/acme/widget.git", "main")
	must("clone", "-q", "https://github.com/acme/widget.git", "clone")
	must("-C", "clone", "commit", "-q", "--allow-empty", "-m", "second")
	must("-C", "clone", "push", "-q", "origin", "HEAD:refs/heads/agent/one")
	for want, args := range map[string][]string{
		"refs/heads/agent": {"-C", "clone", "push", "origin", "HEAD:refs/heads/main"},
		"force":            {"-C", "clone", "push", "origin", "+HEAD~1:refs/heads/agent/one"},
		"delete":           {"-C", "clone", "push", "origin", ":refs/heads/agent/one"},
		"acme/other":       {"clone", "https://github.com/acme/other.git"},
	} {
		if out, err := git(args...); err == nil || !strings.Contains(out, want) {
			t.Errorf("git %v: %v: %s", args, err, out)
		}
	}
	if err := tb.Revoke("git"); err != nil {
		t.Fatal(err)
	}
	if out, err := git("-C", "clone", "fetch"); err == nil || !strings.Contains(out, "remote: tightship: the credential git was revoked") {
		t.Errorf("after the revocation: %v: %s", err, out)
	}
	var refs []ledger.RefUpdate
	for _, e := range tb.ledger.of(ledger.Outcome) {
		if e.Reason == "" {
			refs = append(refs, e.Refs...)
		}
	}
	if len(refs) != 1 || refs[0].Ref != "refs/heads/agent/one" || len(refs[0].New) != 40 {
		t.Errorf("recorded: %+v", refs)
	}
}

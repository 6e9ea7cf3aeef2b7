package test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/test/upstream"
)

// port is the forwarder's in the container.
const port = "8080"

// clients is what scripts/setup.sh clients makes.
const clients = "../bin/clients"

// brokerWorld is a broker with an upstream of each kind, and a hardened container that
// has nothing but its socket.
type brokerWorld struct {
	whole   *testing.T // the whole test
	t       *testing.T // the part that is at work
	runtime string
	program string
	dir     string // of everything outside of the container
	name    string // of the sandbox
	mount   string // the socket's directory
	id      string // the container

	servers map[string]*upstream.Server // by credential
	values  map[string]string           // the credentials' values
	npm     *upstream.NPM
	claude  *upstream.Anthropic
	held    *atomic.Bool   // whether streams of claude stop after their first word
	pace    chan struct{}  // lets a held stream go on, a word each
	direct  map[string]int // uses by the test itself, past the broker
	lost    map[string]int // uses that were under way when the broker was killed

	broker *process
	ended  []*process // brokers that were before
	decoys map[string]string
}

// credential is a part of the policy: a name, how it is attached, and what it allows.
type credential struct {
	name, attach, more string
	demand             func(value string) upstream.Demand
}

var credentials = []credential{
	{"anthropic", "{header: x-api-key}", `allow: [{methods: [HEAD], paths: [/]}, {methods: [POST], paths: [/v1/messages, /v1/messages/count_tokens]}, ECHO]`,
		func(v string) upstream.Demand { return upstream.Header("x-api-key", v) }},
	{"openai", "bearer", `allow: [{methods: [POST], paths: [/v1/chat/completions]}, ECHO]`, upstream.Bearer},
	{"npm", "bearer", `allow: [{methods: [GET], paths: ["/**"]}, {methods: [PUT], paths: [/tightship-own]}]`, upstream.Bearer},
	{"pypi", "{basic: reader}", `allow: [{methods: [GET], paths: ["/simple/**", "/files/*"]}, ECHO]`,
		func(v string) upstream.Demand { return upstream.Basic("reader", v) }},
	{"git", "{basic: x-access-token}", `git: {repositories: [acme/widget], push: ["refs/heads/agent/*"]}`,
		func(v string) upstream.Demand { return upstream.Basic("x-access-token", v) }},
	{"socket", "bearer", `allow: [{methods: [GET], paths: [/chat]}]`, upstream.Bearer},
	{"search", "{query: key}", `allow: [{methods: [GET], paths: [/find]}, ECHO]`,
		func(v string) upstream.Demand { return upstream.Query("key", v) }},
}

// echoLine allows what only the tests of reflection ask for.
const echoLine = "{methods: [GET, POST], paths: [" + upstream.EchoPath + "]}"

func needsBroker(t *testing.T, runtime string) {
	t.Helper()
	lane(t)
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: the socket's owner is another user, which takes root")
	}
	if _, err := os.Stat(clients + "/curl/curl"); err != nil {
		t.Skip("SKIPPED: no clients: scripts/setup.sh clients gets them")
	}
	known, err := docker("info", "--format", "{{range $name, $_ := .Runtimes}}{{$name}} {{end}}")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(strings.Fields(known), runtime) {
		t.Skipf("SKIPPED: the engine has no runtime %s: `make build` and scripts/setup.sh engine register it", runtime)
	}
}

// buildDump builds the program that reads everything in the container, once.
var buildDump = sync.OnceValue(func() error {
	return build(filepath.Join(bin, "dump"), "./testdata/broker/dump", "")
})

// newBrokerWorld starts everything; program is which tightship serves.
func newBrokerWorld(t *testing.T, runtime, program string) *brokerWorld {
	t.Helper()
	// Not t.TempDir: a socket's path has 107 bytes at most.
	dir, err := os.MkdirTemp("", "tsb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := buildDump(); err != nil {
		t.Fatal(err)
	}
	w := &brokerWorld{
		whole: t, t: t, runtime: runtime, program: program, dir: dir, servers: map[string]*upstream.Server{}, values: map[string]string{},
		held: &atomic.Bool{}, pace: make(chan struct{}), direct: map[string]int{}, lost: map[string]int{}, decoys: map[string]string{},
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	w.name = "sandbox-" + w.decoy("the broker's log")
	w.upstreams()
	w.write("tightship.yaml", w.policy(true))
	w.serve()
	w.mount = strings.TrimSpace(w.must("broker", "sandbox", "add", "--state", w.path("run"), w.name))
	w.id = w.container()
	w.must("broker", "sandbox", "bind", "--state", w.path("run"), w.name, "--container", w.id)
	if _, err := docker("start", w.id); err != nil {
		t.Fatal(err)
	}
	w.forward()
	return w
}

func (w *brokerWorld) path(elem ...string) string {
	return filepath.Join(append([]string{w.dir}, elem...)...)
}

func (w *brokerWorld) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// decoy makes a value that is planted where the search must find it.
func (w *brokerWorld) decoy(where string) string {
	b := make([]byte, 12)
	_, _ = rand.Read(b)
	w.decoys[where] = hex.EncodeToString(b)
	return w.decoys[where]
}

// upstreams starts a stand-in for every credential, each with a value of its own.
func (w *brokerWorld) upstreams() {
	t := w.t
	t.Helper()
	var err error
	w.claude = &upstream.Anthropic{Words: []string{"Hello", " from", " upstream"}, Pace: func(ctx context.Context, _ int) error {
		if !w.held.Load() {
			return nil
		}
		select {
		case <-w.pace:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	if w.npm, err = upstream.NewNPM("tightship-demo", "the package's text"); err != nil {
		t.Fatal(err)
	}
	index, err := upstream.PyPI("tightship_demo", "the wheel's text")
	if err != nil {
		t.Fatal(err)
	}
	repositories, err := upstream.Git(w.repositories())
	if err != nil {
		t.Skip("SKIPPED:", err)
	}
	handlers := map[string]http.Handler{
		"anthropic": w.claude, "openai": upstream.OpenAI("Hello", " from", " upstream"), "npm": w.npm, "pypi": index,
		"git": repositories, "socket": upstream.WebSocket(),
		"search": http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { fmt.Fprintln(rw, "found", r.URL.Query().Get("q")) }),
	}
	for _, c := range credentials {
		w.values[c.name] = newValue()
		s, err := upstream.Start(c.demand(w.values[c.name]), handlers[c.name])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		w.servers[c.name] = s
		w.write(c.name+".pem", string(s.CA))
		w.write(c.name+".secret", w.values[c.name]+"\n")
	}
}

// newValue is a credential of no other. The characters at its end are written in
// another way in most renderings.
func newValue() string { return "ts" + strings.ToLower(rand.Text()) + "/+=" }

// policy is the file; without the credential openai if that is not wanted.
func (w *brokerWorld) policy(withOpenAI bool) string {
	var b strings.Builder
	b.WriteString("credentials:\n")
	for i, c := range credentials {
		if c.name == "openai" && !withOpenAI {
			continue
		}
		// A source of each kind that needs nothing else.
		from := "file:" + w.path(c.name+".secret")
		switch i {
		case 0:
			from = "exec:cat " + w.path(c.name+".secret")
		case 1:
			from = "env:E2E_" + strings.ToUpper(c.name)
		}
		web := ""
		if c.name == "socket" {
			web = ", websocket: true"
		}
		fmt.Fprintf(&b, "  - name: %s\n    from: %s\n    route: {listen: /%s, upstream: %q, ca: %s.pem, networks: [127.0.0.0/8]%s}\n    attach: %s\n    %s\n",
			c.name, from, c.name, w.servers[c.name].URL, c.name, web, c.attach, strings.ReplaceAll(c.more, "ECHO", echoLine))
	}
	return b.String()
}

// repositories makes two bare ones with a commit each.
func (w *brokerWorld) repositories() string {
	root := w.path("git")
	for _, name := range []string{"widget", "other"} {
		bare, work := filepath.Join(root, "acme", name+".git"), w.path("work-"+name)
		for _, args := range [][]string{
			{"init", "-q", "--bare", "-b", "main", bare},
			{"init", "-q", "-b", "main", work},
			{"-C", work, "commit", "-q", "--allow-empty", "-m", "the first commit of " + name},
			{"-C", work, "push", "-q", bare, "main", "main:refs/heads/agent/old"},
		} {
			c := exec.CommandContext(w.t.Context(), "git", args...)
			c.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
				"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@a", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@a")
			if out, err := c.CombinedOutput(); err != nil {
				w.t.Fatalf("git %v: %v\n%s", args, err, out)
			}
		}
	}
	return root
}

// serve starts the broker and waits until it answers.
func (w *brokerWorld) serve() {
	t := w.whole
	t.Helper()
	env := append(os.Environ(), "E2E_OPENAI="+w.values["openai"])
	p, err := launch(w.dir, env, 0, w.program, "broker", "serve",
		"--policy", w.path("tightship.yaml"), "--state", w.path("run"), "--ledger", w.path("ledger"))
	if err != nil {
		t.Fatal(err)
	}
	p.late.Stop() // it serves for as long as the test takes, and ends with it
	if w.broker != nil {
		w.ended = append(w.ended, w.broker)
	}
	w.broker = p
	t.Cleanup(func() {
		p.kill()
		<-p.done
		if t.Failed() {
			t.Logf("the broker said:\n%s%s", p.stdout.String(), p.stderr.String())
		}
	})
	w.wait("the broker answers", func() bool {
		select {
		case <-p.done:
			t.Fatalf("the broker ended: %s", p.stderr.String())
		default:
		}
		_, _, code := w.tightship("broker", "status", "--state", w.path("run"))
		return code == 0
	})
}

// container makes a hardened one; what it says and what is said of it has decoys.
func (w *brokerWorld) container() string {
	w.t.Helper()
	abs := func(p string) string {
		a, err := filepath.Abs(p)
		if err != nil {
			w.t.Fatal(err)
		}
		return a
	}
	isFilter := func(a string) bool { return strings.HasPrefix(a, "seccomp=") }
	filter := slices.IndexFunc(flags, func(f flag) bool { return slices.ContainsFunc(f.args, isFilter) })
	args := allBut(w.t, filter, "--security-opt", "seccomp="+w.profile(), "--runtime", w.runtime, "--label", "dev.tightship.test=broker", "--label", "decoy="+w.decoy("the engine"), "--no-healthcheck",
		"--volume", w.mount+":/run/tightship:ro", "--volume", abs(clients)+":/clients:ro", "--volume", abs("testdata/broker")+":/scripts:ro",
		"--volume", filepath.Join(bin, "tightship-guest")+":/.tightship/guest:ro", "--volume", filepath.Join(bin, "dump")+":/.tightship/dump:ro",
		agent, "sh", "-c", "echo "+rot13(w.decoy("the container's log"))+" | tr a-z n-za-m; exec sleep 600")
	id, err := docker(append([]string{"create"}, args...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.removed(id)
	return id
}

// profile is the system call filter of `tightship seccomp show`. gVisor knows one error
// for what a filter refuses, EPERM, and the C library takes ENOSYS of clone3 for a
// reason to do without: no process could start a thread. What a filter hands to a
// tracer fails with ENOSYS where none is.
func (w *brokerWorld) profile() string {
	w.t.Helper()
	show := w.must("seccomp", "show")
	if w.runtime != "runc" {
		const refused, traced = `"names":["clone3"],"action":"SCMP_ACT_ERRNO","errnoRet":38`, `"names":["clone3"],"action":"SCMP_ACT_TRACE"`
		if strings.Count(show, refused) != 1 {
			w.t.Fatalf("the filter has no rule %s:\n%s", refused, show)
		}
		show = strings.Replace(show, refused, traced, 1)
	}
	w.write("profile.json", show)
	return w.path("profile.json")
}

// removed removes a container when the whole test ends.
func (w *brokerWorld) removed(id string) {
	w.whole.Cleanup(func() {
		if _, err := docker("rm", "--force", "--volumes", id); err != nil {
			w.whole.Error(err)
		}
	})
}

// forward starts the forwarder, as what starts an agent would.
func (w *brokerWorld) forward() {
	w.t.Helper()
	if _, err := docker("exec", "--detach", w.id, "/.tightship/guest", "forward", "--listen", "127.0.0.1:"+port, "--to", "/run/tightship/broker.sock"); err != nil {
		w.t.Fatal(err)
	}
	w.wait("the forwarder listens", func() bool {
		_, _, code := w.exec(nil, "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", "+port+"))'")
		return code == 0
	})
}

// wait calls f until it is content.
func (w *brokerWorld) wait(what string, f func() bool) {
	w.t.Helper()
	const most = 60 * time.Second // of a machine that is busy with others
	for deadline := time.Now().Add(most); !f(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("after %v still not: %s", most, what)
		}
	}
}

// tightship runs the program to its end.
func (w *brokerWorld) tightship(args ...string) (stdout, stderr string, code int) {
	w.t.Helper()
	return finish(w.t, exec.Command(filepath.Join(bin, "tightship"), args...))
}

// must is tightship where anything but success is an error.
func (w *brokerWorld) must(args ...string) string {
	w.t.Helper()
	stdout, stderr, code := w.tightship(args...)
	if code != 0 {
		w.t.Fatalf("tightship %s: exit code %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// exec runs a shell's line in the container, as its user.
func (w *brokerWorld) exec(env []string, script string) (stdout, stderr string, code int) {
	w.t.Helper()
	return finish(w.t, w.inside(w.id, env, script))
}

// inside is a shell's line in a container.
func (w *brokerWorld) inside(id string, env []string, script string) *exec.Cmd {
	args := []string{"exec"}
	for _, e := range env {
		args = append(args, "--env", e)
	}
	return exec.Command("docker", append(args, id, "sh", "-c", script)...)
}

// finish runs a command and kills what does not end.
func finish(t *testing.T, c *exec.Cmd) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeLimit)
	defer cancel()
	limited := exec.CommandContext(ctx, c.Path, c.Args[1:]...)
	limited.Env, limited.Dir, limited.WaitDelay = c.Env, c.Dir, 5*time.Second
	var out, errs bytes.Buffer
	limited.Stdout, limited.Stderr = &out, &errs
	err := limited.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%s: %v %v\n%s%s", strings.Join(c.Args, " "), err, ctx.Err(), out.String(), errs.String())
	}
	return out.String(), errs.String(), limited.ProcessState.ExitCode()
}

// curl is curl in the container, over the socket itself; the last line is the status.
func (w *brokerWorld) curl(args string) (body, status string) {
	w.t.Helper()
	stdout, stderr, code := w.exec(nil, curlLine+args)
	body, status, ok := cutLast(stdout, "\n")
	if !ok {
		w.t.Fatalf("curl %s: exit code %d: %s%s", args, code, stdout, stderr)
	}
	return body, status
}

const curlLine = "/clients/curl/loader --library-path /clients/curl/lib /clients/curl/curl --silent --show-error --max-time 60 " +
	"--unix-socket /run/tightship/broker.sock --write-out '\\n%{http_code}' "

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// background is a command in the container that is still at work.
type background struct {
	cmd  *exec.Cmd
	done chan struct{}

	mu  sync.Mutex
	out bytes.Buffer
}

func (b *background) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.Write(p)
}

// said is what it wrote so far.
func (b *background) said() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.String()
}

// begin starts a shell's line in the container.
func (w *brokerWorld) begin(env []string, script string) *background {
	w.t.Helper()
	b := &background{cmd: w.inside(w.id, env, script), done: make(chan struct{})}
	b.cmd.Stdout, b.cmd.Stderr, b.cmd.WaitDelay = b, b, 5*time.Second
	if err := b.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		_ = b.cmd.Wait() // its exit code is in ProcessState
		close(b.done)
	}()
	w.t.Cleanup(func() {
		_ = b.cmd.Process.Kill()
		<-b.done
	})
	return b
}

// code waits for the end.
func (w *brokerWorld) code(b *background) int {
	w.t.Helper()
	w.wait("it ends: "+strings.Join(b.cmd.Args, " "), func() bool {
		select {
		case <-b.done:
			return true
		default:
			return false
		}
	})
	return b.cmd.ProcessState.ExitCode()
}

// gitRefs is the refs of a repository with the subjects of their commits.
func gitRefs(t *testing.T, dir string) []string {
	t.Helper()
	return gitLines(t, dir, "for-each-ref", "--format=%(refname) %(subject)")
}

// gitLog is the commits of a ref, the newest first.
func gitLog(t *testing.T, dir, ref string) []string {
	t.Helper()
	return gitLines(t, dir, "log", "--format=%H", ref)
}

func gitLines(t *testing.T, dir string, args ...string) []string {
	t.Helper()
	stdout, stderr, code := finish(t, exec.Command("git", append([]string{"-C", dir}, args...)...))
	if code != 0 {
		t.Fatalf("git %v: %s", args, stderr)
	}
	return strings.Split(strings.TrimSpace(stdout), "\n")
}

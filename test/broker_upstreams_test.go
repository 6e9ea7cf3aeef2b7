package test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/test/upstream"
)

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

package gitwire

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func needsGit(t *testing.T) {
	t.Helper()
	if os.Getenv("TIGHTSHIP_E2E") != "1" {
		t.Skip("SKIPPED: the end-to-end lane is off (TIGHTSHIP_E2E=1 switches it on)")
	}
}

// world is a server with acme/widget and acme/secret on it, a broker, and a clone.
type world struct {
	t      *testing.T
	root   string // the server's repositories
	clone  string // the agent's
	url    string // the broker's
	broker *testBroker
	env    []string
}

// agentAccess is what most agents get.
func agentAccess() Access {
	return Access{Name: "github-git", Repositories: []string{"acme/widget"}, Fetch: true, Push: []string{"refs/heads/agent/*"}}
}

func newWorld(t *testing.T, a Access, http2 bool, format Format) *world {
	t.Helper()
	needsGit(t)
	w := &world{t: t, root: t.TempDir(), env: gitEnv(t)}
	seed := filepath.Join(t.TempDir(), "seed")
	for _, name := range []string{"acme/widget", "acme/secret"} {
		dir := filepath.Join(w.root, name+".git")
		w.ok("", "init", "-q", "--bare", "--object-format="+string(format), dir)
		w.ok(dir, "config", "http.receivepack", "true")
		w.ok(dir, "config", "uploadpack.allowFilter", "true")
		w.ok(dir, "config", "uploadpack.allowAnySHA1InWant", "true")
		w.ok(dir, "config", "receive.advertisePushOptions", "true")
	}
	w.ok("", "init", "-q", "--object-format="+string(format), seed)
	for n := range 5 {
		w.commit(seed, fmt.Sprint("main ", n))
	}
	w.ok(seed, "push", "-q", filepath.Join(w.root, "acme/widget.git"), "main")
	w.ok(seed, "push", "-q", filepath.Join(w.root, "acme/secret.git"), "main")
	var address string
	w.broker, address = newBroker(t, newUpstream(t, w.root, http2), a)
	// What a sandbox is told to set, so that every client uses the broker.
	w.env = append(w.env, "GIT_CONFIG_COUNT=3", "GIT_CONFIG_KEY_2=url."+address+"/.insteadOf", "GIT_CONFIG_VALUE_2=https://git.example.com/")
	w.url = address
	w.clone = filepath.Join(t.TempDir(), "clone")
	return w
}

const widget = "https://git.example.com/acme/widget.git"

// cloned makes the agent's clone, with a branch agent/x that is pushed.
func (w *world) cloned() *world {
	w.t.Helper()
	w.ok("", "clone", "-q", widget, w.clone)
	w.ok(w.clone, "checkout", "-q", "-b", "agent/x")
	w.commit(w.clone, "x1")
	w.commit(w.clone, "x2")
	w.ok(w.clone, "push", "-q", "origin", "agent/x")
	return w
}

func (w *world) commit(dir, text string) {
	w.t.Helper()
	name := strings.ReplaceAll(text, " ", "-")
	if err := os.WriteFile(filepath.Join(dir, name), bytes.Repeat([]byte(text+"\n"), 100), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.ok(dir, "add", ".")
	w.ok(dir, "commit", "-q", "-m", text)
}

func (w *world) git(dir string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 8*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "git", args...)
	c.Dir, c.Env, c.WaitDelay = dir, w.env, 10*time.Second
	out, err := c.CombinedOutput()
	return string(out), err
}

func (w *world) ok(dir string, args ...string) string {
	w.t.Helper()
	out, err := w.git(dir, args...)
	if err != nil {
		w.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

// refused runs git, which has to fail and to show all of the words.
func (w *world) refused(words []string, args ...string) {
	w.t.Helper()
	out, err := w.git(w.clone, args...)
	if err == nil {
		w.t.Errorf("git %s was let through:\n%s", strings.Join(args, " "), out)
	}
	for _, s := range words {
		if !strings.Contains(out, s) {
			w.t.Errorf("git %s does not show %q:\n%s", strings.Join(args, " "), s, out)
		}
	}
	w.t.Logf("git %s\n%s", strings.Join(args, " "), out)
}

// at is a ref of acme/widget on the server; empty: there is none.
func (w *world) at(ref string) string {
	out, err := w.git(filepath.Join(w.root, "acme/widget.git"), "rev-parse", "-q", "--verify", ref)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

func TestE2EFetch(t *testing.T) {
	for _, version := range []string{"0", "1", "2"} {
		t.Run("protocol "+version, func(t *testing.T) {
			w := newWorld(t, agentAccess(), false, SHA1)
			v := "protocol.version=" + version
			w.ok("", "-c", v, "clone", "-q", widget, w.clone)
			w.ok(w.clone, "-c", v, "fetch", "-q")
			shallow, partial := filepath.Join(t.TempDir(), "s"), filepath.Join(t.TempDir(), "p")
			w.ok("", "-c", v, "clone", "-q", "--depth=1", widget, shallow)
			if n := w.ok(shallow, "rev-list", "--count", "HEAD"); n != "1" {
				t.Errorf("the shallow clone has %s commits", n)
			}
			w.ok(shallow, "-c", v, "fetch", "-q", "--unshallow")
			if n := w.ok(shallow, "rev-list", "--count", "HEAD"); n != "5" {
				t.Errorf("the clone has %s commits", n)
			}
			w.ok("", "-c", v, "clone", "-q", "--no-checkout", "--filter=blob:none", widget, partial)
			if out := w.ok(partial, "rev-list", "--objects", "--missing=print", "HEAD"); !strings.Contains(out, "\n?") {
				t.Errorf("the partial clone lacks nothing:\n%s", out)
			}
			w.ok(partial, "-c", v, "checkout", "-q", "main")
			if version != "0" && !w.broker.seen("version="+version) {
				t.Errorf("the protocol was not asked for: %q", w.broker.calls)
			}
		})
	}
}

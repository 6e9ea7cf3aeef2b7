package gitwire

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// push holds what git does through the broker, and says it in the user's terminal, in
// every version of the protocol.
func TestE2EPush(t *testing.T) {
	for name, row := range map[string]struct {
		version string
		format  Format
		http2   bool
	}{
		"version 0":        {"0", SHA1, false},
		"version 1":        {"1", SHA1, false},
		"version 2, HTTP2": {"2", SHA1, true},
		"SHA-256":          {"2", SHA256, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, agentAccess(), row.http2, row.format).cloned()
			w.env = append(w.env, "GIT_CONFIG_COUNT=4", "GIT_CONFIG_KEY_3=protocol.version", "GIT_CONFIG_VALUE_3="+row.version)
			d, results := w.broker.last(t)
			want := RefUpdate{Ref: "refs/heads/agent/x", Old: strings.Repeat("0", 2*row.format.size()), New: w.at("agent/x")}
			if diff := cmp.Diff([]Verdict{{Update: want, Allowed: true, Rule: "push: refs/heads/agent/*"}}, d.Refs); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(map[string]Result{want.Ref: {OK: true}}, results); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}

			w.commit(w.clone, "x3")
			w.ok(w.clone, "push", "-q", "origin", "agent/x")
			x := w.ok(w.clone, "rev-parse", "HEAD")
			if w.at("agent/x") != x {
				t.Error("a fast-forward did not arrive")
			}
			main := w.at("main")
			w.refused([]string{
				"[remote rejected] agent/x -> main (no pattern of push matches this ref)",
				"remote: tightship: refused: refs/heads/main: no pattern of push matches this ref",
				`remote: tightship: hint: in tightship.yaml, below git: of the credential github-git  push: ["refs/heads/agent/*", "refs/heads/main"]`,
			}, "push", "origin", "agent/x:main")
			w.refused([]string{"[remote rejected] agent/x -> agent/y (not done", "[remote rejected] agent/x -> main"}, "push", "origin", "agent/x:agent/y", "agent/x:main")
			w.refused([]string{"deleting is not allowed", "delete: true"}, "push", "origin", ":agent/x")
			w.ok(w.clone, "tag", "v1")
			w.refused([]string{"tags are not allowed", "tags: true", `push: ["refs/heads/agent/*", "refs/tags/v1"]`}, "push", "origin", "v1")
			w.refused([]string{"push options (git push -o) are not allowed"}, "push", "-o", "merge_request.create", "origin", "agent/x:agent/z")

			w.ok(w.clone, "reset", "-q", "--hard", "HEAD~2")
			w.commit(w.clone, "other")
			w.refused([]string{"[rejected]"}, "push", "origin", "agent/x") // git's own look
			w.refused([]string{
				"[remote rejected] agent/x -> agent/x (nothing shows that this is a fast-forward",
				"below git: of the credential github-git  force: true",
			}, "push", "-f", "origin", "agent/x")
			if w.at("main") != main || w.at("agent/x") != x || w.at("agent/y")+w.at("agent/z")+w.at("v1") != "" {
				t.Error("the server's refs changed")
			}
		})
	}
}

// What is allowed goes through, also when it is a force, a tag, or gone.
func TestE2EAllowed(t *testing.T) {
	a := agentAccess()
	a.Force, a.Tags, a.Delete, a.Push = true, true, true, []string{"refs/heads/agent/**", "refs/tags/v*"}
	w := newWorld(t, a, false, SHA1).cloned()
	w.ok(w.clone, "reset", "-q", "--hard", "HEAD~1")
	w.commit(w.clone, "other")
	w.ok(w.clone, "push", "-q", "-f", "origin", "agent/x")
	if w.at("agent/x") != w.ok(w.clone, "rev-parse", "HEAD") {
		t.Error("a force push did not arrive")
	}
	w.ok(w.clone, "tag", "-a", "-m", "one", "v1")
	w.ok(w.clone, "push", "-q", "origin", "v1", "agent/x:agent/deep/er")
	w.ok(w.clone, "tag", "-f", "v1", "HEAD~1")
	w.ok(w.clone, "push", "-q", "-f", "origin", "v1")
	if w.at("v1") == "" || w.at("agent/deep/er") == "" {
		t.Error("a tag or a branch did not arrive")
	}
	w.ok(w.clone, "push", "-q", "origin", ":agent/x", ":v1")
	if w.at("agent/x")+w.at("v1") != "" {
		t.Error("a deleted ref is still there")
	}
	w.refused([]string{"no pattern of push matches this ref"}, "push", "origin", "HEAD:refs/tags/other")
}

// The repository is refused at the first request, in words.
func TestE2EOtherRepository(t *testing.T) {
	w := newWorld(t, agentAccess(), false, SHA1).cloned()
	for _, version := range []string{"0", "1", "2"} {
		for _, args := range [][]string{{"clone", "https://git.example.com/acme/secret", "none"}, {"push", "https://git.example.com/acme/secret.git", "agent/x"}} {
			w.refused([]string{
				"fatal: remote error: tightship: refused: the repository acme/secret is not allowed",
				`hint: in tightship.yaml, below git: of the credential github-git  repositories: ["acme/widget", "acme/secret"]`,
			}, append([]string{"-c", "protocol.version=" + version}, args...)...)
		}
	}
	w.broker.access.Push = nil
	w.refused([]string{"remote error: tightship: refused: pushing is not allowed"}, "push", "origin", "agent/x")
	w.broker.access.Fetch = false
	w.refused([]string{"remote error: tightship: refused: fetching is not allowed"}, "fetch")
}

// A branch that moves along another one: its pack has no commit that leads to the
// old one, and the server has to be asked.
func TestE2EAskServer(t *testing.T) {
	for name, filters := range map[string]string{"a server that filters": "true", "a server that does not": "false"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, agentAccess(), false, SHA1).cloned()
			w.ok(filepath.Join(w.root, "acme/widget.git"), "config", "uploadpack.allowFilter", filters)
			w.ok(w.clone, "push", "-q", "origin", "main~3:refs/heads/agent/behind")
			w.refused([]string{"nothing shows that this is a fast-forward"}, "push", "origin", "main~1:refs/heads/agent/behind")
			w.broker.ask = true
			w.ok(w.clone, "push", "-q", "origin", "main~1:refs/heads/agent/behind")
			w.ok(w.clone, "checkout", "-q", "-b", "agent/behind", "main")
			w.commit(w.clone, "after main")
			w.ok(w.clone, "push", "-q", "origin", "agent/behind")
			if w.at("agent/behind") != w.ok(w.clone, "rev-parse", "HEAD") {
				t.Error("the branch did not move")
			}
			w.refused([]string{"it is no fast-forward", "force: true"}, "push", "-f", "origin", "main~2:refs/heads/agent/behind")
			if w.at("agent/behind") != w.ok(w.clone, "rev-parse", "HEAD") {
				t.Error("the branch was forced back")
			}
		})
	}
}

// The mutation: if every update is taken for a fast-forward, or the end of the pack is
// not held back, the server does move the branch. The tests above could fail.
func TestE2EMutations(t *testing.T) {
	for name, mutate := range map[string]func(w *world, b *testBroker){
		"nothing is asked": func(_ *world, b *testBroker) { b.inspect = func(i *Inspector) { i.Ask = nil } },
		"every old commit is an ancestor": func(_ *world, b *testBroker) {
			b.inspect = func(i *Inspector) { i.Server = yes{} }
		},
		"the end is not held back": func(w *world, b *testBroker) {
			before := w.at("agent/x")
			b.copy = func(i *Inspector, dst io.Writer, src io.Reader) error {
				all, err := io.ReadAll(src)
				if err != nil {
					return err
				}
				if _, err := dst.Write(all); err != nil {
					return err
				}
				// The request has no end yet, and the server doesn't wait for it.
				for n := 0; n < 600 && w.at("agent/x") == before; n++ {
					time.Sleep(50 * time.Millisecond)
				}
				return i.Copy(context.Background(), io.Discard, bytes.NewReader(all))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, agentAccess(), false, SHA1).cloned()
			before := w.at("agent/x")
			w.ok(w.clone, "reset", "-q", "--hard", "HEAD~1")
			w.commit(w.clone, "other")
			mutate(w, w.broker)
			out, _ := w.git(w.clone, "push", "-f", "origin", "agent/x")
			if w.at("agent/x") == before {
				t.Errorf("the mutation made no difference, so the tests show nothing:\n%s", out)
			}
		})
	}
}

type yes struct{}

func (yes) Descends(context.Context, []string, string) (bool, error) { return true, nil }

// The old id is the client's word: that the server holds it to the ref is what the
// decision relies on. A push that lies about it is let through here and fails there.
func TestE2ELiesAboutOld(t *testing.T) {
	w := newWorld(t, agentAccess(), false, SHA1).cloned()
	x := w.at("agent/x")
	w.ok(w.clone, "checkout", "-q", "--detach", "HEAD~1")
	w.commit(w.clone, "other")
	other, parent := w.ok(w.clone, "rev-parse", "HEAD"), w.ok(w.clone, "rev-parse", "HEAD~1")
	packed := w.pack(other, "^"+parent)
	for name, old := range map[string]string{"it is new": strings.Repeat("0", 40), "it is at the parent": parent} {
		t.Run(name, func(t *testing.T) {
			body := appendPacket(nil, old+" "+other+" refs/heads/agent/x\x00report-status agent=liar")
			body = append(appendFlush(body), packed...)
			answer := w.post(body, "")
			if !strings.Contains(answer, "ng refs/heads/agent/x") || w.at("agent/x") != x {
				t.Errorf("the server takes a lie: %q", answer)
			}
			if _, results := w.broker.last(t); results["refs/heads/agent/x"].OK || results["refs/heads/agent/x"].Reason == "" {
				t.Errorf("the report says %v", results)
			}
		})
	}
	t.Run("in gzip", func(t *testing.T) {
		body := appendPacket(nil, strings.Repeat("0", 40)+" "+other+" refs/heads/agent/zipped\x00report-status")
		body = append(appendFlush(body), packed...)
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		_, _ = z.Write(body)
		_ = z.Close()
		if answer := w.post(zipped.Bytes(), "gzip"); !strings.Contains(answer, "ok refs/heads/agent/zipped") || w.at("agent/zipped") != other {
			t.Errorf("%q", answer)
		}
	})
}

// pack makes the pack of a push.
func (w *world) pack(revisions ...string) string {
	w.t.Helper()
	list := filepath.Join(w.t.TempDir(), "revisions")
	if err := os.WriteFile(list, []byte(strings.Join(revisions, "\n")+"\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	out := filepath.Join(w.t.TempDir(), "pack")
	sh := "git pack-objects -q --revs --thin --stdout <" + list + " >" + out
	w.ok(w.clone, "-c", "alias.x=!"+sh, "x")
	packed, err := os.ReadFile(out)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(packed)
}

func (w *world) post(body []byte, encoding string) string {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), "POST", w.url+"/acme/widget/git-receive-pack", bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-git-receive-pack-request")
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(answer)
}

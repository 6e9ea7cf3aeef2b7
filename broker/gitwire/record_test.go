package gitwire

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "record testdata/git again, with the installed git (TIGHTSHIP_E2E=1)")

// TestE2ERecord makes the bytes that the unit tests are about: what a real git sends,
// and what a real server answers.
func TestE2ERecord(t *testing.T) {
	if !*update {
		t.Skip("SKIPPED: nothing to do without -update")
	}
	a := agentAccess()
	a.Force, a.Tags, a.Delete, a.Push = true, true, true, []string{"refs/**"}
	w := newWorld(t, a, false, SHA1).cloned()
	name := ""
	w.broker.record = func(request, response []byte) {
		if len(request) == 4 {
			name += "-probe"
		}
		for suffix, content := range map[string][]byte{".request": request, ".response": response} {
			if err := os.WriteFile(filepath.Join("testdata/git", name+suffix), content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		name = strings.TrimSuffix(name, "-probe")
	}
	push := func(as string, args ...string) {
		name = as
		out, err := w.git(w.clone, append([]string{"push"}, args...)...)
		t.Logf("%s: %v\n%s", as, err, out)
	}
	push("create", "origin", "agent/x:agent/new")
	w.commit(w.clone, "x3")
	w.ok(w.clone, "checkout", "-q", "-b", "side", "main")
	w.commit(w.clone, "side")
	w.ok(w.clone, "checkout", "-q", "agent/x")
	w.ok(w.clone, "merge", "-q", "-m", "merge", "side")
	push("forward-merge", "origin", "agent/x")
	w.ok(w.clone, "reset", "-q", "--hard", "HEAD~2")
	w.commit(w.clone, "other")
	push("force", "-f", "origin", "agent/x")
	push("options", "-o", "merge_request.create", "-o", "ci.skip", "origin", "agent/x:agent/options")
	w.ok(w.clone, "tag", "-a", "-m", "one", "v1")
	push("atomic-tag", "--atomic", "origin", "v1", "agent/x:agent/two")
	push("delete", "origin", ":agent/two")
	push("delete-and-create", "origin", ":agent/new", "agent/x:agent/three")
	push("existing", "origin", "agent/x~1:refs/heads/agent/four")
	push("forward-existing", "origin", "agent/x:agent/four")
	w.ok(filepath.Join(w.root, "acme/widget.git"), "config", "receive.denyDeletes", "true")
	push("denied", "origin", ":agent/four", "agent/x:agent/five")
	// Commits with long messages of which only a line differs become deltas.
	long := strings.Repeat("a line of a message that is the same in every commit\n", 60)
	for n := range 6 {
		w.ok(w.clone, "commit", "-q", "--allow-empty", "-m", fmt.Sprint("commit ", n, "\n\n", long, n))
	}
	push("forward-deltas", "origin", "agent/x")
	old := w.ok(w.clone, "rev-parse", "HEAD")
	for n := range 6 {
		w.ok(w.clone, "commit", "-q", "--allow-empty", "-m", fmt.Sprint("again ", n, "\n\n", long, n))
	}
	// A client with a server that has no ofs-delta names the base by its id.
	packed := w.pack("HEAD", "^"+old)
	body := appendPacket(nil, old+" "+w.ok(w.clone, "rev-parse", "HEAD")+" refs/heads/agent/x\x00report-status")
	name = "forward-ref-deltas"
	w.post(append(appendFlush(body), packed...), "")
	w.ok(w.clone, "config", "http.postBuffer", "200")
	w.commit(w.clone, "bigger")
	push("forward-chunked", "origin", "agent/x")
	shallow := filepath.Join(t.TempDir(), "shallow")
	w.ok("", "clone", "-q", "--depth=1", widget, shallow)
	w.commit(shallow, "from a shallow clone")
	w.clone = shallow
	push("shallow", "origin", "HEAD:refs/heads/agent/shallow")
}

package test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tightship-dev/tightship/ledger"
)

// testLedger ends the broker and holds its ledger against what the upstreams saw.
func testLedger(w *brokerWorld) {
	t := w.t
	if code, out := w.verifyLedger(w.path("ledger")); code != 0 {
		t.Errorf("while the broker runs: exit code %d: %s", code, out)
	}
	if err := w.broker.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	w.wait("the broker ends", func() bool {
		select {
		case <-w.broker.done:
			return true
		default:
			return false
		}
	})
	if code, out := w.verifyLedger(w.path("ledger")); code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
	intents, outcomes := map[string]int{}, map[string]int{}
	for _, r := range w.records(func(ledger.Record) bool { return true }) {
		switch r.Kind {
		case ledger.Intent:
			intents[r.Credential]++
		case ledger.Outcome:
			outcomes[r.Credential]++
		}
	}
	for name, s := range w.servers {
		saw := len(s.Uses()) - w.direct[name]
		if saw == 0 || intents[name] != saw || outcomes[name] != saw-w.lost[name] {
			t.Errorf("%s: the upstream saw %d uses, the ledger has %d intents and %d outcomes", name, saw, intents[name], outcomes[name])
		}
	}
	testPushes(w)
	testTampering(w)
}

// testPushes wants each ref that was updated in the ledger, with its old and new id,
// and the refused ones as denied.
func testPushes(w *brokerWorld) {
	all := w.records(func(ledger.Record) bool { return true })
	outcomes := map[uint64]ledger.Record{}
	for _, r := range all {
		if r.Kind == ledger.Outcome {
			outcomes[r.Of] = r
		}
	}
	var pushed, refused []string
	for _, r := range all {
		for _, u := range r.Refs {
			switch {
			case r.Kind == ledger.Intent && outcomes[r.Seq].Reason == "":
				pushed = append(pushed, u.Ref+" "+u.Old+" "+u.New)
			case r.Kind == ledger.Intent, r.Kind == ledger.Denied:
				refused = append(refused, u.Ref) // before anything was sent, or at the pack's end
			}
		}
	}
	ids := gitLog(w.t, w.path("git", "acme", "widget.git"), "refs/heads/agent/one") // the newest first
	if len(ids) != 3 {
		w.t.Fatalf("%v", ids)
	}
	zero := strings.Repeat("0", 40)
	want := []string{"refs/heads/agent/one " + zero + " " + ids[1], "refs/heads/agent/one " + ids[1] + " " + ids[0]}
	if !slices.Equal(pushed, want) {
		w.t.Errorf("pushed as the ledger has it: %q, want %q", pushed, want)
	}
	for _, ref := range []string{"refs/heads/main", "refs/heads/agent/one", "refs/heads/agent/two", "refs/tags/v1", "refs/heads/agent/old"} {
		if !slices.Contains(refused, ref) {
			w.t.Errorf("no denial of %s in the ledger: %q", ref, refused)
		}
	}
}

// testTampering changes a byte of a record, or takes one out, and wants the record
// named.
func testTampering(w *brokerWorld) {
	files, err := filepath.Glob(w.path("ledger", "*.jsonl"))
	if err != nil || len(files) != 1 {
		w.t.Fatalf("segments: %v %v", files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		w.t.Fatal(err)
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	lines = lines[:len(lines)-1]
	for _, row := range []struct {
		name string
		next int // how far the record that is named may lie behind
		do   func(line []byte) []byte
	}{
		{"a byte", 0, func(line []byte) []byte {
			line = bytes.Clone(line)
			line[len(line)*2/3] ^= 1
			return line
		}},
		{"a record", 1, func([]byte) []byte { return nil }},
	} {
		for _, at := range []int{0, len(lines) / 2, len(lines) - 1} {
			w.t.Run(row.name, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "ledger")
				if err := os.CopyFS(dir, os.DirFS(w.path("ledger"))); err != nil {
					t.Fatal(err)
				}
				changed := slices.Clone(lines)
				changed[at] = row.do(lines[at])
				if err := os.WriteFile(filepath.Join(dir, filepath.Base(files[0])), bytes.Join(changed, nil), 0o600); err != nil {
					t.Fatal(err)
				}
				code, out := w.verifyLedger(dir)
				var report struct{ Results []ledger.Result }
				if err := json.Unmarshal([]byte(out), &report); err != nil || len(report.Results) != 1 {
					t.Fatalf("%v: %s", err, out)
				}
				named := slices.ContainsFunc(report.Results[0].Findings, func(f ledger.Finding) bool { return f.Seq >= uint64(at) && f.Seq <= uint64(at+row.next) })
				if code != 1 || !named {
					t.Errorf("record %d of %d: exit code %d: %s", at, len(lines), code, out)
				}
			})
		}
	}
}

// verifyLedger holds a ledger against the key of the real one.
func (w *brokerWorld) verifyLedger(dir string) (int, string) {
	w.t.Helper()
	stdout, stderr, code := w.tightship("ledger", "verify", "--dir", dir, "--key", ledger.KeyFileOf(w.path("ledger"))+".pub", "-o", "json")
	return code, stdout + stderr
}

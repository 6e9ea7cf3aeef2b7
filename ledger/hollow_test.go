package ledger

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/internal/hollow"
)

// Each function of the verifier is emptied in turn: the tests of tampering must
// notice.
func TestHollowVerifier(t *testing.T) {
	if os.Getenv("TIGHTSHIP_HOLLOW") == "" {
		t.Skip("SKIPPED: takes a minute; make test sets TIGHTSHIP_HOLLOW=1")
	}
	returns := map[string]string{
		"run": "nil", "readCheckpoint": "nil", "finish": "nil", "rolledBack": "nil", "segment": "nil", "enter": "nil", "read": "nil",
		"misplaced": "true", "found": "0",
	}
	none := []string{"readCopies", "badNote", "unfinished", "flush", "tail", "accept", "event", "rewritten", "restart", "step", "again"}
	for _, name := range none {
		returns[name] = ""
	}
	all, err := hollow.Find(".", func(name string) bool { _, ok := returns[name]; return ok })
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range all {
		switch filepath.Base(f.File) {
		case "verify.go", "verify_segment.go", "chain.go":
		default:
			continue // another's, of the same name
		}
		seen++
		t.Run(filepath.Base(f.File)+"/"+f.Name, func(t *testing.T) {
			overlay, err := hollow.Overlay(t.TempDir(), f, returns[f.Name])
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-vet=off", "-failfast", "-ldflags=-s -w", "-overlay="+overlay,
				"-run", "^(TestTampering|TestOutcomeWithoutIntent|TestRoundTrip)$", ".")
			cmd.Env = append(os.Environ(), "TIGHTSHIP_HOLLOW=")
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Errorf("no test noticed that %s does nothing", f.Name)
			} else if !strings.Contains(string(out), "--- FAIL") {
				t.Errorf("the tests did not run: %s", out)
			}
		})
	}
	if seen != len(returns)+1 { // two are called accept
		t.Errorf("only %d functions", seen)
	}
}

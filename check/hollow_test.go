package check_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/internal/hollow"
)

// Deleting the body of any judge, or of a helper that decides for one, makes
// the tests of this package fail: each is hollowed out in turn and the tests
// are run against what remains.
func TestHollowJudges(t *testing.T) {
	if os.Getenv("TIGHTSHIP_HOLLOW") == "" {
		t.Skip("SKIPPED: takes minutes; make test sets TIGHTSHIP_HOLLOW=1")
	}
	returns := map[string]string{"sandboxEnded": "nil", "leadNowhere": "true", "decide": "Result{}", "decideExec": "Result{}", "writes": "Result{}", "decideNone": "Result{}", "unmeasured": "Result{Verdict: Pass}"}
	funcs, err := hollow.Find(".", func(name string) bool { return strings.HasPrefix(name, "judge") || returns[name] != "" })
	if err != nil || len(funcs) < 35 {
		t.Fatalf("%d judges, %v", len(funcs), err)
	}
	for _, f := range funcs {
		t.Run(f.Name, func(t *testing.T) {
			zero := "Result{}"
			if z := returns[f.Name]; z != "" {
				zero = z
			}
			overlay, err := hollow.Overlay(t.TempDir(), f, zero)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-vet=off", "-failfast", "-ldflags=-s -w", "-overlay="+overlay, "-run", "TestHardened|TestJudges|TestSilence|TestGVisor", ".")
			cmd.Env = append(os.Environ(), "TIGHTSHIP_HOLLOW=")
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Errorf("no test noticed that %s does nothing", f.Name)
			} else if !strings.Contains(string(out), "--- FAIL") {
				t.Errorf("the tests did not run: %s", out)
			}
		})
	}
}

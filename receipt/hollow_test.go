package receipt

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/internal/hollow"
)

// Each check of the verifier is emptied in turn: TestVerify must notice.
func TestHollowChecks(t *testing.T) {
	if os.Getenv("TIGHTSHIP_HOLLOW") == "" {
		t.Skip("SKIPPED: takes a minute; make test sets TIGHTSHIP_HOLLOW=1")
	}
	funcs, err := hollow.Find(".", func(name string) bool { return strings.HasPrefix(name, "check") })
	if err != nil || len(funcs) != 16 {
		t.Fatalf("%d checks, %v", len(funcs), err)
	}
	for _, f := range funcs {
		t.Run(f.Name, func(t *testing.T) {
			overlay, err := hollow.Overlay(t.TempDir(), f, "nil")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-vet=off", "-failfast", "-ldflags=-s -w", "-overlay="+overlay, "-run", "^TestVerify$", ".")
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

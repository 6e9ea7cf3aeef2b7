package prove

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/engine/docker"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/report"
)

// real connects to the engine that the end-to-end lane provides. Without the
// lane the test is skipped and says so.
func real(t *testing.T, runtime string) (engine.Engine, Options) {
	t.Helper()
	if os.Getenv("TIGHTSHIP_E2E") == "" {
		t.Skip("SKIPPED: the end-to-end lane is off (make test sets TIGHTSHIP_E2E=1 where there is an engine)")
	}
	eng, err := docker.New(t.Context(), docker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { eng.Close() })
	info, err := eng.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(info.Runtimes, runtime) {
		t.Skipf("SKIPPED: the engine has no runtime %s (make build, then scripts/setup.sh engine)", runtime)
	}
	guest, err := os.ReadFile(filepath.Join("..", "bin", "tightship-guest"))
	if err != nil {
		t.Fatalf("make build comes first: %v", err)
	}
	return eng, Options{Policy: policy.DefaultFor(runtime), Guest: guest, Timeout: 3 * time.Minute}
}

// tell logs what a proof has against an image.
func tell(t *testing.T, p report.ProofResult) {
	t.Helper()
	for _, m := range p.Mutants {
		if m.Outcome == killed {
			continue
		}
		t.Logf("%s %s: %s", m.Outcome, m.ID, m.Reason)
		for _, c := range m.Cells {
			if c.Actual != c.Expected {
				t.Logf("\t%s: expected %s, came to %s: %s", c.Check, c.Expected, c.Actual, c.Reason)
			}
		}
	}
	for _, w := range p.Witnesses {
		if !slices.Contains(w.Seen, attempt) {
			t.Logf("%s: %d killers, seen by %s; %s", w.Check, len(w.Killers), strings.Join(w.Seen, " "), w.Reason)
		}
	}
}

// Every mutation, for real, on both kernels: all that can be shown are killed
// by exactly the declared checks, and every attempt was seen to matter.
func TestRealProof(t *testing.T) {
	for _, row := range []struct {
		runtime string
		least   int
	}{{"runc", 60}, {"runsc", 45}} {
		t.Run(row.runtime, func(t *testing.T) {
			eng, o := real(t, row.runtime)
			var kept recording
			o.keep = kept.add
			p, err := Run(t.Context(), eng, o)
			if err != nil {
				t.Fatal(err)
			}
			if p.Summary.Verdict != "proven" || p.Summary.Killed < row.least {
				t.Errorf("%+v", p.Summary)
			}
			t.Logf("%d ms, %+v", p.DurationMS, p.Summary)
			tell(t, p)
			guard(t, &kept)
		})
	}
}

package verify

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/tightship-dev/tightship/internal/hollow"
	"github.com/tightship-dev/tightship/report"
)

// Deleting the body of any probe is noticed: a guest in which that one probe
// does nothing can no longer prove the hardened image, on the real engine. The
// exception is the probe that only feeds the residual risks, which then lack
// what it saw.
func TestRealHollowProbes(t *testing.T) {
	eng, base := real(t)
	source, err := os.ReadFile(filepath.Join("..", "probe", "session_linux.go"))
	if err != nil {
		t.Fatal(err)
	}
	probes := map[string]string{} // function to probe
	for _, m := range regexp.MustCompile(`(?m)^\t"([a-z.]+)": +(\w+),$`).FindAllStringSubmatch(string(source), -1) {
		probes[m[2]] = m[1]
	}
	funcs, err := hollow.Find(filepath.Join("..", "probe"), func(name string) bool { return probes[name] != "" })
	if err != nil || len(funcs) != len(probes) || len(funcs) < 25 {
		t.Fatalf("%d functions for %d probes: %v", len(funcs), len(probes), err)
	}
	for _, f := range funcs {
		t.Run(f.Name, func(t *testing.T) {
			dir := t.TempDir()
			overlay, err := hollow.Overlay(dir, f, "")
			if err != nil {
				t.Fatal(err)
			}
			binary := filepath.Join(dir, "guest")
			cmd := exec.CommandContext(t.Context(), "go", "build", "-overlay="+overlay, "-trimpath", "-ldflags=-s -w", "-o", binary, "../cmd/tightship-guest")
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			o := base
			if o.Guest, err = os.ReadFile(binary); err != nil {
				t.Fatal(err)
			}
			if name := probes[f.Name]; !slices.Contains([]string{"env.commands", "env.python", "env.git"}, name) {
				o.Skip = []string{"env.*"}
			} else {
				o.Only = []string{"env.*"}
			}
			r, err := Image(t.Context(), eng, o)
			if err != nil {
				t.Fatal(err)
			}
			if probes[f.Name] == "memfd" {
				if slices.ContainsFunc(r.Residual, func(k report.Risk) bool { return k.ID == "memfd" }) {
					t.Error("the risk is listed as if it had been tried")
				}
				return
			}
			if r.Summary.Verdict != "inconclusive" || r.Summary.Fail > 0 {
				t.Errorf("a guest without %s leaves the whole %s, with %d failures", f.Name, r.Summary.Verdict, r.Summary.Fail)
			}
			nothingLeft(t, eng, r.RunID)
		})
	}
}

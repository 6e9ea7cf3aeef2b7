package verify

import (
	"slices"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/mutate"
	"github.com/tightship-dev/tightship/report"
	"github.com/tightship-dev/tightship/spec"
)

// A privileged program in the image is inert as long as no-new-privileges is on:
// it breaks nothing, and it is listed with that word.
func TestRealPrivilegedProgramIsInert(t *testing.T) {
	eng, o := real(t)
	for _, id := range []string{"image.suid-nnp-off", "image.file-capability-nnp-off"} {
		t.Run(id, func(t *testing.T) {
			m, ok := mutate.ByID(id)
			if !ok {
				t.Fatal("no such mutation")
			}
			m.Apply = func(*spec.Container) {}
			ready, err := m.Ready(t.Context(), eng, o.Policy.Image, map[string]string{engine.Label: "inert-" + token()})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := ready.Undo(); err != nil {
					t.Error(err)
				}
			}()
			p := *o.Policy
			p.Image = ready.Image
			r, err := Image(t.Context(), eng, Options{Policy: &p, Guest: o.Guest, Timeout: o.Timeout, Skip: []string{"env.*"}})
			if err != nil {
				t.Fatal(err)
			}
			if r.Summary.Verdict != "proven" {
				t.Errorf("%s: %+v", r.Summary.Verdict, r.Summary)
			}
			i := slices.IndexFunc(r.Checks, func(c report.Check) bool { return c.ID == "priv.no-suid" })
			if seen := r.Checks[i].Observed; !strings.Contains(seen, "/usr/local/bin/tightship-helper") || !strings.Contains(seen, "inert") {
				t.Errorf("priv.no-suid says %q", seen)
			}
			if r.Checks[i].Verdict != string(check.Pass) {
				t.Errorf("priv.no-suid is %s", r.Checks[i].Verdict)
			}
			nothingLeft(t, eng, r.RunID)
		})
	}
}

package prove

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/mutate"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
	"github.com/tightship-dev/tightship/report"
	"github.com/tightship-dev/tightship/spec"
	"github.com/tightship-dev/tightship/verify"
)

// recorded is the evidence of a real hardened run.
func recorded(t testing.TB) *check.Input {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "check", "testdata", "hardened.json"))
	if err != nil {
		t.Fatal(err)
	}
	in := &check.Input{}
	if err := json.Unmarshal(data, in); err != nil {
		t.Fatal(err)
	}
	return in
}

// stub stands in for verify.Image: it answers with the recorded evidence, changed
// by what the weakening of each mutation is to look like.
type stub struct {
	t      *testing.T
	policy *policy.Policy

	mu    sync.Mutex
	calls int
	// edit changes the evidence of a weakened verification, by what its settings
	// became. It may return an error in place of evidence.
	edit func(c spec.Container, in *check.Input) error
	base func(in *check.Input)
}

func newStub(t *testing.T) *stub { return &stub{t: t, policy: recorded(t).Policy} }

func (s *stub) image(ctx context.Context, _ engine.Engine, o verify.Options) (report.Result, error) {
	s.mu.Lock()
	s.calls++
	s.mu.Unlock()
	in := recorded(s.t)
	in.Policy = o.Policy
	switch {
	case o.Weaken == nil && s.base != nil:
		s.base(in)
	case o.Weaken != nil:
		c := in.Twins[check.Main].Declared.Clone()
		o.Weaken(&c)
		in.Twins[check.Main].Declared = c // the engine tells the truth, if nothing else is said
		if s.edit != nil {
			if err := s.edit(c, in); err != nil {
				return report.Result{}, err
			}
		}
	}
	if ctx.Err() != nil {
		return report.Result{}, context.Cause(ctx)
	}
	checks := check.For(o.Policy)
	var out []report.Check
	in.Results = map[string]check.Result{}
	for _, c := range checks {
		res := c.Decide(in, o.Now())
		in.Results[c.ID] = res
		out = append(out, report.Check{ID: c.ID, Section: string(c.Section), Verdict: string(res.Verdict), Evidence: string(res.Evidence), Reason: res.Reason})
	}
	o.Record(in, checks)
	return report.Result{Subject: report.Subject{Image: o.Policy.Image, Runtime: "runc"}, Checks: out, Summary: report.Summarize(out)}, nil
}

// exec makes the attempt to run code from the tmpfs succeed.
func execWorks(in *check.Input) {
	o := in.Twins[check.Main].Seen[probe.User]["tmp.exec"]
	o.Attempts = slices.Clone(o.Attempts)
	for i, a := range o.Attempts {
		if !a.Control && a.Act == "execve" && a.On == "/tmp" {
			o.Attempts[i].OK, o.Attempts[i].Errno = true, ""
		}
	}
	in.Twins[check.Main].Seen[probe.User]["tmp.exec"] = o
}

// unsaid has the engine say what it said before the weakening.
func unsaid(in *check.Input) {
	d := in.Twins[check.Main].Declared
	for at, t := range d.Tmpfs {
		t.Exec = false
		d.Tmpfs[at] = t
	}
}

func (s *stub) prove(o Options) (report.ProofResult, error) {
	o.Policy = s.policy
	return run(s.t.Context(), nil, o, s.image)
}

func TestOutcomes(t *testing.T) {
	const id = "tmpfs.exec"
	for _, row := range []struct {
		name    string
		edit    func(c spec.Container, in *check.Input) error
		base    func(in *check.Input)
		policy  func(p *policy.Policy)
		outcome string
		reason  string
		verdict string
		all     bool // try every mutation that breaks the check
		more    func(*testing.T, report.ProofResult)
	}{
		{
			name: "killed", outcome: killed, verdict: "proven",
			edit: func(_ spec.Container, in *check.Input) error { execWorks(in); return nil },
			more: func(t *testing.T, p report.ProofResult) {
				cell := p.Mutants[0].Cells[0]
				if cell.Check != "fs.tmp-noexec" || !slices.Equal(cell.Seen, []string{"attempt", "engine"}) {
					t.Errorf("%+v", cell)
				}
			},
		},
		{
			name: "the engine's word alone leaves the attempt blind", outcome: killed, verdict: "failed", all: true,
			more: func(t *testing.T, p report.ProofResult) {
				if p.Summary.Blind == 0 || !slices.Equal(p.Mutants[0].Cells[0].Seen, []string{"engine"}) {
					t.Errorf("%+v %+v", p.Summary, p.Mutants[0].Cells)
				}
			},
		},
		{
			name: "an attempt that was not made is unclear, not blind", outcome: killed, verdict: "failed", all: true,
			edit: func(_ spec.Container, in *check.Input) error {
				o := in.Twins[check.Main].Seen[probe.User]["tmp.exec"]
				o.Attempts = slices.DeleteFunc(slices.Clone(o.Attempts), func(a probe.Attempt) bool { return a.On == "/tmp" })
				in.Twins[check.Main].Seen[probe.User]["tmp.exec"] = o
				return nil
			},
			more: func(t *testing.T, p report.ProofResult) {
				i := slices.IndexFunc(p.Witnesses, func(w report.Witness) bool { return w.Check == "fs.tmp-noexec" })
				if w := p.Witnesses[i]; p.Summary.Unclear == 0 || w.Reason != report.AttemptUnclear {
					t.Errorf("%+v %+v", p.Summary, w)
				}
			},
		},
		{
			name: "survived", outcome: survived, reason: "not noticed by fs.tmp-noexec", verdict: "failed",
			edit: func(_ spec.Container, in *check.Input) error {
				unsaid(in)
				return nil
			},
		},
		{
			name: "cross-talk", outcome: crossTalk, reason: "undeclared: fs.tmp-nosuid", verdict: "failed",
			edit: func(_ spec.Container, in *check.Input) error {
				execWorks(in)
				d := in.Twins[check.Main].Declared.Tmpfs["/tmp"]
				d.Suid = true
				in.Twins[check.Main].Declared.Tmpfs["/tmp"] = d
				return nil
			},
		},
		{
			name: "another that could not be measured", outcome: crossTalk, reason: "limits.pids", verdict: "failed",
			edit: func(_ spec.Container, in *check.Input) error {
				execWorks(in)
				delete(in.Twins[check.Exhaust].Seen[probe.User], "exhaust.pids")
				return nil
			},
		},
		{
			name: "not tried", outcome: failedToTry, reason: "disk full", verdict: "inconclusive",
			edit: func(spec.Container, *check.Input) error { return errors.New("disk full") },
		},
		{
			name: "refused without leave", outcome: failedToTry, reason: "no way", verdict: "inconclusive",
			edit: func(spec.Container, *check.Input) error { return fmt.Errorf("%w: no way", verify.ErrRefused) },
		},
		{
			name: "not in the engine's words", outcome: notDemonstrable, reason: "the engine has no word for it: creating", verdict: "inconclusive",
			edit: func(spec.Container, *check.Input) error { return fmt.Errorf("creating: %w", engine.ErrInput) },
		},
		{
			name: "nothing there to take away", outcome: notDemonstrable, reason: nothingThere, verdict: "inconclusive",
			policy: func(p *policy.Policy) { p.Tmpfs = map[string]policy.Tmpfs{} },
		},
		{
			name: "already broken", outcome: notDemonstrable, reason: "already broken in the baseline: fs.tmp-noexec", verdict: "failed",
			base: execWorks,
		},
		{
			name: "already accepted", outcome: notDemonstrable, reason: "which the policy accepts: fs.tmp-noexec", verdict: "inconclusive",
			base: execWorks,
			policy: func(p *policy.Policy) {
				p.Accept = []policy.Accept{{Check: "fs.tmp-noexec", Reason: "test", Until: "2999-01-01"}}
			},
		},
		{
			name: "not measured before", outcome: notDemonstrable, reason: "could not be measured in the baseline", verdict: "inconclusive",
			base: func(in *check.Input) { delete(in.Twins[check.Main].Seen[probe.User], "tmp.exec") },
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStub(t)
			s.edit, s.base = row.edit, row.base
			p := *s.policy
			if row.policy != nil {
				row.policy(&p)
			}
			s.policy = &p
			if row.policy != nil && len(p.Tmpfs) == 0 {
				s.base = func(in *check.Input) { in.Wanted.Tmpfs = nil }
			}
			chosen := []string{id}
			for _, m := range mutate.All() {
				if row.all && mutate.Expected("", m, "fs.tmp-noexec") == check.Fail {
					chosen = append(chosen, m.ID)
				}
			}
			r, err := s.prove(Options{Mutations: chosen})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Mutants) != 1 && !row.all {
				t.Fatalf("%d mutants", len(r.Mutants))
			}
			m := r.Mutants[0]
			if m.ID != id || m.Outcome != row.outcome || !strings.Contains(m.Reason, row.reason) || r.Summary.Verdict != row.verdict {
				t.Errorf("%+v\n%+v", m, r.Summary)
			}
			if row.more != nil {
				row.more(t, r)
			}
		})
	}
}

// What a busy machine may have done is tried once more, and says so; a check
// that held although it should not is not.
func TestTriedAgain(t *testing.T) {
	for _, row := range []struct {
		name  string
		first func(in *check.Input)
		calls int
		want  string
	}{
		{"unmeasured", func(in *check.Input) { execWorks(in); delete(in.Twins[check.Exhaust].Seen[probe.User], "exhaust.pids") }, 3, killed},
		{"survived", unsaid, 2, survived},
		{"killed", execWorks, 2, killed},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStub(t)
			n := 0
			s.edit = func(_ spec.Container, in *check.Input) error {
				if n++; n == 1 {
					row.first(in)
				} else {
					execWorks(in)
				}
				return nil
			}
			var events []string
			r, err := s.prove(Options{Mutations: []string{"tmpfs.exec"}, Progress: func(e Event) {
				if e.Mutant != nil {
					events = append(events, fmt.Sprint(e.Done, e.Total, e.Mutant.Outcome))
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			m := r.Mutants[0]
			if s.calls != row.calls || m.Outcome != row.want || (m.Reason != "") != (row.calls == 3 || row.want == survived) {
				t.Errorf("%d calls, %+v", s.calls, m)
			}
			if !slices.Equal(events, []string{fmt.Sprint(1, 1, row.want)}) {
				t.Errorf("announced %v", events)
			}
		})
	}
}

func TestSelect(t *testing.T) {
	all, err := Select(nil)
	if err != nil || len(all) < 50 {
		t.Fatal(len(all), err)
	}
	caps, err := Select([]string{"caps.*", "nnp.off"})
	if err != nil || len(caps) < 15 || len(caps) > 40 || len(caps) >= len(all) {
		t.Error(len(caps), err)
	}
	if _, err := Select([]string{"caps.*", "tmpf.exec"}); !errors.Is(err, ErrNoMutation) || !strings.Contains(err.Error(), "tmpfs.exec") {
		t.Error(err)
	}
}

// An interruption ends the proof with its cause, and starts nothing more.
func TestInterrupted(t *testing.T) {
	s := newStub(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	s.edit = func(spec.Container, *check.Input) error { cancel(why); return nil }
	_, err := run(ctx, nil, Options{Policy: s.policy, Parallel: 1}, s.image)
	if !errors.Is(err, why) || s.calls > 3 {
		t.Errorf("%d calls, %v", s.calls, err)
	}
}

// What could not be removed is said, and the proof is whole.
func TestLeft(t *testing.T) {
	s := newStub(t)
	r, err := run(t.Context(), nil, Options{Policy: s.policy, Mutations: []string{"tmpfs.exec"}}, func(ctx context.Context, e engine.Engine, o verify.Options) (report.Result, error) {
		res, err := s.image(ctx, e, o)
		if o.Weaken != nil {
			err = errors.Join(err, fmt.Errorf("%w: container x", verify.ErrLeft))
		}
		return res, err
	})
	if !errors.Is(err, verify.ErrLeft) || len(r.Mutants) != 1 || r.Mutants[0].Outcome != killed {
		t.Errorf("%v %+v", err, r.Mutants)
	}
}

// A baseline that cannot be verified is an error.
func TestNoBaseline(t *testing.T) {
	_, err := run(t.Context(), nil, Options{Policy: policy.Default()}, func(context.Context, engine.Engine, verify.Options) (report.Result, error) {
		return report.Result{}, engine.ErrNoImage
	})
	if !errors.Is(err, engine.ErrNoImage) {
		t.Error(err)
	}
}

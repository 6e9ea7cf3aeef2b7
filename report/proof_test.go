package report

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clipperhouse/displaywidth"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// proofFixture has every outcome on one runtime, and another beside it on which
// less can be shown.
func proofFixture() Proof {
	cell := func(check, expected, actual, reason string, seen ...string) Cell {
		return Cell{Check: check, Expected: expected, Actual: actual, Seen: seen, Reason: reason}
	}
	base := calm(proven).Results[0]
	base.Subject.Runtime = "runc"
	base.Checks = append(slices.Clone(base.Checks), Check{ID: "user.blind", Section: "user", Verdict: pass, Evidence: exercised},
		Check{ID: "limits.unclear", Section: "limits", Verdict: pass, Evidence: exercised})
	first := ProofResult{
		Baseline: base, Started: time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC), DurationMS: 61234,
		Mutants: []Mutant{
			{ID: "rootfs.writable", Title: "the root file system is writable", Section: "filesystem", Outcome: killed, NotAttempted: []string{"env.command[node]"}, DurationMS: 900,
				Cells: []Cell{cell("fs.root-read-only", fail, fail, "a file was made in /etc", "attempt", "kernel", "engine"), cell("fs.usr-read-only", fail, fail, "a file was made", "attempt")}},
			{ID: "tmpfs.dropped", Title: "no tmpfs is mounted", Section: "filesystem", Outcome: killed, Reason: "when tried again by itself; at first, with others beside it: error, it took too long",
				Cells: []Cell{cell("fs.tmp-writable", fail, fail, "nothing is there", "engine"), cell("fs.tmp-noexec", inconclusive, inconclusive, "no program could be placed")}},
			{ID: "tmpfs.exec", Title: "the tmpfs allows execution", Section: "filesystem", Outcome: survived, Reason: "not noticed by fs.tmp-noexec",
				Cells: []Cell{cell("fs.tmp-noexec", fail, pass, "execve refused "+hostile[0])}},
			{ID: "user.root", Title: "the agent runs as root", Section: "user", Outcome: crossTalk, Reason: "undeclared: limits.pids",
				Cells: []Cell{cell("user.non-root", fail, fail, "uid 0", "attempt", "kernel", "engine"), cell("limits.pids", pass, fail, "no fork was refused", "attempt")}},
			{ID: "a.mutation.with.a.name.that.is.longer.than.most", Title: "long", Section: "user", Outcome: killed,
				Cells: []Cell{cell("user.non-root", fail, fail, "together only")}},
			{ID: "network.bridge", Title: "a network is attached", Section: "network", Outcome: notDemonstrable, Reason: "the policy asks for nothing there that could be taken away"},
			{ID: "host.privileged", Title: "everything at once", Section: "network", Outcome: "error", Reason: "creating the main twin: " + hostile[2]},
		},
		Witnesses: []Witness{
			{Check: "fs.root-read-only", Baseline: pass, Killers: []string{"rootfs.writable"}, Seen: []string{"attempt", "kernel", "engine"}},
			{Check: "run.clean-exit", Baseline: pass, Reason: "no setting takes it away"},
			{Check: "user.blind", Baseline: pass, Killers: []string{"user.root"}, Seen: []string{"engine"}},
			{Check: "limits.unclear", Baseline: pass, Killers: []string{"user.root"}, Seen: []string{"kernel"}, Reason: AttemptUnclear},
		},
		Summary: ProofSummary{Mutants: 6, Killed: 3, Survived: 1, CrossTalk: 1, NotDemonstrable: 1, Errors: 1, Blind: 1, Unclear: 1, Verdict: failed},
	}
	second := first
	second.Baseline.Subject.Runtime = "runsc"
	second.Mutants = slices.Clone(first.Mutants[:2])
	second.Mutants[1].Outcome, second.Mutants[1].Reason, second.Mutants[1].Cells = notDemonstrable, "gVisor has a tmpfs of its own there", nil
	second.Witnesses = first.Witnesses[:2]
	second.Summary = ProofSummary{Mutants: 1, Killed: 1, NotDemonstrable: 1, Verdict: proven}
	return Proof{Schema: ProofSchema, Results: []ProofResult{first, second}}
}

// one is the fixture's result at an index alone.
func one(i int) Proof { return Proof{Schema: ProofSchema, Results: proofFixture().Results[i : i+1]} }

func TestProofGolden(t *testing.T) {
	text := func(o TextOptions) func(io.Writer, Proof) error {
		return func(w io.Writer, p Proof) error { return ProofText(w, p, o) }
	}
	broken := one(1)
	broken.Results[0].Baseline = calm(failed).Results[0]
	broken.Results[0].Summary.Verdict = failed
	for _, g := range []struct {
		file   string
		proof  Proof
		render func(io.Writer, Proof) error
	}{
		{"proof.txt", one(0), text(TextOptions{})},
		{"proof-two.txt", proofFixture(), text(TextOptions{})},
		{"proof-verbose.txt", one(0), text(TextOptions{Verbose: true})},
		{"proof-quiet.txt", one(0), text(TextOptions{Quiet: true})},
		{"proof-narrow.txt", one(0), text(TextOptions{Width: 40})},
		{"proof-color.txt", one(1), text(TextOptions{Color: true})},
		{"proof-broken.txt", broken, text(TextOptions{})},
		{"proof.json", proofFixture(), ProofJSON},
		{"proof-schema.json", Proof{}, func(w io.Writer, _ Proof) error {
			b, err := ProofJSONSchema()
			_, werr := w.Write(b)
			if err == nil {
				err = werr
			}
			return err
		}},
	} {
		t.Run(g.file, func(t *testing.T) {
			var b bytes.Buffer
			if err := g.render(&b, g.proof); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", g.file)
			if *update {
				if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("differs from %s (-want +got; -update accepts it):\n%s", path, diff)
			}
		})
	}
}

// No line of a matrix of many weakenings is wider than the terminal.
func TestProofFitsTheTerminal(t *testing.T) {
	p := proofFixture()
	for range 100 {
		p.Results[0].Mutants = append(p.Results[0].Mutants, p.Results[0].Mutants[0])
	}
	for _, width := range []int{40, 80, 132} {
		for _, verbose := range []bool{false, true} {
			var b bytes.Buffer
			if err := ProofText(&b, p, TextOptions{Width: width, Verbose: verbose}); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				if w := displaywidth.String(strings.TrimRight(line, "\n")); w > width {
					t.Errorf("%d columns of %d: %s", w, width, line)
				}
			}
		}
	}
}

// Whatever text comes from a container or an engine does nothing to a terminal.
func TestProofIsInert(t *testing.T) {
	for _, h := range hostile {
		p := proofFixture()
		for i := range p.Results {
			r := &p.Results[i]
			r.Baseline.Subject.Image, r.Baseline.Subject.Runtime, r.Baseline.Policy = h, h, h
			for j := range r.Mutants {
				m := &r.Mutants[j]
				m.ID, m.Title, m.Reason, m.Section = h, h, h, h
				for k := range m.Cells {
					m.Cells[k].Check, m.Cells[k].Reason = h, h
				}
			}
			for j := range r.Witnesses {
				r.Witnesses[j].Check, r.Witnesses[j].Reason, r.Witnesses[j].Killers = h, h, []string{h}
			}
		}
		for name, render := range map[string]func(io.Writer) error{
			"text": func(w io.Writer) error { return ProofText(w, p, TextOptions{Verbose: true}) },
			"json": func(w io.Writer) error { return ProofJSON(w, p) },
		} {
			var b bytes.Buffer
			if err := render(&b); err != nil {
				t.Fatal(err)
			}
			if i := strings.IndexFunc(b.String(), func(r rune) bool { return r != '\n' && (r < 0x20 || r >= 0x7f && r < 0xa0 || r == '\u202e') }); i >= 0 {
				t.Errorf("%s of %q has %q", name, h, b.String()[i:i+1])
			}
		}
	}
}

func TestProofJSONIsWhatTheSchemaSays(t *testing.T) {
	raw, err := ProofJSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("proof.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("proof.json")
	if err != nil {
		t.Fatal(err)
	}
	unknown := one(0)
	unknown.Results[0].Mutants = []Mutant{{Outcome: "splendid"}}
	for _, row := range []struct {
		name  string
		p     Proof
		valid bool
	}{{"every outcome", proofFixture(), true}, {"no results", Proof{}, true}, {"an unknown outcome", unknown, false}} {
		var b bytes.Buffer
		if err := ProofJSON(&b, row.p); err != nil {
			t.Fatal(err)
		}
		var back Proof
		if err := json.Unmarshal(b.Bytes(), &back); err != nil || len(back.Results) != len(row.p.Results) {
			t.Errorf("%s: read back as %d results: %v", row.name, len(back.Results), err)
		}
		doc, err := jsonschema.UnmarshalJSON(&b)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); (err == nil) != row.valid {
			t.Errorf("%s: valid %v, want %v: %v", row.name, err == nil, row.valid, err)
		}
	}
}

// A summary whose counts contradict its word is not believed.
func TestProofOutcome(t *testing.T) {
	for _, row := range []struct {
		s    ProofSummary
		want string
	}{
		{ProofSummary{Mutants: 2, Killed: 2, Verdict: proven}, proven},
		{ProofSummary{Mutants: 2, Killed: 1, Verdict: proven}, inconclusive},
		{ProofSummary{Verdict: proven}, inconclusive},
		{ProofSummary{Mutants: 1, Killed: 1, Blind: 1, Verdict: proven}, failed},
		{ProofSummary{Mutants: 1, Killed: 1, CrossTalk: 1, Verdict: proven}, failed},
		{ProofSummary{Mutants: 1, Survived: 1, Verdict: proven}, failed},
		{ProofSummary{Mutants: 1, Killed: 1, Verdict: failed}, failed},
		{ProofSummary{Mutants: 1, Killed: 1, Verdict: "splendid"}, inconclusive},
	} {
		if got := ProofOutcome(row.s); got != row.want {
			t.Errorf("%+v is %s, want %s", row.s, got, row.want)
		}
	}
}

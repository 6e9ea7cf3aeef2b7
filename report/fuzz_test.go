package report

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// random is a report whose shape is drawn from shape, and whose text is pieces of s.
func random(s string, shape uint64) Report {
	rnd := rand.New(rand.NewPCG(shape, 1))
	text := func() string {
		switch rnd.IntN(4) {
		case 0:
			return ""
		case 1:
			return hostile[rnd.IntN(len(hostile))] + s
		case 2:
			return s[rnd.IntN(len(s)+1):]
		}
		return s
	}
	list := func() []string {
		var out []string
		for range rnd.IntN(4) {
			out = append(out, text())
		}
		return out
	}
	word := func(words ...string) string {
		if rnd.IntN(8) == 0 {
			return text()
		}
		return words[rnd.IntN(len(words))]
	}
	var r Report
	for range rnd.IntN(4) {
		res := Result{
			Subject: Subject{
				Image: text(), ImageDigest: text(), Container: text(), Engine: text(), EngineVersion: text(), Runtime: text(), Kernel: text(), Cgroup: text(), LSM: text(),
			},
			PolicyDigest: text(), Policy: text(), RunID: text(), DurationMS: rnd.Int64(),
			Summary: Summary{Pass: rnd.IntN(9), Fail: rnd.IntN(3), Inconclusive: rnd.IntN(3), Verdict: word(proven, failed, inconclusive)},
		}
		for range rnd.IntN(6) {
			res.Checks = append(res.Checks, Check{
				ID: text(), Title: text(), Section: text(), Seed: list(), Verdict: word(shown...), Evidence: word(exercised, "kernel", "declared", "none"),
				Wanted: text(), Declared: text(), Kernel: text(), Observed: text(), Reason: text(), Hint: text(), Refs: list(), Setting: text(), Line: rnd.IntN(99) - 9, DurationMS: rnd.Int64(),
			})
		}
		for range rnd.IntN(3) {
			res.Residual = append(res.Residual, Risk{text(), text(), text()})
		}
		r.Results = append(r.Results, res)
	}
	return r
}

var logCommand = regexp.MustCompile(`(?m)^\s*::[A-Za-z]|##[A-Za-z]*\[`)

// noCommands fails on what a build service would obey.
func noCommands(t *testing.T, log string) {
	t.Helper()
	if m := logCommand.FindString(log); m != "" {
		t.Errorf("%q is a command of a build service, in:\n%s", m, log)
	}
}

func TestNoFormatGivesCommands(t *testing.T) {
	for _, f := range Formats() {
		if f.Name == "github" { // which are what it is for; see its own test
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			noCommands(t, rendered(t, f.Render, fixture()))
		})
	}
	for _, width := range []int{40, 41, 42, 43, 60, 80} {
		noCommands(t, render(t, fixture(), TextOptions{Width: width, Verbose: true}))
	}
	if !logCommand.MatchString("  ::error::x") || !logCommand.MatchString("a ##[group]") {
		t.Error("the pattern has gone blind")
	}
}

// FuzzFormats demands of every format, for any report, that it is written without
// an error and is what its readers take it for.
func FuzzFormats(f *testing.F) {
	for i, h := range hostile {
		f.Add(h, uint64(i)*104729)
	}
	f.Fuzz(func(t *testing.T, s string, shape uint64) {
		r := random(s, shape)
		for _, format := range Formats() {
			var b bytes.Buffer
			if err := format.Render(&b, r); err != nil {
				t.Fatalf("%s: %v", format.Name, err)
			}
			out := b.String()
			checkHarmless(t, strings.ReplaceAll(out, "\t", ""))
			if format.Name != "github" {
				noCommands(t, out)
			}
			n := 0
			for _, res := range r.Results {
				n += len(res.Checks)
			}
			switch format.Name {
			case "json":
				if !json.Valid(b.Bytes()) {
					t.Errorf("not JSON: %s", out)
				}
			case "junit":
				if got := wellFormed(t, b.Bytes()); got != n {
					t.Errorf("%d test cases of %d", got, n)
				}
			case "sarif":
				validSARIF(t, b.Bytes())
			case "markdown":
				onlyOurMarkdown(t, b.Bytes())
			case "html":
				onlyOurHTML(t, b.Bytes())
			case "tap":
				if got := tapPoints(t, out); got != n {
					t.Errorf("%d test points of %d", got, n)
				}
			case "github":
				if got, want := len(commandsIn(t, out)), findings(r); got != want {
					t.Errorf("%d commands for %d findings", got, want)
				}
			}
		}
	})
}

// FuzzProof demands the same of a proof.
func FuzzProof(f *testing.F) {
	for _, h := range hostile {
		f.Add(h, h)
	}
	f.Fuzz(func(t *testing.T, s, u string) {
		p := Proof{Results: []ProofResult{{
			Baseline: Result{Subject: Subject{Image: s}, Checks: []Check{{ID: u, Title: s, Section: s, Verdict: u}}},
			Mutants: []Mutant{{ID: s, Title: u, Outcome: s, Reason: u, NotAttempted: []string{u}, Cells: []Cell{{Check: s, Expected: u, Actual: s, Seen: []string{u}, Reason: s}}},
				{ID: u, Outcome: "survived", Reason: s, Cells: []Cell{{Check: u, Expected: fail, Actual: pass, Reason: s}}}},
			Witnesses: []Witness{{Check: s, Baseline: u, Killers: []string{s}, Seen: []string{u}, Reason: s}, {Check: u, Reason: s}},
		}}}
		var page, md bytes.Buffer
		if err := ProofHTML(&page, p); err != nil {
			t.Fatal(err)
		}
		checkHarmless(t, page.String())
		onlyOurHTML(t, page.Bytes())
		if err := ProofMarkdown(&md, p); err != nil {
			t.Fatal(err)
		}
		checkHarmless(t, md.String())
		onlyOurMarkdown(t, md.Bytes())
	})
}

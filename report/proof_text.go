package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/clipperhouse/displaywidth"
)

// The outcomes of a mutant, as in a Proof's JSON form.
const (
	killed          = "killed"
	survived        = "survived"
	crossTalk       = "cross-talk"
	notDemonstrable = "not-demonstrable"
)

// outcomeMark is a mutant's sign and word.
func outcomeMark(outcome string) mark {
	switch outcome {
	case killed:
		return mark{"✓", "killed"}
	case survived:
		return mark{"✗", "SURVIVED"}
	case crossTalk:
		return mark{"✗", "CROSS-TALK"}
	case notDemonstrable:
		return mark{"–", "not shown"}
	}
	return mark{"?", "NOT TRIED"}
}

// ProofText writes p for people to read: what went wrong first, then a line per
// mutant, with a column per runtime.
func ProofText(w io.Writer, p Proof, o TextOptions) error {
	page := proofPage{newPage(o), p.Results}
	for word, like := range map[string]string{"killed": "held", "SURVIVED": "BROKEN", "CROSS-TALK": "BROKEN", "not shown": "n/a", "NOT TRIED": "unmeasured"} {
		if page.verdict != nil {
			page.verdict[word] = page.verdict[like]
		}
	}
	var b bytes.Buffer
	if len(p.Results) > 0 {
		page.write(&b)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// ProofHeadline says in a word and a sentence what a proof on one runtime means.
func ProofHeadline(r ProofResult) string {
	word, meaning := proofHeadline(r)
	return word + ": " + meaning
}

// ProofCounts is the counts in one line.
func ProofCounts(s ProofSummary) string {
	line := fmt.Sprintf("killed %d/%d, cross-talk %d, not demonstrable %d", s.Killed, s.Mutants, s.CrossTalk, s.NotDemonstrable)
	for _, more := range []struct {
		n    int
		what string
	}{{s.Survived, "survived"}, {s.Errors, "not tried"}, {s.Blind, "blind"}} {
		if more.n > 0 {
			line += fmt.Sprintf(", %s %d", more.what, more.n)
		}
	}
	return line
}

// ProofOutcome is "proven", "failed" or "inconclusive": the summary's own word,
// unless the counts beside it say that the word is too good to be true.
func ProofOutcome(s ProofSummary) string {
	switch {
	case s.Verdict == failed || s.Survived+s.CrossTalk+s.Blind > 0:
		return failed
	case s.Verdict == proven && s.Killed > 0 && s.Killed == s.Mutants:
		return proven
	}
	return inconclusive
}

func proofHeadline(r ProofResult) (word, meaning string) {
	s := r.Summary
	var wrong []string
	for _, w := range []struct {
		n    int
		text string
	}{
		{s.Survived, plural(s.Survived, "weakening") + " went unnoticed"},
		{s.CrossTalk, plural(s.CrossTalk, "check") + " flipped undeclared"},
		{s.Blind, plural(s.Blind, "check") + verb(s.Blind, " rests", " rest") + " on an attempt that never showed anything"},
		{s.Errors, plural(s.Errors, "weakening") + " could not be tried"},
	} {
		if w.n > 0 {
			wrong = append(wrong, w.text)
		}
	}
	if base := Outcome(r.Baseline.Summary); base == failed {
		wrong = append(wrong, "protections are broken before anything is taken away")
	} else if base != proven {
		wrong = append(wrong, "protections could not be measured before anything was taken away")
	}
	switch ProofOutcome(s) {
	case proven:
		return "PROVEN", fmt.Sprintf("%s, one at a time, and each was noticed by exactly the checks that say so.", verb(s.Killed, "1 protection was taken away", fmt.Sprintf("%d protections were taken away", s.Killed)))
	case failed:
		word = "FAILED"
	default:
		word = "INCONCLUSIVE"
		if len(wrong) == 0 {
			wrong = []string{"nothing could be taken away here, and so nothing was shown"}
		}
	}
	return word, strings.Join(wrong, ", ") + "."
}

// proofPage renders the pieces of a proof's text form.
type proofPage struct {
	page
	results []ProofResult
}

func (p proofPage) write(b *bytes.Buffer) {
	var out strings.Builder
	if !p.Quiet {
		p.title(&out)
	}
	for _, r := range p.results {
		p.trouble(&out, r)
	}
	if !p.Quiet {
		p.matrix(&out)
		p.legend(&out)
		if p.Verbose {
			p.witnesses(&out)
		}
		out.WriteByte('\n')
	}
	for _, r := range p.results {
		on := ""
		if len(p.results) > 1 {
			on = runtimeName(r) + ": "
		}
		p.hang(&out, "", lipgloss.Style{}, on+ProofCounts(r.Summary))
		word, meaning := proofHeadline(r)
		p.hang(&out, on+p.paint(p.verdict[word], word)+": ", p.strong, meaning)
	}
	b.WriteString(out.String())
}

func runtimeName(r ProofResult) string {
	if r.Baseline.Subject.Runtime == "" {
		return "default runtime"
	}
	return Sanitize(r.Baseline.Subject.Runtime, maxName)
}

func (p proofPage) title(b *strings.Builder) {
	first := p.results[0].Baseline
	policy := "the built-in policy"
	if first.Policy != "" {
		policy = "policy " + Sanitize(first.Policy, maxName)
	}
	var on []string
	for _, r := range p.results {
		on = append(on, runtimeName(r))
	}
	p.hang(b, "", p.heading, "tightship prove: image "+Sanitize(first.Subject.Image, maxName)+", under "+policy+", on "+strings.Join(on, " and "))
	b.WriteByte('\n')
	for _, r := range p.results {
		lead := "as it is: "
		if len(p.results) > 1 {
			lead = "as it is on " + runtimeName(r) + ": "
		}
		p.hang(b, lead, lipgloss.Style{}, Headline(r.Baseline))
	}
}

// trouble is the details of what did not come as it should.
func (p proofPage) trouble(b *strings.Builder, r ProofResult) {
	on := ""
	if len(p.results) > 1 {
		on = " on " + runtimeName(r)
	}
	p.broken(b, r, on)
	for _, m := range r.Mutants {
		if m.Outcome == killed || m.Outcome == notDemonstrable {
			continue
		}
		k := outcomeMark(m.Outcome)
		b.WriteByte('\n')
		p.hang(b, p.paint(p.verdict[k.word], k.sign+" "+k.word)+on+"  ", p.strong, joined(": ", Sanitize(m.ID, maxName), Sanitize(m.Title, maxName)))
		p.field(b, "reason", m.Reason)
		for _, c := range m.Cells {
			if c.Actual == c.Expected {
				continue
			}
			p.hang(b, "      ", lipgloss.Style{}, fmt.Sprintf("%s should come to %s, and came to %s: %s",
				Sanitize(c.Check, maxName), markOf(c.Expected).word, markOf(c.Actual).word, Sanitize(c.Reason, p.limit)))
		}
	}
	for _, w := range r.Witnesses {
		if !blind(r, w) {
			continue
		}
		b.WriteByte('\n')
		p.hang(b, p.paint(p.verdict["BROKEN"], "✗ BLIND")+on+"  ", p.strong, Sanitize(w.Check, maxName))
		p.field(b, "reason", "it says that it rests on an attempt, but with the kernel's and the engine's words as before, no attempt made it fail under "+strings.Join(w.Killers, ", "))
	}
}

// broken names what did not hold before anything was taken away.
func (p proofPage) broken(b *strings.Builder, r ProofResult, on string) {
	var checks []Check
	for _, c := range r.Baseline.Checks {
		if c.Verdict == fail || c.Verdict == inconclusive {
			checks = append(checks, c)
		}
	}
	if len(checks) == 0 {
		return
	}
	b.WriteByte('\n')
	p.hang(b, "", p.heading, "not held before anything was taken away"+on+"; nothing can be shown of these")
	for _, c := range checks {
		m := markOf(c.Verdict)
		p.hang(b, "  "+p.paint(p.verdict[m.word], m.sign+" "+pad(m.word, wordWidth))+"  ", lipgloss.Style{}, joined(": ", Sanitize(c.ID, maxName), Sanitize(c.Reason, p.limit)))
	}
}

// blind says whether a witness is among those that Summary.Blind counts.
func blind(r ProofResult, w Witness) bool {
	i := slices.IndexFunc(r.Baseline.Checks, func(c Check) bool { return c.ID == w.Check })
	return i >= 0 && r.Baseline.Checks[i].Evidence == exercised && w.Baseline == pass && len(w.Killers) > 0 && w.Reason == "" && !slices.Contains(w.Seen, "attempt")
}

// row is one weakening on every runtime; nil where it was not tried.
type proofRow struct {
	id, title, section string
	on                 []*Mutant
}

func (p proofPage) rows() []proofRow {
	var rows []proofRow
	at := map[string]int{}
	for i := range p.results {
		for j := range p.results[i].Mutants {
			m := &p.results[i].Mutants[j]
			n, ok := at[m.ID]
			if !ok {
				n = len(rows)
				at[m.ID] = n
				rows = append(rows, proofRow{m.ID, m.Title, m.Section, make([]*Mutant, len(p.results))})
			}
			rows[n].on[i] = m
		}
	}
	return rows
}

const maxMutantWidth = 26

func (p proofPage) matrix(b *strings.Builder) {
	rows := p.rows()
	width := 0
	var order []string
	for _, r := range rows {
		if w := displaywidth.String(Sanitize(r.id, maxName)); w <= maxMutantWidth {
			width = max(width, w)
		}
		if !slices.Contains(order, r.section) {
			order = append(order, r.section)
		}
	}
	for _, section := range order {
		b.WriteByte('\n')
		heading := Sanitize(section, maxName)
		if len(p.results) > 1 && section == order[0] {
			var on []string
			for _, r := range p.results {
				on = append(on, runtimeName(r))
			}
			heading += " (" + strings.Join(on, ", ") + ")"
		}
		p.hang(b, "", p.heading, heading)
		for _, r := range rows {
			if r.section == section {
				p.row(b, r, width)
			}
		}
	}
}

func (p proofPage) row(b *strings.Builder, r proofRow, width int) {
	lead := "  "
	for _, m := range r.on {
		k := mark{" ", "absent"}
		if m != nil {
			k = outcomeMark(m.Outcome)
		}
		text := k.sign + " "
		if len(r.on) == 1 {
			text = k.sign + " " + pad(k.word, wordWidth) + "  "
		}
		lead += p.paint(p.verdict[k.word], text)
	}
	id := Sanitize(r.id, maxName)
	indent := lipgloss.Width(lead)
	if displaywidth.String(id) <= width && p.Width-indent-width-2 >= minTitle {
		p.hang(b, lead+pad(id, width)+"  ", lipgloss.Style{}, p.flips(r))
	} else {
		p.hang(b, lead, lipgloss.Style{}, id)
		p.hang(b, strings.Repeat(" ", indent+2), lipgloss.Style{}, p.flips(r))
	}
	if p.Verbose {
		p.field(b, "weakening", r.title)
		for i, m := range r.on {
			if m == nil {
				continue
			}
			for _, c := range m.Cells {
				p.field(b, "", joined(": ", onlyMany(p, i), Sanitize(c.Check, maxName), markOf(c.Actual).word, c.Reason))
			}
			p.field(b, "left out", strings.Join(m.NotAttempted, ", "))
			p.field(b, "took", duration(m.DurationMS))
		}
	}
}

func onlyMany(p proofPage, i int) string {
	if len(p.results) == 1 {
		return ""
	}
	return runtimeName(p.results[i])
}

// flips is the checks that a weakening flipped, each with the accounts that show
// it by themselves, and where it cannot be shown the reason.
func (p proofPage) flips(r proofRow) string {
	var order []string
	letters := map[string][]string{}
	var why []string
	for i, m := range r.on {
		if m == nil {
			continue
		}
		for _, c := range m.Cells {
			if c.Actual == pass {
				continue
			}
			if letters[c.Check] == nil {
				order = append(order, c.Check)
				letters[c.Check] = make([]string, len(r.on))
				for j := range r.on {
					letters[c.Check][j] = "–"
				}
			}
			letters[c.Check][i] = cellLetters(c)
		}
		if m.Outcome == notDemonstrable {
			why = append(why, joined(": ", onlyMany(p, i), Sanitize(m.Reason, p.limit)))
		}
	}
	var parts []string
	for _, id := range order {
		parts = append(parts, Sanitize(id, maxName)+" ("+strings.Join(letters[id], "/")+")")
	}
	return joined("; ", strings.Join(parts, ", "), strings.Join(why, "; "))
}

func cellLetters(c Cell) string {
	if c.Actual == inconclusive {
		return "?"
	}
	s := ""
	for _, seen := range c.Seen {
		if seen != "" {
			s += seen[:1]
		}
	}
	if s == "" {
		return "*"
	}
	return s
}

func (p proofPage) legend(b *strings.Builder) {
	b.WriteByte('\n')
	p.hang(b, "(ake) ", p.faint, "what shows the loss by itself, with the other accounts as before: the attempt inside, the kernel's account, the engine's; * is none of them alone")
	p.hang(b, "(?)   ", p.faint, "could not be measured any more, as declared: the weakening takes the check's control away")
	if n := p.skipped(); n > 0 {
		p.hang(b, "", p.faint, fmt.Sprintf("%s left out: the image's own programs are run again only under weakenings that concern them", plural(n, "time")+" checks were"))
	}
	var unmoved []string
	for _, r := range p.results {
		for _, w := range r.Witnesses {
			id := Sanitize(w.Check, maxName)
			if w.Baseline == pass && !slices.Contains(w.Seen, "attempt") && w.Reason != "" && !slices.Contains(unmoved, id) {
				unmoved = append(unmoved, id)
			}
		}
	}
	if len(unmoved) > 0 && !p.Verbose {
		p.hang(b, "", p.faint, "held, and not shown by an attempt (--verbose has the reasons): "+strings.Join(unmoved, ", "))
	}
}

// skipped is how many mutants were not held against every check.
func (p proofPage) skipped() int {
	n := 0
	for _, r := range p.results {
		for _, m := range r.Mutants {
			if len(m.NotAttempted) > 0 && m.Outcome != notDemonstrable {
				n++
			}
		}
	}
	return n
}

// witnesses is what was shown of each check.
func (p proofPage) witnesses(b *strings.Builder) {
	for i, r := range p.results {
		b.WriteByte('\n')
		p.hang(b, "", p.heading, joined(" ", "what was shown of each check", onlyMany(p, i)))
		for _, w := range r.Witnesses {
			text := fmt.Sprintf("%s under %s", markOf(w.Baseline).word, plural(len(w.Killers), "weakening"))
			if len(w.Killers) > 0 {
				text = fmt.Sprintf("failed under %s; seen by %s alone", strings.Join(w.Killers, ", "), strings.Join(w.Seen, ", "))
			}
			p.hang(b, "  "+Sanitize(w.Check, maxName)+": ", lipgloss.Style{}, joined("; ", Sanitize(text, p.limit), Sanitize(w.Reason, p.limit)))
		}
	}
}

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
		if !unmoved(r, w) {
			continue
		}
		b.WriteByte('\n')
		if w.Reason != "" {
			p.hang(b, p.paint(p.verdict["unmeasured"], "? UNCLEAR")+on+"  ", p.strong, Sanitize(w.Check, maxName))
			p.field(b, "reason", w.Reason)
			continue
		}
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

// unmoved says whether a witness is among those that Summary.Blind counts, which
// have no reason, or Summary.Unclear.
func unmoved(r ProofResult, w Witness) bool {
	i := slices.IndexFunc(r.Baseline.Checks, func(c Check) bool { return c.ID == w.Check })
	return i >= 0 && r.Baseline.Checks[i].Evidence == exercised && w.Baseline == pass && len(w.Killers) > 0 && (w.Reason == "" || w.Reason == AttemptUnclear) && !slices.Contains(w.Seen, "attempt")
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
	slices.SortStableFunc(order, func(x, y string) int { return p.place(x) - p.place(y) })
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

// place is where a section comes in the report of the image as it is.
func (p proofPage) place(name string) int {
	all := sections(p.results[0].Baseline.Checks)
	if i := slices.IndexFunc(all, func(s section) bool { return s.name == name }); i >= 0 {
		return i
	}
	return len(all)
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
		if flips := p.flips(r); flips != "" {
			p.hang(b, strings.Repeat(" ", indent+2), lipgloss.Style{}, flips)
		}
	}
	if p.Verbose {
		p.field(b, "weakening", r.title)
		for i, m := range r.on {
			if m == nil {
				continue
			}
			if m.Outcome == killed {
				p.field(b, "killed", m.Reason)
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
		p.hang(b, "", p.faint, fmt.Sprintf("under %s the image's own programs were not run again, as nothing there concerns them", plural(n, "weakening")))
	}
	var unmoved []string
	for _, r := range p.results {
		for _, w := range r.Witnesses {
			id := Sanitize(w.Check, maxName)
			if w.Baseline == pass && !slices.Contains(w.Seen, "attempt") && (len(w.Killers) > 0 || p.whole(r)) && !slices.Contains(unmoved, id) {
				unmoved = append(unmoved, id)
			}
		}
	}
	if len(unmoved) > 0 && !p.Verbose {
		p.hang(b, "", p.faint, "held, and not shown by an attempt (--verbose has the reasons): "+strings.Join(unmoved, ", "))
	}
}

// whole says whether every weakening that there is was tried: each check has one
// then, or a reason for none.
func (p proofPage) whole(r ProofResult) bool {
	return !slices.ContainsFunc(r.Witnesses, func(w Witness) bool { return w.Reason == NotTried })
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

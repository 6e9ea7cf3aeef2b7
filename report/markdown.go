package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/clipperhouse/displaywidth"
)

// MaxMarkdown is how many bytes Markdown writes at most: what GitHub takes as the
// summary of a step. What does not fit is left out from the end and counted; what
// did not hold comes before what held.
const MaxMarkdown = 1 << 20

// Markdown writes r as GitHub Flavored Markdown, for the summary of a build step
// or a comment: verdict, subject, a table by section, what did not hold with its
// evidence folded below it, every check, the residual risks, how to repeat it.
func Markdown(w io.Writer, r Report) error {
	p := newMdPage()
	if len(r.Results) != 1 {
		p.add("# Tightship: %s\n\n", mdText(Total(r, len(r.Results))))
		p.table("verdict", "subject", "runtime", "checks")
		for _, res := range r.Results {
			p.row(mdText(headlineWord(res)), mdText(subjectName(res.Subject)), mdText(res.Subject.Runtime), counts(res.Summary))
		}
		p.add("\n")
	}
	for _, res := range r.Results {
		p.result(res)
	}
	return p.writeTo(w)
}

func headlineWord(r Result) string {
	word, _ := headline(r)
	return word
}

func (p *mdPage) result(r Result) {
	word, meaning := headline(r)
	p.add("## %s %s: %s\n\n**%s** %s\n\n", headlineSign(word), word, mdText(onRuntime(r.Subject)), word, meaning)
	secs := sections(r.Checks)
	p.table("section", "held", "BROKEN", "unmeasured", "accepted", "n/a")
	for _, sec := range secs {
		t := tally(sec.checks)
		p.row(mdText(sec.name), number(t.Pass), number(t.Fail), number(t.Inconclusive), number(t.Accepted), number(t.NotApplicable))
	}
	p.add("\n")
	p.failures(r)
	p.everyCheck(secs, len(r.Checks))
	if p.open("<details><summary>Verified on</summary>\n\n") {
		p.table("", "")
		for _, f := range facts(r) {
			p.row(f.label, mdCode(f.text))
		}
		p.close()
	}
	if len(r.Residual) > 0 && p.open(fmt.Sprintf("<details><summary>Residual risks, which no setting here takes away: %d</summary>\n\n", len(r.Residual))) {
		for _, risk := range r.Residual {
			p.add("- **%s**: %s %s\n", mdText(risk.ID), mdText(risk.Title)+".", mdText(risk.Detail))
		}
		p.close()
	}
	p.add("To repeat it: %s\n\n", mdCode(repeat(r)))
}

// failures shows what did not hold, the worst first.
func (p *mdPage) failures(r Result) {
	for _, verdict := range []string{fail, inconclusive, accepted} {
		for _, c := range r.Checks {
			m := markOf(c.Verdict)
			if !needsAction(c.Verdict) || m != markOf(verdict) {
				continue
			}
			p.add("<details><summary>%s %s %s %s</summary>\n\n%s</details>\n\n",
				m.sign, m.word, mdCode(c.ID), mdText(c.Title), mdEvidence(r, c))
		}
	}
}

func (p *mdPage) everyCheck(secs []section, n int) {
	if n == 0 || !p.open(fmt.Sprintf("<details><summary>Every check: %d</summary>\n\n", n)) {
		return
	}
	p.table("", "verdict", "check", "what is protected", "evidence")
	for _, sec := range secs {
		for _, c := range sec.checks {
			m := markOf(c.Verdict)
			p.row(m.sign, m.word, mdCode(c.ID), mdText(c.Title), mdText(c.Evidence))
		}
	}
	p.close()
}

// mdWidth is where lines of evidence are broken.
const mdWidth = 100

// mdEvidence is the evidence of a check as a block of code, in which nothing means
// anything but the fence, which is made longer than any in the text.
func mdEvidence(r Result, c Check) string {
	var b strings.Builder
	place := ""
	if r.Policy != "" && c.Line > 0 {
		place = fmt.Sprintf("%s:%d", r.Policy, c.Line)
	}
	for _, d := range append(details(c), detail{"hint", c.Hint}, detail{"evidence", c.Evidence},
		detail{"setting", joined(", ", c.Setting, place)}, detail{"refs", strings.Join(c.Refs, ", ")}) {
		if d.text == "" {
			continue
		}
		lead := pad(d.label, labelWidth)
		for _, line := range Wrap(Sanitize(d.text, maxField), mdWidth-displaywidth.String(lead)) {
			b.WriteString(lead + line + "\n")
			lead = strings.Repeat(" ", labelWidth)
		}
	}
	fence := strings.Repeat("`", max(3, longestRun(b.String(), '`')+1))
	return fence + "text\n" + b.String() + fence + "\n\n"
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func headlineSign(word string) string {
	switch word {
	case "PROVEN":
		return markOf(pass).sign
	case "FAILED":
		return markOf(fail).sign
	}
	return markOf(inconclusive).sign
}

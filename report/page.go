package report

import (
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/clipperhouse/displaywidth"
)

// Columns of the text form.
const (
	checkIndent  = 2
	wordWidth    = 10 // of the longest verdict word
	maxIDWidth   = 30 // a longer ID gets a line of its own
	minTitle     = 20 // narrower than this, a title goes below its ID
	detailIndent = 6
	labelWidth   = 10
)

// page renders the pieces of the text form.
type page struct {
	TextOptions
	limit int // characters of a field

	heading, label, strong, faint lipgloss.Style
	verdict                       map[string]lipgloss.Style // by verdict word
}

func newPage(o TextOptions) page {
	if o.Width == 0 {
		o.Width = DefaultWidth
	}
	o.Width = max(o.Width, minWidth)
	p := page{TextOptions: o, limit: maxField}
	if o.Verbose {
		p.limit = maxVerbose
	}
	if !o.Color {
		return p
	}
	style := lipgloss.NewStyle
	p.heading = style().Bold(true)
	p.label = style().Faint(true)
	p.strong = style().Bold(true)
	p.faint = style().Faint(true)
	p.verdict = map[string]lipgloss.Style{
		"held":         style().Foreground(lipgloss.Green),
		"BROKEN":       style().Foreground(lipgloss.Red).Bold(true),
		"unmeasured":   style().Foreground(lipgloss.Yellow).Bold(true),
		"accepted":     style().Foreground(lipgloss.Magenta).Bold(true),
		"n/a":          style().Faint(true),
		"PROVEN":       style().Foreground(lipgloss.Green).Bold(true),
		"FAILED":       style().Foreground(lipgloss.Red).Bold(true),
		"INCONCLUSIVE": style().Foreground(lipgloss.Yellow).Bold(true),
	}
	return p
}

// paint styles text that has no line break. Without colour it is the identity.
func (p page) paint(s lipgloss.Style, text string) string {
	if !p.Color || text == "" {
		return text
	}
	return s.Render(text)
}

// hang writes first and then text, wrapped, with the lines after the first
// indented by first's width.
func (p page) hang(b *strings.Builder, first string, style lipgloss.Style, text string) {
	indent := lipgloss.Width(first)
	for i, line := range Wrap(text, p.Width-indent) {
		if i > 0 {
			first = strings.Repeat(" ", indent)
		}
		b.WriteString(strings.TrimRight(first+p.paint(style, line), " "))
		b.WriteByte('\n')
	}
}

func (p page) title(s Subject, policyFile string) string {
	if p.Quiet {
		return ""
	}
	var b strings.Builder
	policy := "the built-in policy"
	if policyFile != "" {
		policy = "policy " + Sanitize(policyFile, maxName)
	}
	p.hang(&b, "", p.heading, "tightship verify: "+subjectName(s)+", under "+policy)
	return b.String()
}

func (p page) section(name string, checks []Check) string {
	if p.Quiet {
		var rest []Check
		for _, c := range checks {
			if needsAction(c.Verdict) {
				rest = append(rest, c)
			}
		}
		checks = rest
	}
	if len(checks) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteByte('\n')
	p.hang(&b, "", p.heading, Sanitize(name, maxName))
	idWidth := 0
	for _, c := range checks {
		if w := displaywidth.String(Sanitize(c.ID, maxName)); w <= maxIDWidth {
			idWidth = max(idWidth, w)
		}
	}
	for _, c := range checks {
		p.check(&b, c, idWidth)
	}
	return b.String()
}

func (p page) check(b *strings.Builder, c Check, idWidth int) {
	m := markOf(c.Verdict)
	lead := strings.Repeat(" ", checkIndent) + p.paint(p.verdict[m.word], m.sign+" "+pad(m.word, wordWidth)) + "  "
	indent := lipgloss.Width(lead)
	id := Sanitize(c.ID, maxName)
	title := Sanitize(c.Title, maxName)
	if c.Verdict == pass && c.Evidence != exercised {
		title += " [" + Sanitize(c.Evidence, maxName) + "]"
	}
	if displaywidth.String(id) <= idWidth && p.Width-indent-idWidth-2 >= minTitle {
		p.hang(b, lead+pad(id, idWidth)+"  ", lipgloss.Style{}, title)
	} else {
		p.hang(b, lead, lipgloss.Style{}, id)
		if title != "" {
			p.hang(b, strings.Repeat(" ", indent), lipgloss.Style{}, title)
		}
	}
	if needsAction(c.Verdict) || p.Verbose {
		p.details(b, c)
	} else if c.Verdict == notApplicable {
		p.field(b, "reason", c.Reason)
	}
}

func (p page) details(b *strings.Builder, c Check) {
	for _, d := range details(c) {
		p.field(b, d.label, d.text)
	}
	if p.Verbose {
		p.field(b, "evidence", c.Evidence)
		p.field(b, "replaces", strings.Join(c.Seed, ", "))
		p.field(b, "refs", strings.Join(c.Refs, ", "))
		p.field(b, "took", duration(c.DurationMS))
	}
	p.field(b, "hint", c.Hint)
}

func (p page) field(b *strings.Builder, label, text string) {
	if text == "" {
		return
	}
	lead := strings.Repeat(" ", detailIndent) + p.paint(p.label, pad(label, labelWidth))
	p.hang(b, lead, lipgloss.Style{}, Sanitize(text, p.limit))
}

type detail struct{ label, text string }

// details is a check's evidence in the order in which it convinces.
func details(c Check) []detail {
	return []detail{
		{"reason", c.Reason},
		{"wanted", c.Wanted},
		{"declared", c.Declared},
		{"kernel", c.Kernel},
		{"observed", c.Observed},
	}
}

func (p page) closing(r Result) string {
	var b strings.Builder
	if !p.Quiet {
		p.subject(&b, r)
		b.WriteByte('\n')
		p.hang(&b, "", lipgloss.Style{}, counts(r.Summary))
		p.legend(&b, r.Checks)
	}
	word, meaning := headline(r)
	p.hang(&b, p.paint(p.verdict[word], word)+": ", p.strong, meaning)
	if !p.Quiet {
		p.risks(&b, r.Residual)
	}
	return b.String()
}

func (p page) subject(b *strings.Builder, r Result) {
	s := r.Subject
	b.WriteByte('\n')
	p.hang(b, "", p.heading, "verified")
	p.field(b, "image", joined(" ", s.Image, p.digest(s.ImageDigest)))
	p.field(b, "container", s.Container)
	p.field(b, "engine", joined(" ", s.Engine, s.EngineVersion))
	p.field(b, "runtime", s.Runtime)
	lsm := s.LSM
	if lsm == "none" {
		lsm = "no LSM"
	}
	p.field(b, "kernel", joined(", ", s.Kernel, prefixed("cgroup ", s.Cgroup), lsm))
	p.field(b, "policy", joined(" ", r.Policy, p.digest(r.PolicyDigest)))
	run := r.RunID
	if !r.Started.IsZero() {
		run = joined(", ", run, r.Started.UTC().Format(time.RFC3339))
	}
	p.field(b, "run", joined(", ", run, prefixed("took ", duration(r.DurationMS))))
}

// legend explains the marks of held checks that were not exercised.
func (p page) legend(b *strings.Builder, checks []Check) {
	for _, l := range []detail{
		{"kernel", "read from the kernel's own state; not attempted in the container"},
		{"declared", "only the engine says so; not attempted in the container"},
	} {
		if n := graded(checks, l.label); n > 0 {
			p.hang(b, fmt.Sprintf("[%s] ", l.label), p.faint, fmt.Sprintf("%d held: %s", n, l.text))
		}
	}
}

func (p page) risks(b *strings.Builder, risks []Risk) {
	if len(risks) == 0 {
		return
	}
	b.WriteByte('\n')
	p.hang(b, "", p.heading, "residual risks, which no setting here takes away")
	for _, r := range risks {
		p.hang(b, "  "+p.paint(p.faint, "•")+" ", lipgloss.Style{}, joined(": ", Sanitize(r.ID, maxName), Sanitize(r.Title, maxName)))
		if r.Detail != "" {
			p.hang(b, "      ", lipgloss.Style{}, Sanitize(r.Detail, p.limit))
		}
	}
}

// digest shortens a digest to what people compare by eye; the other formats
// have all of it.
func (p page) digest(s string) string {
	const short = len("sha256:") + 16
	if p.Verbose || len(s) <= short || !strings.HasPrefix(s, "sha256:") {
		return s
	}
	return s[:short] + "…"
}

func duration(ms int64) string {
	if ms <= 0 {
		return ""
	}
	return time.Duration(ms * int64(time.Millisecond)).Round(time.Millisecond).String()
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func joined(sep string, parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, sep)
}

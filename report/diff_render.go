package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"charm.land/lipgloss/v2"
)

// changeSigns goes with the kinds of change.
var changeSigns = []struct{ kind, sign string }{
	{worse, "▼"}, {gone, "−"}, {weaker, "↓"}, {added, "+"}, {stronger, "↑"}, {better, "▲"},
}

// DiffText writes d for people to read, the worst first. Quiet leaves out all but
// regressions.
func DiffText(w io.Writer, d Diff, o TextOptions) error {
	p := newPage(o)
	var b strings.Builder
	for _, r := range d.Results {
		p.hang(&b, "", p.heading, diffName(r))
		for _, k := range changeSigns {
			for _, c := range r.Changes {
				if c.Kind == k.kind && (c.Regression || !o.Quiet) {
					p.change(&b, k.sign, c)
				}
			}
		}
		p.hang(&b, "  ", lipgloss.Style{}, diffCounts(r.Summary))
		b.WriteByte('\n')
	}
	p.hang(&b, "", p.strong, DiffHeadline(d))
	_, err := io.WriteString(w, b.String())
	return err
}

func (p page) change(b *strings.Builder, sign string, c Change) {
	style := lipgloss.Style{}
	if c.Regression && p.Color {
		style = p.verdict["BROKEN"]
	}
	lead := "  " + p.paint(style, sign+" "+pad(c.Kind, 9))
	p.hang(b, lead, lipgloss.Style{}, Sanitize(c.Check, maxName)+": "+transition(c))
	p.field(b, "reason", c.New.Reason)
}

// transition is a check's verdict before and after, with its evidence where only
// that changed.
func transition(c Change) string {
	was, is := markOf(c.Old.Verdict).word, markOf(c.New.Verdict).word
	switch c.Kind {
	case added:
		return is
	case gone:
		return "was " + was
	case weaker, stronger:
		return fmt.Sprintf("%s: %s → %s", is, Sanitize(c.Old.Evidence, maxName), Sanitize(c.New.Evidence, maxName))
	}
	return was + " → " + is
}

// DiffHeadline is what a comparison comes to, in a line.
func DiffHeadline(d Diff) string {
	n := d.Regressions()
	if n == 0 {
		return "no regression"
	}
	return plural(n, "regression")
}

func diffName(r SubjectDiff) string {
	switch {
	case r.Old == nil && r.New == nil:
		return "nothing"
	case r.Old == nil:
		return "new: " + onRuntime(*r.New)
	case r.New == nil:
		return "gone: " + onRuntime(*r.Old)
	}
	was, is := onRuntime(*r.Old), onRuntime(*r.New)
	if was == is {
		return is
	}
	return was + " → " + is
}

func diffCounts(s DiffSummary) string {
	var parts []string
	for _, c := range []struct {
		n    int
		word string
	}{{s.Worse, worse}, {s.Gone, gone}, {s.Weaker, weaker}, {s.New, added}, {s.Stronger, stronger}, {s.Better, better}, {s.Same, "as before"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.word))
		}
	}
	if len(parts) == 0 {
		return "no checks"
	}
	return strings.Join(parts, ", ")
}

// DiffJSON writes d in the form that DiffSchema names. Control characters are
// escaped, as JSON does.
func DiffJSON(w io.Writer, d Diff) error {
	d.Schema = DiffSchema
	d.Results = append([]SubjectDiff{}, d.Results...)
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the comparison: %w", err)
	}
	_, err = w.Write(append(inert(b), '\n'))
	return err
}

// DiffMarkdown writes d as GitHub Flavored Markdown within MaxMarkdown bytes, the
// worst first.
func DiffMarkdown(w io.Writer, d Diff) error {
	p := newMdPage()
	p.add("## Tightship: %s\n\n", DiffHeadline(d))
	for _, r := range d.Results {
		p.add("**%s**: %s\n\n", mdText(diffName(r)), diffCounts(r.Summary))
		if len(r.Changes) == 0 {
			continue
		}
		p.table("", "change", "check", "from → to", "reason")
		for _, k := range changeSigns {
			for _, c := range r.Changes {
				if c.Kind == k.kind {
					kind := c.Kind
					if c.Regression {
						kind = "**" + kind + "**"
					}
					p.row(k.sign, kind, mdCode(c.Check), mdText(transition(c)), mdText(c.New.Reason))
				}
			}
		}
		p.add("\n")
	}
	return p.writeTo(w)
}

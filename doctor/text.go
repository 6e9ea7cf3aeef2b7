package doctor

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/clipperhouse/displaywidth"

	"github.com/tightship-dev/tightship/report"
)

// TextOptions is how the text form looks.
type TextOptions struct {
	Width int  // columns; 0 is report.DefaultWidth
	Color bool // ANSI colours; without it there is no escape sequence at all
}

// Columns of the text form.
const (
	levelWidth = 7  // of the longest level
	titleWidth = 15 // of most titles
	minDetail  = 24 // narrower than this, a detail goes below its title
	stepIndent = 6  // of words; a command is two columns further in
)

// signs and styles of the levels. The word alone is enough to tell them apart.
var signs = map[Level]string{OK: "✓", Note: "–", Warning: "!", Missing: "✗"}

var styles = map[Level]lipgloss.Style{
	OK:      lipgloss.NewStyle().Foreground(lipgloss.Green),
	Note:    lipgloss.NewStyle().Faint(true),
	Warning: lipgloss.NewStyle().Foreground(lipgloss.Yellow).Bold(true),
	Missing: lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true),
}

var bold = lipgloss.NewStyle().Bold(true)

// Text writes r for people to read.
func Text(w io.Writer, r Result, o TextOptions) error {
	if o.Width <= 0 {
		o.Width = report.DefaultWidth
	}
	p := &page{TextOptions: o}
	p.line(p.paint(bold, "tightship doctor: what this machine has, what works, what is missing"))
	for _, group := range Groups {
		p.group(group, r.Findings)
	}
	p.ways(r.Ways)
	p.closing(r)
	_, err := w.Write(p.b.Bytes())
	return err
}

type page struct {
	TextOptions
	b bytes.Buffer
}

func (p *page) line(s string) { p.b.WriteString(strings.TrimRight(s, " ") + "\n") }

func (p *page) paint(s lipgloss.Style, text string) string {
	if !p.Color {
		return text
	}
	return s.Render(text)
}

// hang writes first and then text, wrapped beside it.
func (p *page) hang(first, text string) {
	indent := lipgloss.Width(first)
	for i, line := range report.Wrap(text, max(p.Width-indent, minDetail)) {
		if i > 0 {
			first = strings.Repeat(" ", indent)
		}
		p.line(first + line)
	}
}

func (p *page) group(name string, all []Finding) {
	first := true
	for _, f := range all {
		if f.Group != name {
			continue
		}
		if first {
			p.line("")
			p.line(p.paint(bold, name))
			first = false
		}
		p.row(f.Level, string(f.Level), f.Title, f.Detail)
		for _, s := range f.Steps {
			p.step(s)
		}
	}
}

func (p *page) row(l Level, label, title, detail string) {
	lead := "  " + p.paint(styles[l], pad(signs[l]+" "+label, levelWidth+2)) + "  "
	if p.Width-lipgloss.Width(lead)-titleWidth-2 >= minDetail && displaywidth.String(title) <= titleWidth {
		p.hang(lead+pad(title, titleWidth)+"  ", detail)
		return
	}
	p.hang(lead, title)
	p.hang(strings.Repeat(" ", stepIndent), detail)
}

// step writes a command as it is: it is to be copied.
func (p *page) step(s Step) {
	if s.Text != "" {
		p.hang(strings.Repeat(" ", stepIndent), s.Text)
	}
	p.command(s.Command)
}

func (p *page) command(c string) {
	if c == "" {
		return
	}
	for line := range strings.SplitSeq(c, "\n") {
		p.line(strings.Repeat(" ", stepIndent+2) + line)
	}
}

func (p *page) ways(all []Way) {
	p.line("")
	p.line(p.paint(bold, "what works"))
	if len(all) == 0 {
		p.row(Missing, "no", "nothing", "no engine answers, so that there is nothing to verify with")
	}
	hosts := map[string]bool{}
	for _, w := range all {
		if w.Host != "" {
			hosts[w.Host] = true
		}
	}
	for _, w := range all {
		level, label := OK, "yes"
		if !w.Works {
			level, label = Missing, "no"
		}
		detail := w.Detail
		if len(hosts) > 1 && w.Host != "" {
			detail += " (" + w.Host + ")"
		}
		p.row(level, label, w.Engine+" + "+w.Runtime, detail)
		p.command(w.Command)
	}
}

func (p *page) closing(r Result) {
	works := 0
	for _, w := range r.Ways {
		if w.Works {
			works++
		}
	}
	p.line("")
	if r.Works {
		p.hang(p.paint(styles[OK], "READY")+": ", fmt.Sprintf("`tightship verify` can run here in %s", count(works, "way")))
	} else {
		p.hang(p.paint(styles[Missing], "NOT READY")+": ", "`tightship verify` cannot run here yet")
	}
	if r.Next != (Step{}) {
		p.hang("next: ", r.Next.Text)
		p.command(r.Next.Command)
	}
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-displaywidth.String(s)))
}

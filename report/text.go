package report

import (
	"bytes"
	"io"
)

// DefaultWidth is the width of the text form where there is no terminal.
const DefaultWidth = 80

// minWidth is the narrowest the text form gets; a narrower terminal wraps.
const minWidth = 40

// TextOptions is how the text form looks.
type TextOptions struct {
	Width   int  // columns; 0 is DefaultWidth
	Color   bool // ANSI colours; without it there is no escape sequence at all
	Verbose bool // the evidence of every check, not only of those that need action
	Quiet   bool // only what did not hold, and the headline
}

// Text writes r for people to read.
func Text(w io.Writer, r Report, o TextOptions) error {
	var b bytes.Buffer
	for i, result := range r.Results {
		if i > 0 {
			b.WriteByte('\n')
		}
		s := NewStream(&b, o)
		// A buffer's writes do not fail.
		_ = s.Start(result.Subject, result.Policy)
		_ = s.Finish(result)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Brief writes one of several results: what it is about, what did not hold, and
// the verdict; with o.Verbose all of it.
func Brief(w io.Writer, r Result, o TextOptions) error {
	var b bytes.Buffer
	quiet := o
	quiet.Quiet = false
	b.WriteByte('\n')
	_ = NewStream(&b, quiet).Start(r.Subject, r.Policy)
	o.Quiet = !o.Verbose
	_ = NewStream(&b, o).Finish(r)
	_, err := w.Write(b.Bytes())
	return err
}

// Line says in one line what came of one of several subjects.
func Line(r Result) string {
	return subjectName(r.Subject) + ": " + Headline(r)
}

// Stream writes the text form of one result piece by piece, each piece in one
// write, while the verification runs. Fed in the report's order it writes
// exactly what Text would.
type Stream struct {
	w    io.Writer
	page page
	done map[string]string // what was written, by section
}

// NewStream returns a Stream that writes to w.
func NewStream(w io.Writer, o TextOptions) *Stream {
	return &Stream{w: w, page: newPage(o), done: map[string]string{}}
}

// Start writes the title. Of the subject it uses what is known beforehand:
// Image, Container.
func (s *Stream) Start(subject Subject, policyFile string) error {
	return s.write(s.page.title(subject, policyFile))
}

// Section writes one section. Calling it again for the same section writes it
// again only if it changed.
func (s *Stream) Section(name string, checks []Check) error {
	text := s.page.section(name, checks)
	if old, ok := s.done[name]; ok && old == text {
		return nil
	}
	s.done[name] = text
	return s.write(text)
}

// Finish writes the sections of r that are not yet written, and the summary.
func (s *Stream) Finish(r Result) error {
	for _, sec := range sections(r.Checks) {
		if err := s.Section(sec.name, sec.checks); err != nil {
			return err
		}
	}
	return s.write(s.page.closing(r))
}

func (s *Stream) write(text string) error {
	if text == "" {
		return nil
	}
	_, err := io.WriteString(s.w, text)
	return err
}

type section struct {
	name   string
	checks []Check
}

// sections groups checks by section, in the order in which those first appear.
func sections(checks []Check) []section {
	var out []section
	at := map[string]int{}
	for _, c := range checks {
		i, ok := at[c.Section]
		if !ok {
			i = len(out)
			at[c.Section] = i
			out = append(out, section{name: c.Section})
		}
		out[i].checks = append(out[i].checks, c)
	}
	return out
}

package main

import (
	"fmt"
	"strings"
	"sync"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/report"
	"github.com/tightship-dev/tightship/verify"
)

// progress shows a verification while it runs: text on standard output section
// by section, or lines on standard error.
type progress struct {
	ui     *ui
	stream *report.Stream // nil where standard output carries a machine format
	title  func()
	format string
}

func (a *app) newProgress(out outputs, f verifyFlags, s verify.Subject, p *policy.Policy) *progress {
	source := ""
	if p != nil {
		source = p.Source
	}
	show := &progress{ui: a.ui, format: out.stdout}
	if out.stdout == "text" {
		show.stream = report.NewStream(a.ui.out, a.textOptions(f))
		// A failing standard output is remembered by a.ui.out. Nothing is written
		// before there is something to say: no image, no title.
		show.title = sync.OnceFunc(func() { _ = show.stream.Start(report.Subject{Image: s.Image, Container: s.Container}, source) })
	} else {
		under := "the built-in policy"
		if source != "" {
			under = "policy " + source
		}
		a.ui.note("verifying %s under %s", s, under)
	}
	return show
}

func (s *progress) event(e verify.Event) {
	if s.stream != nil {
		s.title()
		_ = s.stream.Section(string(e.Section), e.Checks)
	} else {
		s.ui.note("%s", report.SectionLine(string(e.Section), e.Checks))
	}
	s.ui.setStatus(waiting(e.Pending))
}

func (s *progress) finish(r report.Report) {
	if s.format == "text" {
		s.title()
		_ = s.stream.Finish(r.Results[0])
		return
	}
	s.ui.machine(s.format, r)
	s.ui.note("%s", report.Headline(r.Results[0]))
}

// machine writes the report to standard output in a format for programs. A
// failing standard output is remembered by the ui.
func (u *ui) machine(format string, r report.Report) {
	for _, f := range formats {
		if f.name == format {
			_ = f.render(u.out, r)
		}
	}
}

// total closes a report on several subjects.
func (u *ui) total(out outputs, r report.Report, asked int) {
	line := report.Total(r, asked)
	if out.stdout == "text" {
		_, _ = fmt.Fprintf(u.out, "\n%s\n", line)
		return
	}
	u.machine(out.stdout, r)
	u.note("%s", line)
}

func waiting(pending []check.Section) string {
	if len(pending) == 0 {
		return "waiting for: the clean-up"
	}
	var names []string
	for _, p := range pending {
		names = append(names, string(p))
	}
	return "waiting for: " + strings.Join(names, ", ")
}

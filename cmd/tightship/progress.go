package main

import (
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

func (a *app) newProgress(out outputs, f verifyFlags, p *policy.Policy) *progress {
	show := &progress{ui: a.ui, format: out.stdout}
	if out.stdout == "text" {
		show.stream = report.NewStream(a.ui.out, report.TextOptions{
			Width: a.ui.textWidth(), Color: a.ui.color, Verbose: f.verbose, Quiet: f.quiet,
		})
		// A failing standard output is remembered by a.ui.out. Nothing is written
		// before there is something to say: no image, no title.
		show.title = sync.OnceFunc(func() { _ = show.stream.Start(report.Subject{Image: p.Image}, p.Source) })
	} else {
		source := "the built-in policy"
		if p.Source != "" {
			source = "policy " + p.Source
		}
		a.ui.note("verifying image %s under %s", p.Image, source)
	}
	if len(f.only)+len(f.skip) > 0 {
		a.ui.note("only a part of the checks was asked for, and the verdict covers only that part")
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
	switch s.format {
	case "text":
		s.title()
		_ = s.stream.Finish(r.Results[0])
		return
	case "json":
		_ = report.JSON(s.ui.out, r)
	case "junit":
		_ = report.JUnit(s.ui.out, r)
	}
	s.ui.note("%s", report.Headline(r.Results[0]))
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

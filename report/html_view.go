package report

import (
	"fmt"
	"html/template"
	"strings"
)

// What the page shows, in the form in which the template needs it. All text has
// been through Sanitize; the template escapes it for the place where it stands.

type htmlReport struct {
	htmlHead
	Contents  []htmlLink
	Matrix    *htmlMatrix
	Results   []htmlResult
	Standards [][]htmlStandard // by standard
}

type htmlLink struct{ Anchor, Text string }

type htmlMark struct{ Class, Sign, Word string }

type htmlResult struct {
	htmlMark
	Anchor, Name, Meaning, Repeat string
	Bar                           []htmlBar
	Counts                        []htmlCount
	Facts                         []htmlField
	Heads                         []string
	Findings                      []htmlCheck // what did not hold, the worst first
	Sections                      []htmlSection
	Risks                         []Risk
}

type htmlBar struct {
	Class    string
	X, Width int // of 1000
}

type htmlCount struct {
	htmlMark
	N int
}

type htmlField struct{ Label, Text, Class string }

type htmlSection struct {
	Anchor, Name string
	Cells        []htmlCount
	Checks       []htmlCheck
}

type htmlCheck struct {
	htmlMark
	Anchor, ID, Title, Grade string
	Open                     bool
	Evidence                 []htmlField
}

// List is the evidence as the items of a list. With ten fields to each of ten
// thousand checks it is where a template would spend its time, so this one piece
// of a page is put together here; every text goes through the template's escaper.
func (c htmlCheck) List() template.HTML {
	var b strings.Builder
	for _, f := range c.Evidence {
		b.WriteString("<dt>" + template.HTMLEscapeString(f.Label) + "</dt><dd")
		if f.Class != "" {
			b.WriteString(` class="` + template.HTMLEscapeString(f.Class) + `"`)
		}
		b.WriteString(">" + template.HTMLEscapeString(f.Text) + "</dd>")
	}
	return template.HTML(b.String())
}

type htmlStandard struct {
	htmlMark
	Standard string
	IDs      []string
}

func newHTMLReport(r Report) htmlReport {
	title := fmt.Sprintf("Verification of %s", plural(len(r.Results), "subject"))
	if len(r.Results) == 1 {
		title = headlineWord(r.Results[0]) + ": " + subjectName(r.Results[0].Subject)
	}
	page := htmlReport{htmlHead: newHTMLHead(title, style)}
	if len(r.Results) > 1 {
		page.Contents = append(page.Contents, htmlLink{"subjects", "Subjects"})
		page.Matrix = newHTMLMatrix(r)
	}
	for i, res := range r.Results {
		view := newHTMLResult(res, fmt.Sprintf("r%d", i+1))
		if len(r.Results) > 1 {
			view.Name = onRuntime(res.Subject)
		}
		page.Results = append(page.Results, view)
		if len(r.Results) > 1 {
			page.Contents = append(page.Contents, htmlLink{view.Anchor, view.Name})
			continue
		}
		page.Contents = append(page.Contents, htmlLink{view.Anchor + "-sections", "By section"}, htmlLink{view.Anchor + "-checks", "Every check"})
		if len(view.Risks) > 0 {
			page.Contents = append(page.Contents, htmlLink{view.Anchor + "-risks", "Residual risks"})
		}
		page.Contents = append(page.Contents, htmlLink{view.Anchor + "-repeat", "How to repeat it"})
	}
	last := ""
	for _, c := range standards(r) {
		if c.standard != last || len(page.Standards) == 0 {
			page.Standards, last = append(page.Standards, nil), c.standard
		}
		group := &page.Standards[len(page.Standards)-1]
		*group = append(*group, htmlStandard{viewOf(c.verdict), c.standard, c.ids})
	}
	if len(page.Standards) > 0 {
		page.Contents = append(page.Contents, htmlLink{"standards", "Standards"})
	}
	return page
}

// viewOf is a verdict's mark with the name of its colours.
func viewOf(verdict string) htmlMark {
	m := markOf(verdict)
	class := inconclusive
	switch verdict {
	case pass, fail, accepted, notApplicable:
		class = verdict
	}
	return htmlMark{class, m.sign, m.word}
}

func viewOfOutcome(s Summary) htmlMark {
	switch Outcome(s) {
	case proven:
		return viewOf(pass)
	case failed:
		return viewOf(fail)
	}
	return viewOf(inconclusive)
}

// shown is every verdict, in the order of counts.
var shown = []string{pass, fail, inconclusive, accepted, notApplicable}

func countsOf(s Summary) []htmlCount {
	var out []htmlCount
	for i, n := range []int{s.Pass, s.Fail, s.Inconclusive, s.Accepted, s.NotApplicable} {
		out = append(out, htmlCount{viewOf(shown[i]), n})
	}
	return out
}

func newHTMLResult(r Result, anchor string) htmlResult {
	word, meaning := headline(r)
	view := htmlResult{htmlMark: viewOfOutcome(r.Summary), Anchor: anchor, Name: subjectName(r.Subject), Meaning: capital(meaning), Repeat: repeat(r)}
	view.Word = word
	all := tally(r.Checks)
	total, x := max(len(r.Checks), 1), 0
	for _, c := range countsOf(all) {
		view.Heads = append(view.Heads, c.Word)
		if c.N == 0 {
			continue
		}
		view.Counts = append(view.Counts, c)
		width := max(c.N*1000/total, 4) // one failure among thousands is seen
		view.Bar = append(view.Bar, htmlBar{c.Class, x, width})
		x += width
	}
	for _, f := range facts(r) {
		view.Facts = append(view.Facts, htmlField{Label: f.label, Text: Sanitize(f.text, maxName)})
	}
	n := 0
	for i, sec := range sections(r.Checks) {
		s := htmlSection{Anchor: fmt.Sprintf("%s-s%d", anchor, i+1), Name: Sanitize(sec.name, maxName), Cells: countsOf(tally(sec.checks))}
		for _, c := range sec.checks {
			s.Checks = append(s.Checks, newHTMLCheck(r, c, checkAnchor(anchor, n)))
			n++
		}
		view.Sections = append(view.Sections, s)
	}
	for _, class := range []string{fail, inconclusive, accepted} {
		for _, s := range view.Sections {
			for _, c := range s.Checks {
				if c.Class == class {
					view.Findings = append(view.Findings, c)
				}
			}
		}
	}
	for _, risk := range r.Residual {
		view.Risks = append(view.Risks, Risk{Sanitize(risk.ID, maxName), Sanitize(risk.Title, maxName), Sanitize(risk.Detail, maxField)})
	}
	return view
}

// checkAnchor is the place of a result's n-th check, in the order of sections.
func checkAnchor(result string, n int) string { return fmt.Sprintf("%s-c%d", result, n+1) }

func newHTMLCheck(r Result, c Check, anchor string) htmlCheck {
	view := htmlCheck{
		htmlMark: viewOf(c.Verdict), Anchor: anchor, ID: Sanitize(c.ID, maxName), Title: Sanitize(c.Title, maxName),
		Open: c.Verdict != accepted && needsAction(c.Verdict),
	}
	if c.Verdict == pass {
		view.Grade = Sanitize(c.Evidence, maxName)
	}
	place := ""
	if r.Policy != "" && c.Line > 0 {
		place = fmt.Sprintf("%s, line %d", r.Policy, c.Line)
	}
	fields := details(c)
	fields = append(fields, detail{"hint", c.Hint}, detail{"evidence", c.Evidence}, detail{"setting", joined(": ", c.Setting, place)},
		detail{"refs", strings.Join(c.Refs, ", ")}, detail{"replaces", strings.Join(c.Seed, ", ")}, detail{"took", duration(c.DurationMS)})
	for _, f := range fields {
		if f.text == "" {
			continue
		}
		class := ""
		if f.label == "reason" || f.label == "hint" {
			class = f.label
		}
		view.Evidence = append(view.Evidence, htmlField{f.label, Sanitize(f.text, maxVerbose), class})
	}
	return view
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

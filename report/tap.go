package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// TAP writes r in the Test Anything Protocol, version 13, whose every line
// version 14 reads the same way; perl's prove takes no higher one. A check is a
// test point with a YAML block of its evidence:
//
//	held            ok
//	broken          not ok
//	unmeasured      not ok, because the test could not do its work
//	accepted        not ok, # TODO: known to be below the bar, and no failure
//	not applicable  ok, # SKIP
//
// Several subjects follow one another in one plan, each point with its subject.
func TAP(w io.Writer, r Report) error {
	var b bytes.Buffer
	n := 0
	for _, res := range r.Results {
		n += len(res.Checks)
	}
	fmt.Fprintf(&b, "TAP version 13\n1..%d\n", n)
	n = 0
	for _, res := range r.Results {
		fmt.Fprintf(&b, "# %s\n# %s\n", subjectName(res.Subject), Headline(res))
		subject := ""
		if len(r.Results) > 1 {
			subject = joined(" ", subjectName(res.Subject), Sanitize(res.Subject.Runtime, maxName)) + ": "
		}
		for _, c := range res.Checks {
			n++
			tapPoint(&b, n, subject, c)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

func tapPoint(b *bytes.Buffer, n int, subject string, c Check) {
	status, directive := "not ok", ""
	switch c.Verdict {
	case pass:
		status = "ok"
	case accepted:
		directive = "TODO"
	case notApplicable:
		status, directive = "ok", "SKIP"
	}
	name := subject + Sanitize(c.ID, maxName) + ": " + Sanitize(c.Title, maxName)
	fmt.Fprintf(b, "%s %d - %s", status, n, tapText(name))
	if directive != "" {
		fmt.Fprintf(b, " # %s %s", directive, tapText(Sanitize(c.Reason, maxField)))
	}
	b.WriteString("\n  ---\n")
	fields := []detail{{"verdict", c.Verdict}, {"evidence", c.Evidence}, {"section", c.Section}}
	fields = append(fields, details(c)...)
	for _, d := range append(fields, detail{"hint", c.Hint}, detail{"refs", strings.Join(c.Refs, ", ")}, detail{"setting", c.Setting}) {
		if d.text != "" {
			fmt.Fprintf(b, "  %s: %s\n", d.label, yamlString(Sanitize(d.text, maxField)))
		}
	}
	b.WriteString("  ...\n")
}

// Number signs begin a directive in a description; in a quoted YAML string of
// sanitized text only two characters mean anything.
var (
	tapEscapes  = strings.NewReplacer(`\`, `\\`, `#`, `\#`)
	yamlEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)
)

func tapText(s string) string { return tapEscapes.Replace(s) }

func yamlString(s string) string { return `"` + yamlEscapes.Replace(s) + `"` }

package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// JUnit writes r as JUnit XML: a suite per section, a case per check. Dashboards
// know four outcomes, and none of them may look better than it is:
//
//	held            passed
//	broken          failure
//	unmeasured      error, because the test could not do its work
//	accepted        skipped, saying so: a pass would hide that it is below the bar
//	not applicable  skipped, with the reason
func JUnit(w io.Writer, r Report) error {
	doc := junitDoc{Name: "tightship"}
	var total int64
	for _, res := range r.Results {
		for _, sec := range sections(res.Checks) {
			s := suite(res, sec, len(r.Results) > 1)
			doc.Tests += s.Tests
			doc.Failures += s.Failures
			doc.Errors += s.Errors
			doc.Skipped += s.Skipped
			doc.Suites = append(doc.Suites, s)
		}
		total += res.DurationMS
	}
	doc.Time = seconds(total)
	b, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("encode JUnit: %w", err)
	}
	_, err = w.Write(append([]byte(xml.Header), append(b, '\n')...))
	return err
}

type junitDoc struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr,omitempty"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitOutcome `xml:"failure"`
	Error   *junitOutcome `xml:"error"`
	Skipped *junitOutcome `xml:"skipped"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitOutcome struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// suite renders one section. Of several subjects each gets class names of its
// own: dashboards tell cases apart by class and name.
func suite(r Result, sec section, several bool) junitSuite {
	name := Sanitize(sec.name, maxName)
	class := "tightship." + strings.ReplaceAll(name, " ", "-")
	if several {
		subject := Sanitize(joined(" ", r.Subject.Container, r.Subject.Image, r.Subject.Runtime), maxName)
		name = subject + ": " + name
		class = "tightship." + subject + "." + strings.ReplaceAll(Sanitize(sec.name, maxName), " ", "-")
	}
	t := tally(sec.checks)
	s := junitSuite{
		Name: name, Tests: len(sec.checks), Failures: t.Fail, Errors: t.Inconclusive,
		Skipped: t.Accepted + t.NotApplicable, Properties: properties(r),
	}
	if !r.Started.IsZero() {
		s.Timestamp = r.Started.UTC().Format("2006-01-02T15:04:05")
	}
	var total int64
	for _, c := range sec.checks {
		total += c.DurationMS
		s.Cases = append(s.Cases, testcase(c, class))
	}
	s.Time = seconds(total)
	return s
}

func properties(r Result) []junitProperty {
	var out []junitProperty
	for _, d := range []detail{
		{"image", r.Subject.Image}, {"image_digest", r.Subject.ImageDigest}, {"container", r.Subject.Container},
		{"engine", joined(" ", r.Subject.Engine, r.Subject.EngineVersion)}, {"runtime", r.Subject.Runtime},
		{"kernel", r.Subject.Kernel}, {"policy", r.Policy}, {"policy_digest", r.PolicyDigest},
		{"run_id", r.RunID}, {"verdict", r.Summary.Verdict},
	} {
		if d.text != "" {
			out = append(out, junitProperty{d.label, Sanitize(d.text, maxName)})
		}
	}
	return out
}

func testcase(c Check, class string) junitCase {
	out := junitCase{Class: class, Name: Sanitize(c.ID, maxName), Time: seconds(c.DurationMS)}
	text := evidence(c)
	message := Sanitize(c.Reason, maxField)
	if message == "" {
		message = Sanitize(c.Title, maxName)
	}
	switch c.Verdict {
	case pass:
		out.Out = text
	case fail:
		out.Failure = &junitOutcome{Type: fail, Message: message, Text: text}
	case accepted:
		out.Skipped = &junitOutcome{Message: "accepted by the policy, below the bar: " + message}
		out.Out = text
	case notApplicable:
		out.Skipped = &junitOutcome{Message: "not applicable: " + message}
		out.Out = text
	default:
		out.Error = &junitOutcome{Type: inconclusive, Message: message, Text: text}
	}
	return out
}

// evidence is a check's title and evidence, a line each.
func evidence(c Check) string {
	var b strings.Builder
	b.WriteString(Sanitize(c.Title, maxName) + "\n")
	for _, d := range append(details(c),
		detail{"evidence", c.Evidence}, detail{"refs", strings.Join(c.Refs, ", ")}, detail{"hint", c.Hint}) {
		if d.text != "" {
			b.WriteString(pad(d.label, labelWidth) + Sanitize(d.text, maxVerbose) + "\n")
		}
	}
	return b.String()
}

func seconds(ms int64) string {
	return fmt.Sprintf("%.3f", (time.Duration(ms) * time.Millisecond).Seconds())
}

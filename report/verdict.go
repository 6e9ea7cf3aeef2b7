package report

import (
	"fmt"
	"strings"
)

// The words of a Report, as in its JSON form. Package check has the same ones;
// this package stays free of it so that a report can be read without it.
const (
	pass          = "pass"
	fail          = "fail"
	inconclusive  = "inconclusive"
	accepted      = "accepted"
	notApplicable = "not-applicable"

	proven = "proven"
	failed = "failed"

	exercised = "exercised"
)

// mark is a verdict's sign and word. The word alone is enough to tell them
// apart, for those who cannot see the sign or its colour.
type mark struct{ sign, word string }

func markOf(verdict string) mark {
	switch verdict {
	case pass:
		return mark{"✓", "held"}
	case fail:
		return mark{"✗", "BROKEN"}
	case accepted:
		return mark{"~", "accepted"}
	case notApplicable:
		return mark{"–", "n/a"}
	}
	// Inconclusive, and every word that a report must not contain: what we
	// cannot read has not held.
	return mark{"?", "unmeasured"}
}

// needsAction reports whether a check shows its evidence without being asked.
func needsAction(verdict string) bool {
	return verdict != pass && verdict != notApplicable
}

// tally counts verdicts in the order held, broken, unmeasured, accepted, n/a.
func tally(checks []Check) Summary {
	var s Summary
	for _, c := range checks {
		switch c.Verdict {
		case pass:
			s.Pass++
		case fail:
			s.Fail++
		case accepted:
			s.Accepted++
		case notApplicable:
			s.NotApplicable++
		default:
			s.Inconclusive++
		}
	}
	return s
}

// counts puts a summary in words, leaving out what did not occur.
func counts(s Summary) string {
	var parts []string
	for _, c := range []struct {
		n       int
		verdict string
	}{{s.Pass, pass}, {s.Fail, fail}, {s.Inconclusive, inconclusive}, {s.Accepted, accepted}, {s.NotApplicable, notApplicable}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, markOf(c.verdict).word))
		}
	}
	if len(parts) == 0 {
		return "no checks"
	}
	return strings.Join(parts, ", ")
}

// SectionLine sums a section up in one line: what the progress of a
// verification looks like where its text does not go. It names the checks that
// need action.
func SectionLine(name string, checks []Check) string {
	line := Sanitize(name, maxName) + ": " + counts(tally(checks))
	var ids []string
	for _, c := range checks {
		if needsAction(c.Verdict) {
			ids = append(ids, Sanitize(c.ID, maxName))
		}
	}
	if len(ids) > 0 {
		line += " (" + strings.Join(ids, ", ") + ")"
	}
	return line
}

// Headline says in a word and a sentence what a result means.
func Headline(r Result) string {
	word, meaning := headline(r)
	return word + ": " + meaning
}

// Total says what a report comes to of the asked number of subjects: the headline
// of the one result, or how many of several were proven. What has no result could
// not be verified.
func Total(r Report, asked int) string {
	if asked == 1 && len(r.Results) == 1 {
		return Headline(r.Results[0])
	}
	n := map[string]int{}
	for _, result := range r.Results {
		n[Outcome(result.Summary)]++
	}
	parts := []string{fmt.Sprintf("%d proven", n[proven])}
	for _, word := range []string{failed, inconclusive} {
		if n[word] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[word], word))
		}
	}
	if missing := asked - len(r.Results); missing > 0 {
		parts = append(parts, fmt.Sprintf("%d could not be verified", missing))
	}
	return fmt.Sprintf("%d subjects: %s", asked, strings.Join(parts, ", "))
}

// Outcome is the verdict of a summary: "proven", "failed" or "inconclusive".
// It is the summary's own word, unless the counts beside it say that the word
// is too good to be true.
func Outcome(s Summary) string {
	switch {
	case s.Fail > 0 || s.Verdict == failed:
		return failed
	case s.Verdict == proven && s.Pass > 0:
		return proven
	}
	return inconclusive
}

func headline(r Result) (word, meaning string) {
	s, outcome := r.Summary, Outcome(r.Summary)
	if outcome == proven {
		meaning = verb(s.Pass, "the one protection", fmt.Sprintf("all %d protections", s.Pass)) + " held"
		if n := graded(r.Checks, exercised); n > 0 && n < s.Pass {
			meaning += fmt.Sprintf(", %d of them put to the test in the container and the rest read from the kernel or the engine", n)
		} else if n > 0 {
			meaning += ", " + verb(s.Pass, "", "each ") + "put to the test in the container"
		}
		if s.Accepted > 0 {
			meaning += fmt.Sprintf("; %d below the bar, accepted by the policy", s.Accepted)
		}
		return "PROVEN", meaning + "."
	}
	// The combined row only repeats what other rows found.
	for _, c := range r.Checks {
		switch {
		case c.Section == "stack" && c.Verdict == fail && s.Fail > 1:
			s.Fail--
		case c.Section == "stack" && c.Verdict == inconclusive && s.Inconclusive > 1:
			s.Inconclusive--
		}
	}
	if outcome == failed {
		meaning = plural(s.Fail, "protection") + verb(s.Fail, " is", " are") + " broken"
		if s.Inconclusive > 0 {
			meaning += fmt.Sprintf(", and %d could not be measured", s.Inconclusive)
		}
		return "FAILED", meaning + "."
	}
	if s.Inconclusive == 0 {
		return "INCONCLUSIVE", "nothing was found broken, but nothing was proven either."
	}
	return "INCONCLUSIVE", fmt.Sprintf("nothing was found broken, but %s could not be measured, and what was not measured is not proven.",
		plural(s.Inconclusive, "protection"))
}

// graded counts the passes that rest on this grade of evidence.
func graded(checks []Check, grade string) int {
	n := 0
	for _, c := range checks {
		if c.Verdict == pass && c.Evidence == grade {
			n++
		}
	}
	return n
}

func plural(n int, noun string) string {
	return fmt.Sprintf("%d %s%s", n, noun, verb(n, "", "s"))
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

package report

import (
	"fmt"
	"strings"
)

// The outcomes of a mutant, as in a Proof's JSON form.
const (
	killed          = "killed"
	survived        = "survived"
	crossTalk       = "cross-talk"
	notDemonstrable = "not-demonstrable"
)

// outcomeMark is a mutant's sign and word.
func outcomeMark(outcome string) mark {
	switch outcome {
	case killed:
		return mark{"✓", "killed"}
	case survived:
		return mark{"✗", "SURVIVED"}
	case crossTalk:
		return mark{"✗", "CROSS-TALK"}
	case notDemonstrable:
		return mark{"–", "not shown"}
	}
	return mark{"?", "NOT TRIED"}
}

// ProofHeadline says in a word and a sentence what a proof on one runtime means.
func ProofHeadline(r ProofResult) string {
	word, meaning := proofHeadline(r)
	return word + ": " + meaning
}

// ProofCounts is the counts in one line.
func ProofCounts(s ProofSummary) string {
	line := fmt.Sprintf("killed %d/%d, cross-talk %d, not demonstrable %d", s.Killed, s.Mutants, s.CrossTalk, s.NotDemonstrable)
	for _, more := range []struct {
		n    int
		what string
	}{{s.Survived, "survived"}, {s.Errors, "not tried"}, {s.Blind, "blind"}, {s.Unclear, "unclear"}} {
		if more.n > 0 {
			line += fmt.Sprintf(", %s %d", more.what, more.n)
		}
	}
	return line
}

// ProofOutcome is "proven", "failed" or "inconclusive": the summary's own word,
// unless the counts beside it say that the word is too good to be true.
func ProofOutcome(s ProofSummary) string {
	switch {
	case s.Verdict == failed || s.Survived+s.CrossTalk+s.Blind > 0:
		return failed
	case s.Verdict == proven && s.Killed > 0 && s.Killed == s.Mutants:
		return proven
	}
	return inconclusive
}

func proofHeadline(r ProofResult) (word, meaning string) {
	s := r.Summary
	var wrong []string
	for _, w := range []struct {
		n    int
		text string
	}{
		{s.Survived, plural(s.Survived, "weakening") + " went unnoticed"},
		{s.CrossTalk, plural(s.CrossTalk, "check") + " flipped undeclared"},
		{s.Blind, plural(s.Blind, "check") + verb(s.Blind, " rests", " rest") + " on an attempt that never showed anything"},
		{s.Unclear, plural(s.Unclear, "check") + verb(s.Unclear, " rests", " rest") + " on an attempt that could not be made far enough"},
		{s.Errors, plural(s.Errors, "weakening") + " could not be tried"},
	} {
		if w.n > 0 {
			wrong = append(wrong, w.text)
		}
	}
	if base := Outcome(r.Baseline.Summary); base == failed {
		wrong = append(wrong, "protections are broken before anything is taken away")
	} else if base != proven {
		wrong = append(wrong, "protections could not be measured before anything was taken away")
	}
	switch ProofOutcome(s) {
	case proven:
		return "PROVEN", fmt.Sprintf("%s, one at a time, and each was noticed by exactly the checks that say so.", verb(s.Killed, "1 protection was taken away", fmt.Sprintf("%d protections were taken away", s.Killed)))
	case failed:
		word = "FAILED"
	default:
		word = "INCONCLUSIVE"
		if len(wrong) == 0 {
			wrong = []string{"nothing could be taken away here, and so nothing was shown"}
		}
	}
	return word, strings.Join(wrong, ", ") + "."
}

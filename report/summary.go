package report

// Summarize counts verdicts. One failure makes the whole failed; without one, a
// single check that could not be measured leaves it inconclusive. A report of
// no checks has proven nothing.
func Summarize(checks []Check) Summary {
	var s Summary
	for _, c := range checks {
		switch c.Verdict {
		case "pass":
			s.Pass++
		case "fail":
			s.Fail++
		case "accepted":
			s.Accepted++
		case "not-applicable":
			s.NotApplicable++
		default:
			s.Inconclusive++
		}
	}
	switch {
	case s.Fail > 0:
		s.Verdict = "failed"
	case s.Inconclusive > 0 || s.Pass == 0:
		s.Verdict = "inconclusive"
	default:
		s.Verdict = "proven"
	}
	return s
}

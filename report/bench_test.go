package report

import (
	"fmt"
	"io"
	"testing"
)

// many is a report of n checks as a hostile image would have it: every verdict,
// long text, a standard here and there, many sections.
func many(n int) Report {
	base := fixture().Results[0]
	verdicts := []string{pass, pass, pass, fail, inconclusive, accepted, notApplicable}
	checks := make([]Check, n)
	for i := range checks {
		c := base.Checks[i%2]
		c.ID = fmt.Sprintf("section%d.check-%d", i%12, i)
		c.Section = fmt.Sprintf("section %d", i%12)
		c.Verdict = verdicts[i%len(verdicts)]
		c.Refs = []string{fmt.Sprintf("CIS-Docker 5.%d", i%40)}
		checks[i] = c
	}
	base.Checks, base.Summary = checks, Summarize(checks)
	return Report{Schema: Schema, Results: []Result{base}}
}

// BenchmarkRender shows that no format's time grows faster than its checks.
func BenchmarkRender(b *testing.B) {
	formats := append(Formats(), Format{Name: "verbose", Render: func(w io.Writer, r Report) error { return Text(w, r, TextOptions{Verbose: true}) }})
	for _, f := range formats {
		for _, n := range []int{1000, 10000} {
			r := many(n)
			b.Run(fmt.Sprintf("%s/%d", f.Name, n), func(b *testing.B) {
				for b.Loop() {
					if err := f.Render(io.Discard, r); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkProof(b *testing.B) {
	p := bigProof(100, 80)
	for b.Loop() {
		if err := ProofHTML(io.Discard, p); err != nil {
			b.Fatal(err)
		}
	}
}

package report

import (
	"bytes"
	"strings"
	"testing"
)

// What came of several subjects is said in one line, the missing ones too.
func TestTotal(t *testing.T) {
	result := func(verdict string) Result {
		s := Summary{Verdict: verdict, Pass: 1}
		if verdict == failed {
			s.Fail = 1
		}
		return Result{Summary: s, Checks: []Check{{ID: "a.b", Verdict: pass, Evidence: exercised}}}
	}
	for _, row := range []struct {
		results []string
		asked   int
		want    string
	}{
		{[]string{proven}, 1, "PROVEN: the one protection held, put to the test in the container."},
		{[]string{proven}, 2, "2 subjects: 1 proven, 1 could not be verified"},
		{[]string{proven, failed, inconclusive, failed}, 4, "4 subjects: 1 proven, 2 failed, 1 inconclusive"},
		{nil, 2, "2 subjects: 0 proven, 2 could not be verified"},
	} {
		r := Report{}
		for _, v := range row.results {
			r.Results = append(r.Results, result(v))
		}
		if got := Total(r, row.asked); got != row.want {
			t.Errorf("%q, want %q", got, row.want)
		}
	}
}

// A subject's name is hostile text, and a brief form names it all the same.
func TestBrief(t *testing.T) {
	r := Result{
		Subject: Subject{Image: "i", Container: "web\x1b[2J"}, Summary: Summary{Pass: 1, Fail: 1, Verdict: failed},
		Checks: []Check{{ID: "a.held", Section: "s", Verdict: pass, Evidence: exercised}, {ID: "a.broken", Section: "s", Verdict: fail, Reason: "why"}},
	}
	for verbose, want := range map[bool][]string{false: {"container web", "a.broken", "why", "FAILED"}, true: {"container web", "a.held", "a.broken"}} {
		var b bytes.Buffer
		if err := Brief(&b, r, TextOptions{Verbose: verbose}); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(b.String(), w) {
				t.Errorf("verbose %t: no %q in\n%s", verbose, w, b.String())
			}
		}
		if strings.Contains(b.String(), "\x1b") || !verbose && strings.Contains(b.String(), "a.held") {
			t.Errorf("verbose %t:\n%s", verbose, b.String())
		}
	}
	if line := Line(r); !strings.HasPrefix(line, "container web") || strings.Contains(line, "\x1b") || !strings.Contains(line, "FAILED") {
		t.Errorf("line %q", line)
	}
}

package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

func oneCheck(verdict, evidence string) Report {
	c := Check{ID: "a", Title: "A", Section: "s", Verdict: verdict, Evidence: evidence}
	return Report{Results: []Result{{Checks: []Check{c}, Summary: Summarize([]Check{c})}}}
}

// diffFixture has every kind of change, and hostile text.
func diffFixture() Diff {
	check := func(id, verdict, evidence string) Check {
		return Check{ID: id, Title: "Title of " + id, Section: "s", Verdict: verdict, Evidence: evidence, Reason: "why " + id}
	}
	h := hostile[0] + hostile[len(hostile)-3]
	before, after := calm(proven), calm(proven)
	before.Results[0].Checks = []Check{
		check("worse", pass, exercised), check("lost", pass, exercised), check("retired", notApplicable, "none"), check("weaker", pass, exercised),
		check("unfounded", pass, exercised), check("stronger", pass, "declared"), check("better", fail, exercised), check("same", pass, exercised), check(h, accepted, h),
	}
	after.Results[0].Checks = []Check{
		check("worse", fail, exercised), check("weaker", pass, "kernel"), check("unfounded", pass, "none"), check("stronger", pass, exercised),
		check("better", pass, exercised), check("same", pass, exercised), check("young", fail, exercised), {ID: h, Verdict: h, Evidence: h, Reason: h},
	}
	after.Results[0].Subject.Image = "tightship-agent:next"
	return Compare(before, after)
}

func TestCompareVerdicts(t *testing.T) {
	order := []string{fail, inconclusive, accepted, notApplicable, pass} // from the worst
	for i, from := range order {
		for j, to := range order {
			d := Compare(oneCheck(from, exercised), oneCheck(to, exercised))
			kind := ""
			if changes := d.Results[0].Changes; len(changes) > 0 {
				kind = changes[0].Kind
			}
			want, regressions := "", 0
			switch {
			case j < i:
				want, regressions = worse, 1
			case j > i:
				want = better
			}
			if kind != want || d.Regressions() != regressions {
				t.Errorf("%s → %s: %q with %d regressions, want %q with %d", from, to, kind, d.Regressions(), want, regressions)
			}
		}
	}
}

func TestCompareEvidence(t *testing.T) {
	for _, row := range []struct {
		from, to, kind string
		regressions    int
	}{
		{exercised, "kernel", weaker, 0},
		{"kernel", "declared", weaker, 0},
		{exercised, "none", weaker, 1},
		{exercised, "trust me", weaker, 1},
		{"declared", exercised, stronger, 0},
	} {
		d := Compare(oneCheck(pass, row.from), oneCheck(pass, row.to))
		if len(d.Results[0].Changes) != 1 || d.Results[0].Changes[0].Kind != row.kind || d.Regressions() != row.regressions {
			t.Errorf("%s → %s: %+v", row.from, row.to, d.Results[0])
		}
	}
	if d := Compare(oneCheck(fail, exercised), oneCheck(fail, "none")); len(d.Results[0].Changes) != 0 {
		t.Errorf("what did not hold has no evidence to lose: %+v", d.Results[0].Changes)
	}
}

func TestCompareNewAndGone(t *testing.T) {
	nothing := Report{Results: []Result{{}}}
	for _, row := range []struct {
		name          string
		before, after Report
		kind          string
		regressions   int
	}{
		{"a check that held is gone", oneCheck(pass, exercised), nothing, gone, 1},
		{"a broken one is gone", oneCheck(fail, exercised), nothing, gone, 0},
		{"a new one is broken", nothing, oneCheck(fail, exercised), added, 0},
		{"the whole subject is gone", oneCheck(pass, exercised), Report{}, gone, 1},
		{"the whole subject is new", Report{}, oneCheck(pass, exercised), added, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := Compare(row.before, row.after)
			if c := d.Results[0].Changes; len(c) != 1 || c[0].Kind != row.kind || d.Regressions() != row.regressions {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestCompareSubjects(t *testing.T) {
	of := func(subjects ...string) Report { // IMAGE on RUNTIME
		var r Report
		for _, s := range subjects {
			var sub Subject
			_, _ = fmt.Sscanf(s, "%s on %s", &sub.Image, &sub.Runtime)
			r.Results = append(r.Results, Result{Subject: sub})
		}
		return r
	}
	for _, row := range []struct {
		name          string
		before, after Report
		want          []string
	}{
		{"one each, whatever its name", of("a:1 on runc"), of("b:2 on runsc"), []string{"image a:1 on runc → image b:2 on runsc"}},
		{"by runtime", of("a on runc", "a on runsc"), of("a on runsc", "a on runc"), []string{"image a on runsc", "image a on runc"}},
		{"another tag", of("a:1 on runc", "b:1 on runc"), of("b:2 on runc", "a:2 on runc"), []string{"image b:1 on runc → image b:2 on runc", "image a:1 on runc → image a:2 on runc"}},
		{"the same tag first", of("a:1 on runc", "a:2 on runc"), of("a:2 on runc", "a:3 on runc"), []string{"image a:2 on runc", "image a:1 on runc → image a:3 on runc"}},
		{"new and gone", of("a on runc", "b on runc"), of("a on runc", "c on runc"), []string{"image a on runc", "new: image c on runc", "gone: image b on runc"}},
		{"a port is no tag", of("r:5000/a on runc", "r:5000/b on runc"), of("r:5000/b on runc", "x on runc"), []string{"image r:5000/b on runc", "new: image x on runc", "gone: image r:5000/a on runc"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			var got []string
			for _, r := range Compare(row.before, row.after).Results {
				got = append(got, diffName(r))
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

func FuzzCompare(f *testing.F) {
	for i, h := range hostile {
		f.Add(h, h, uint64(i)*7919)
	}
	f.Fuzz(func(t *testing.T, s, u string, shape uint64) {
		d := Compare(random(s, shape), random(u, shape>>7))
		var text, js, md bytes.Buffer
		if err := DiffText(&text, d, TextOptions{}); err != nil {
			t.Fatal(err)
		}
		checkHarmless(t, text.String())
		noCommands(t, text.String())
		if err := DiffJSON(&js, d); err != nil {
			t.Fatal(err)
		}
		if !json.Valid(js.Bytes()) {
			t.Errorf("not JSON: %s", js.String())
		}
		if err := DiffMarkdown(&md, d); err != nil {
			t.Fatal(err)
		}
		onlyOurMarkdown(t, md.Bytes())
		if n := Compare(random(s, shape), random(s, shape)); len(n.Results) > 0 && n.Regressions()+len(n.Results[0].Changes) > 0 && uniqueIDs(random(s, shape)) {
			t.Errorf("a report differs from itself: %+v", n)
		}
	})
}

func uniqueIDs(r Report) bool {
	for _, res := range r.Results {
		seen := map[string]bool{}
		for _, c := range res.Checks {
			if seen[c.ID] {
				return false
			}
			seen[c.ID] = true
		}
	}
	return true
}

package report

// DiffSchema names the JSON form of a Diff.
const DiffSchema = "tightship.report-diff/v1"

// Diff is what changed from one report to another.
type Diff struct {
	Schema  string        `json:"schema"`
	Results []SubjectDiff `json:"results"` // those of the new report first, in its order
}

// SubjectDiff is what changed about one subject. Old is nil for one that is new,
// New for one that is gone.
type SubjectDiff struct {
	Old     *Subject    `json:"old"`
	New     *Subject    `json:"new"`
	Changes []Change    `json:"changes"`
	Summary DiffSummary `json:"summary"`
}

// Change is one check that did not stay as it was.
type Change struct {
	Check   string `json:"check"`
	Title   string `json:"title"`
	Section string `json:"section"`
	// Kind is "worse" or "better" where the verdict changed, "weaker" or "stronger"
	// where it held before and after and its evidence changed, "gone" or "new".
	Kind string `json:"kind"`
	// Regression says that something was lost: a verdict that fell, a check that
	// held and is gone, or one that still holds, but on no evidence any more.
	Regression bool  `json:"regression"`
	Old        State `json:"old"` // zero for a new check
	New        State `json:"new"` // zero for one that is gone
}

// State is what a check came to.
type State struct {
	Verdict  string `json:"verdict"`
	Evidence string `json:"evidence"`
	Reason   string `json:"reason"`
}

// DiffSummary counts the changes of one subject.
type DiffSummary struct {
	Regressions int `json:"regressions"`
	Worse       int `json:"worse"`
	Gone        int `json:"gone"`
	Weaker      int `json:"weaker"`
	New         int `json:"new"`
	Stronger    int `json:"stronger"`
	Better      int `json:"better"`
	Same        int `json:"same"`
}

// The kinds of change, in the order in which they are shown.
const (
	worse    = "worse"
	gone     = "gone"
	weaker   = "weaker"
	added    = "new"
	stronger = "stronger"
	better   = "better"
)

// verdictRank orders verdicts; one that is not known ranks as unmeasured.
var verdictRank = map[string]int{fail: 0, inconclusive: 1, accepted: 2, notApplicable: 3, pass: 4}

var gradeRank = map[string]int{"declared": 1, "kernel": 2, exercised: 3}

// Regressions counts them over all subjects.
func (d Diff) Regressions() int {
	n := 0
	for _, r := range d.Results {
		n += r.Summary.Regressions
	}
	return n
}

// Compare says what changed from one report to another, by subject and check. Two
// reports on one subject each are compared whatever that is called: image:1 with
// image:2 is what the question mostly is. Of several, those of the same container
// or image and the same runtime belong together, the image's tag counting only
// where there is a choice.
func Compare(before, after Report) Diff {
	d := Diff{Schema: DiffSchema, Results: []SubjectDiff{}}
	partner := pairs(before.Results, after.Results)
	taken := map[int]bool{}
	for i := range after.Results {
		j := partner[i]
		if j < 0 {
			d.Results = append(d.Results, compareResults(nil, &after.Results[i]))
			continue
		}
		taken[j] = true
		d.Results = append(d.Results, compareResults(&before.Results[j], &after.Results[i]))
	}
	for j := range before.Results {
		if !taken[j] {
			d.Results = append(d.Results, compareResults(&before.Results[j], nil))
		}
	}
	return d
}

// pairs is the index of each new result's old one, -1 for none.
func pairs(before, after []Result) []int {
	partner := make([]int, len(after))
	for i := range partner {
		partner[i] = -1
	}
	if len(before) == 1 && len(after) == 1 {
		partner[0] = 0
		return partner
	}
	taken := map[int]bool{}
	for _, key := range []func(Subject) [3]string{
		func(s Subject) [3]string { return [3]string{s.Container, s.Image, s.Runtime} },
		func(s Subject) [3]string { return [3]string{s.Container, repository(s.Image), s.Runtime} },
	} {
		free := map[[3]string][]int{}
		for j, r := range before {
			if !taken[j] {
				free[key(r.Subject)] = append(free[key(r.Subject)], j)
			}
		}
		for i, r := range after {
			if list := free[key(r.Subject)]; partner[i] < 0 && len(list) > 0 {
				partner[i] = list[0]
				taken[list[0]] = true
				free[key(r.Subject)] = list[1:]
			}
		}
	}
	return partner
}

func compareResults(before, after *Result) SubjectDiff {
	out := SubjectDiff{Changes: []Change{}}
	old := map[string][]Check{} // an ID stands once, unless somebody else wrote the report
	if before != nil {
		out.Old = &before.Subject
		for _, c := range before.Checks {
			old[c.ID] = append(old[c.ID], c)
		}
	}
	if after != nil {
		out.New = &after.Subject
		for _, c := range after.Checks {
			var was *Check
			if list := old[c.ID]; len(list) > 0 {
				was, old[c.ID] = &list[0], list[1:]
			}
			out.add(was, &c)
		}
	}
	if before != nil {
		for _, c := range before.Checks {
			if list := old[c.ID]; len(list) > 0 {
				old[c.ID] = list[1:]
				out.add(&list[0], nil)
			}
		}
	}
	return out
}

func (d *SubjectDiff) add(was, is *Check) {
	change := Change{Kind: kindOfChange(was, is)}
	for _, c := range []*Check{was, is} {
		if c != nil {
			change.Check, change.Title, change.Section = c.ID, c.Title, c.Section
		}
	}
	if was != nil {
		change.Old = State{was.Verdict, was.Evidence, was.Reason}
	}
	if is != nil {
		change.New = State{is.Verdict, is.Evidence, is.Reason}
	}
	s := &d.Summary
	switch change.Kind {
	case worse:
		s.Worse++
		change.Regression = true
	case gone:
		s.Gone++
		change.Regression = was.Verdict == pass
	case weaker:
		s.Weaker++
		change.Regression = gradeRank[is.Evidence] == 0
	case added:
		s.New++
	case stronger:
		s.Stronger++
	case better:
		s.Better++
	default:
		s.Same++
		return
	}
	if change.Regression {
		s.Regressions++
	}
	d.Changes = append(d.Changes, change)
}

func kindOfChange(was, is *Check) string {
	switch {
	case was == nil:
		return added
	case is == nil:
		return gone
	}
	switch from, to := rankOf(was.Verdict), rankOf(is.Verdict); {
	case to < from:
		return worse
	case to > from:
		return better
	case is.Verdict != pass:
		return ""
	}
	switch from, to := gradeRank[was.Evidence], gradeRank[is.Evidence]; {
	case to < from:
		return weaker
	case to > from:
		return stronger
	}
	return ""
}

func rankOf(verdict string) int {
	if rank, ok := verdictRank[verdict]; ok {
		return rank
	}
	return verdictRank[inconclusive]
}

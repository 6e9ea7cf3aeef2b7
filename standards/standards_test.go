package standards_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/standards"
)

func catalogue() []standards.Row {
	var rows []standards.Row
	for _, c := range check.Catalogue() {
		rows = append(rows, standards.Row{ID: c.ID, Refs: c.Refs})
	}
	return rows
}

// Every control is accounted for, and every ref leads to one.
func TestCatalogue(t *testing.T) {
	for _, p := range standards.Problems(standards.All(), catalogue()) {
		t.Error(p)
	}
}

// What Problems is for: each mistake that somebody can make is named.
func TestProblems(t *testing.T) {
	list := func(controls ...standards.Control) []standards.Standard {
		return []standards.Standard{{Name: "S", Controls: controls}}
	}
	good := standards.Control{ID: "1", Title: "one"}
	rows := []standards.Row{{ID: "a.b", Refs: []string{"S 1"}}}
	for _, row := range []struct {
		name string
		all  []standards.Standard
		rows []standards.Row
		want []string
	}{
		{"nothing wrong", list(good, standards.Control{ID: "2", Title: "two", Uncovered: "why"}, standards.Control{ID: "3", Title: "three", NotApplicable: "why"}), rows, nil},
		{"a control that does not exist", list(good), []standards.Row{{ID: "a.b", Refs: []string{"S 1", "S 1.1"}}}, []string{`a.b refers to "S 1.1", which is no control of a standard listed here`}},
		{"a standard that does not exist", list(good), []standards.Row{{ID: "a.b", Refs: []string{"S 1", "T 1"}}}, []string{`a.b refers to "T 1", which is no control of a standard listed here`}},
		{"no standard at all", list(good), []standards.Row{{ID: "a.b", Refs: []string{"S 1", "S"}}}, []string{`a.b refers to "S", which is no control of a standard listed here`}},
		{"neither", list(good, standards.Control{ID: "2", Title: "two"}), rows, []string{"S 2 has neither a check nor a reason"}},
		{"both", list(standards.Control{ID: "1", Title: "one", Uncovered: "why"}), rows, []string{"S 1 has a reason why no check covers it, and is covered by a.b"}},
		{"both, not applicable", list(standards.Control{ID: "1", Title: "one", NotApplicable: "why"}), rows, []string{"S 1 has a reason why no check covers it, and is covered by a.b"}},
		{"two reasons", list(good, standards.Control{ID: "2", Title: "two", NotApplicable: "x", Uncovered: "y"}), rows, []string{"S 2 is called both not applicable and uncovered"}},
		{"listed twice", list(good, good), rows, []string{"S 1 is listed twice"}},
		{"no title", list(standards.Control{ID: "1"}), rows, []string{"S 1 has no title"}},
		{"named twice", list(good), []standards.Row{{ID: "a.b", Refs: []string{"S 1", "S 1"}}}, []string{"a.b refers to S 1 twice"}},
		{"open, and nobody names it", []standards.Standard{{Name: "S", Open: true, Controls: []standards.Control{good, {ID: "2", Title: "two"}}}}, rows, []string{"S 2 is listed and no check names it"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, standards.Problems(row.all, row.rows)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// The counts add up, and a control is mapped exactly where a check names it.
func TestTally(t *testing.T) {
	for _, s := range standards.All() {
		n := standards.Tally(s.Cover(catalogue()))
		if n.Controls != len(s.Controls) || n.Mapped+n.NotApplicable+n.Uncovered != n.Controls {
			t.Errorf("%s: %+v of %d controls", s.Name, n, len(s.Controls))
		}
		if n.Mapped == 0 {
			t.Errorf("%s: no control is mapped: is the name the one that refs use?", s.Name)
		}
		if none := standards.Tally(s.Cover(nil)); none.Mapped != 0 {
			t.Errorf("%s: %d controls are mapped without a check", s.Name, none.Mapped)
		}
	}
}

func TestNames(t *testing.T) {
	for _, name := range standards.Names() {
		if s, ok := standards.ByName(strings.ToLower(name)); !ok || !s.Refers(name+" 1") || s.Refers(name) != s.Refers(name+" 1") || s.Refers("X"+name+" 1") {
			t.Errorf("%s is not found, or takes refs that are not its own", name)
		}
	}
	if _, ok := standards.ByName("CIS"); ok {
		t.Error("there is no standard of that name")
	}
}

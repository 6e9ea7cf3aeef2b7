package mutate

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/policy"
)

func TestPairs(t *testing.T) {
	if len(Pairs) < 10 {
		t.Fatalf("%d pairs", len(Pairs))
	}
	base, err := policy.Default().Container()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Pairs {
		t.Run(p.ID(), func(t *testing.T) {
			m, ok := ByID(p.ID())
			a, b := single(p.A), single(p.B)
			if !ok || a.ID == "" || b.ID == "" || p.Title == "" || p.A == p.B {
				t.Fatal("is not two weakenings that exist, with a reason why")
			}
			if a.Image != nil && b.Image != nil {
				t.Error("changes the image twice, of which only one change would be made")
			}
			both, one, other := base.Clone(), base.Clone(), base.Clone()
			m.Apply(&both)
			a.apply(&one)
			b.apply(&other)
			weak, _ := json.Marshal(both)
			for _, c := range []any{base, one, other} {
				if x, _ := json.Marshal(c); string(x) == string(weak) && !m.Socket && m.Image == nil {
					t.Error("is no more than one of the two")
				}
			}
			for id, v := range p.But {
				if _, known := check.ByID(id); !known {
					t.Errorf("%s does not exist", id)
				}
				plain := Pair{A: p.A, B: p.B}
				if plain.expected("", id) == v {
					t.Errorf("%s comes to %s without being said", id, v)
				}
			}
			flips := Flips(p.ID())
			for _, id := range slices.Concat(Flips(p.A), Flips(p.B)) {
				if _, said := p.But[id]; !said && !slices.Contains(flips, id) {
					t.Errorf("%s breaks under one and not under both", id)
				}
			}
			if e := Expected(check.GVisor, m, "stack.combined"); e != check.Pass {
				t.Errorf("an unconcerned row comes to %s", e)
			}
		})
	}
}

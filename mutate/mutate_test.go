package mutate

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/policy"
)

// Every check names what must break it, or says why nothing can.
func TestEveryCheckCanFail(t *testing.T) {
	known := map[string]bool{}
	for _, m := range All() {
		if known[m.ID] {
			t.Errorf("mutation %s is there twice", m.ID)
		}
		known[m.ID] = true
		if m.Title == "" || m.Apply == nil {
			t.Errorf("mutation %s lacks its title or what it does", m.ID)
		}
		if len(Flips(m.ID)) == 0 {
			t.Errorf("no check is broken by mutation %s", m.ID)
		}
		for _, id := range m.Blinds {
			if _, ok := check.ByID(id); !ok {
				t.Errorf("mutation %s blinds %s, which does not exist", m.ID, id)
			}
			if slices.Contains(Flips(m.ID), id) {
				t.Errorf("mutation %s both breaks and blinds %s", m.ID, id)
			}
		}
	}
	for _, c := range check.Catalogue() {
		if (len(c.Mutations) == 0) == (c.NoMutation == "") {
			t.Errorf("%s must have mutations or a reason for none, and not both", c.ID)
		}
		for _, id := range c.Mutations {
			if !known[id] {
				t.Errorf("%s names mutation %s, which does not exist", c.ID, id)
			}
		}
	}
}

// A mutation changes the settings of the default policy, and nothing beside.
func TestMutationsWeaken(t *testing.T) {
	base, err := policy.Default().Container()
	if err != nil {
		t.Fatal(err)
	}
	before, _ := json.Marshal(base)
	for _, m := range All() {
		t.Run(m.ID, func(t *testing.T) {
			if m.Image != nil || m.Socket {
				return // it changes something else
			}
			c := base.Clone()
			m.Apply(&c)
			if after, _ := json.Marshal(c); string(after) == string(before) {
				t.Error("changes nothing")
			}
			if now, _ := json.Marshal(base); string(now) != string(before) {
				t.Fatal("reaches through the clone into the policy's settings")
			}
		})
	}
}

package prove

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/mutate"
	"github.com/tightship-dev/tightship/spec"
	"github.com/tightship-dev/tightship/verify"
)

// evidence is what was seen of one mutant, or of the baseline.
type evidence struct {
	mutation mutate.Mutation
	in       *check.Input // nil where there is nothing to judge
	checks   []*check.Check
	why      string // the reason why it cannot be demonstrated here
	err      error  // why it could not be tried
}

// failed sorts an error of a mutant that could not be verified.
func (e *evidence) failed(err error) {
	switch {
	case errors.Is(err, mutate.ErrNotDemonstrable):
		e.why = strings.TrimPrefix(err.Error(), mutate.ErrNotDemonstrable.Error()+": ")
	case e.mutation.MayBeRefused != "" && errors.Is(err, verify.ErrRefused) && !errors.Is(err, engine.ErrUnreachable):
		e.why = "such a container is refused here (" + e.mutation.MayBeRefused + "): " + err.Error()
	default:
		e.err = err
	}
}

// environment is the checks of the image's own programs, which take longer than
// all the others together.
const environment = "env.*"

// concerns says whether a mutation is held against a check: the image's programs
// are run again only under one that is about them.
func concerns(m mutate.Mutation, c *check.Check) bool {
	return !verify.Match(environment, c.ID) ||
		slices.ContainsFunc(mutate.Flips(m.ID), func(id string) bool { return verify.Match(environment, id) })
}

// nothingThere is the reason where a policy does not have what a mutation takes.
const nothingThere = "the policy asks for nothing there that could be taken away"

// weakens says whether a mutation changes these settings at all.
func weakens(c spec.Container, m mutate.Mutation) bool {
	if m.Image != nil || m.Socket {
		return true
	}
	weak := c.Clone()
	m.Apply(&weak)
	return canonical(c) != canonical(weak)
}

// canonical is settings in a form in which those that mean the same are equal.
func canonical(c spec.Container) string {
	c = c.Clone()
	for _, list := range []*[]string{&c.CapAdd, &c.Groups, &c.Devices} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	b, err := json.Marshal(c)
	if err != nil { // it is made of strings and numbers
		panic(err)
	}
	return string(b)
}

package verify

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/spec"
)

// A weakening leaves most twins as they are: the isolating twin has no system
// call filter with and without seccomp=unconfined. What such a twin saw under the
// policy is what it would see again, so it is not run again.

// unweakened returns what an earlier run without a weakening saw of a twin with
// the same settings; nil where there is none.
func (r *run) unweakened(t check.Twin) *run {
	if r.opts.Twins == nil || r.opts.Weaken == nil || r.original != nil {
		return nil
	}
	r.opts.Twins.mu.Lock()
	base := r.opts.Twins.base
	r.opts.Twins.mu.Unlock()
	if base == nil || base.states[t] == nil || base.states[t].Problem != "" || !r.asksLess(base, t) || r.alike(t) != base.alike(t) {
		return nil
	}
	return base
}

// remember keeps a run without a weakening for those with one.
func (r *run) remember() {
	if r.opts.Twins == nil || r.opts.Weaken != nil || r.original != nil {
		return
	}
	r.opts.Twins.mu.Lock()
	defer r.opts.Twins.mu.Unlock()
	if r.opts.Twins.base == nil {
		r.opts.Twins.base = r
	}
}

// asksLess says whether the other run's twin was asked everything that this
// one's is to be asked, and at the same scale.
func (r *run) asksLess(other *run, t check.Twin) bool {
	for role, probes := range r.todo[t] {
		for _, p := range probes {
			if !slices.Contains(other.todo[t][role], p) {
				return false
			}
		}
	}
	return r.opts.FullScale == other.opts.FullScale && r.opts.Policy.Digest() == other.opts.Policy.Digest()
}

// alike is everything that makes a twin what it is, without what names it; the
// twins that stand in for the exhausted one in a sandbox count as part of it.
func (r *run) alike(t check.Twin) string {
	twins := []check.Twin{t}
	if t == check.Exhaust {
		twins = append(twins, check.Doomed["exhaust.memory"], check.Doomed["exhaust.pids"])
	}
	var all []spec.Container
	for _, t := range twins {
		c := r.settings(t)
		c.Labels = nil
		for i := range c.Mounts {
			c.Mounts[i].Source = strings.Replace(c.Mounts[i].Source, r.prefix(), "tightship", 1)
		}
		all = append(all, c)
	}
	b, err := json.Marshal(all)
	if err != nil { // it is made of strings and numbers
		panic(err)
	}
	return string(b)
}

// take takes over what another run's twin saw.
func (r *run) take(from *run, t check.Twin) {
	r.locked(func() {
		state := *from.states[t]
		r.states[t], r.looked[t], r.ended[t] = &state, true, true
		if t == check.Exhaust {
			for _, name := range check.Doomed {
				if d := from.doomed[name]; d != nil {
					r.doomed[name] = d
				}
			}
		}
		for _, e := range from.exits {
			if e.Twin == t {
				r.exits = append(r.exits, e)
			}
		}
	})
}

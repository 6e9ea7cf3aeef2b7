// Package prove shows that the checks can fail. It verifies an image under a
// policy, then again with one protection taken away at a time (package mutate),
// and demands that exactly the declared checks notice.
//
// A weakened verification is called a mutant, as in mutation testing. One that
// the declared checks fail, and no other, is killed. One that a declared check
// does not notice has survived; a check that fails undeclared is cross-talk. What
// cannot be taken away here, because the engine has no word for it, the kernel
// does not have it or the policy asks for none, is not demonstrable: it is
// counted apart with its reason, and never as killed.
//
// A check already fails when the engine merely says that a protection is off, and
// a probe that sees nothing could hide behind that. So every check that flips is
// judged again with one account at a time taken from the mutant and the others
// from the baseline: the attempt, the kernel's, the engine's. A check that is said
// to rest on an attempt, and that no mutant's attempt alone makes fail, is blind,
// and fails the proof.
package prove

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/mutate"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/report"
	"github.com/tightship-dev/tightship/verify"
)

// ErrNoMutation is about a pattern that matches none.
var ErrNoMutation = errors.New("no such mutation")

// Options is what a proof may be told.
type Options struct {
	Policy *policy.Policy // with Image and Runtime settled
	Guest  []byte         // the tightship-guest binary for the engine's platform
	// Mutations selects by ID or glob ("caps.*"); empty is all.
	Mutations []string
	// Parallel is how many mutants run at once; 0 is two for each core.
	Parallel int
	// Timeout bounds each verification; 0 is verify.DefaultTimeout.
	Timeout time.Duration
	// Progress is called, one call at a time: with the baseline, then with each
	// mutant as it is done, in any order. May be nil.
	Progress func(Event)
	// Now is the clock; nil is time.Now.
	Now func() time.Time

	keep func(evidence) // for tests: what was seen of each, the baseline first
}

// Event is progress.
type Event struct {
	Baseline *report.Result // once, first
	Mutant   *report.Mutant // then each
	Done     int            // mutants
	Total    int
}

// verification is verify.Image, in the tests something else.
type verification func(context.Context, engine.Engine, verify.Options) (report.Result, error)

// Run proves one image under one policy on one runtime. The error is nil whenever
// a verdict could be reached, also a bad one. Everything created is removed before
// it returns, also when ctx ends; what could not be removed is named by an error
// that wraps verify.ErrLeft, and the result is whole then if the error is nothing
// else.
func Run(ctx context.Context, eng engine.Engine, o Options) (report.ProofResult, error) {
	return run(ctx, eng, o, verify.Image)
}

func run(ctx context.Context, eng engine.Engine, o Options, verifyImage verification) (report.ProofResult, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Parallel <= 0 {
		o.Parallel = 2 * runtime.NumCPU()
	}
	started := o.Now()
	chosen, err := Select(o.Mutations)
	if err != nil {
		return report.ProofResult{}, err
	}
	p := &prover{eng: eng, o: o, verify: verifyImage, twins: &verify.Twins{}}
	base, err := p.baseline(ctx)
	if err != nil {
		return report.ProofResult{}, err
	}
	if o.Progress != nil {
		o.Progress(Event{Baseline: &base.result, Total: len(chosen)})
	}
	mutants, left := p.mutants(ctx, base, chosen)
	if ctx.Err() != nil {
		return report.ProofResult{}, errors.Join(context.Cause(ctx), left)
	}
	out := base.assess(chosen, mutants)
	out.Started, out.DurationMS = started.UTC(), o.Now().Sub(started).Milliseconds()
	return out, left
}

// Select returns the mutations that the patterns match, all without one. A
// pattern that matches nothing is an error: a typing error must not prove nothing.
func Select(patterns []string) ([]mutate.Mutation, error) {
	all := mutate.All()
	if len(patterns) == 0 {
		return all, nil
	}
	ids := make([]string, len(all))
	for i, m := range all {
		ids[i] = m.ID
	}
	matches := func(pattern, id string) bool { ok, err := path.Match(pattern, id); return err == nil && ok }
	for _, pattern := range patterns {
		if !slices.ContainsFunc(ids, func(id string) bool { return matches(pattern, id) }) {
			return nil, fmt.Errorf("%w: %q (nearest is %q)", ErrNoMutation, pattern, policy.Nearest(pattern, ids))
		}
	}
	return slices.DeleteFunc(all, func(m mutate.Mutation) bool {
		return !slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, m.ID) })
	}), nil
}

// prover is one proof at work.
type prover struct {
	eng    engine.Engine
	o      Options
	verify verification
	twins  *verify.Twins
	runID  string // of what mutations make beside containers
}

// commandTime bounds each of the image's own programs. Beside others one takes
// longer than alone, and a hang is no finding here.
const commandTime = 4 * verify.DefaultCommandTimeout

// options are those of one verification.
func (p *prover) options(record func(*check.Input, []*check.Check)) verify.Options {
	return verify.Options{Policy: p.o.Policy, Guest: p.o.Guest, Timeout: p.o.Timeout, CommandTimeout: commandTime, Twins: p.twins, Now: p.o.Now, Record: record}
}

// baseline verifies with nothing taken away.
func (p *prover) baseline(ctx context.Context) (*baseline, error) {
	var seen evidence
	result, err := p.verify(ctx, p.eng, p.options(func(in *check.Input, all []*check.Check) { seen.in, seen.checks = in, all }))
	if err != nil {
		return nil, fmt.Errorf("verifying with nothing taken away: %w", err)
	}
	if p.o.keep != nil {
		p.o.keep(seen)
	}
	return newBaseline(result, seen.in, seen.checks, p.o.Now()), nil
}

// mostRounds is how often an attempt that is the only one to show a loss is made
// again where it came to nothing.
const mostRounds = 3

// mutants tries the chosen ones, at most Parallel at once, and returns what came
// of each in their order. What a busy machine may have brought about is tried once
// more at the end, one by one, and the mutant says so. The error names what could not be removed.
func (p *prover) mutants(ctx context.Context, base *baseline, chosen []mutate.Mutation) (out []report.Mutant, left error) {
	id, end, err := verify.Begin()
	if err != nil {
		return nil, err
	}
	defer func() { end(left != nil) }()
	p.runID = id
	out = make([]report.Mutant, len(chosen))
	var mu sync.Mutex
	done, told := 0, make([]bool, len(chosen))
	one := func(i int, last bool) {
		mutant, err := p.mutant(ctx, base, chosen[i])
		mu.Lock()
		defer mu.Unlock()
		if first := out[i]; last && mutant.Outcome == killed && first.Outcome != killed {
			mutant.Reason = "when tried again by itself; at first, with others beside it: " + first.Outcome + ", " + first.Reason
		}
		out[i], left = mutant, errors.Join(left, err)
		if told[i] || !last && unrepeated(mutant) {
			return
		}
		told[i] = true
		done++
		if p.o.Progress != nil && ctx.Err() == nil {
			p.o.Progress(Event{Mutant: &out[i], Done: done, Total: len(chosen)})
		}
	}
	slots := make(chan struct{}, p.o.Parallel)
	var group sync.WaitGroup
	for i := range chosen {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		group.Go(func() {
			defer func() { <-slots }()
			one(i, false)
		})
	}
	group.Wait()
	for round := range mostRounds {
		for _, i := range base.unsure(chosen, out, round == 0) {
			if ctx.Err() == nil {
				one(i, true)
			}
		}
	}
	return out, left
}

// mutant tries one mutation and judges it. The error wraps verify.ErrLeft.
func (p *prover) mutant(ctx context.Context, base *baseline, m mutate.Mutation) (report.Mutant, error) {
	started := p.o.Now()
	seen := evidence{mutation: m, why: base.pointless(m)}
	var left error
	if seen.why == "" {
		left = p.try(ctx, base, &seen)
	}
	if p.o.keep != nil {
		p.o.keep(seen)
	}
	mutant := base.judge(seen)
	mutant.DurationMS = p.o.Now().Sub(started).Milliseconds()
	return mutant, left
}

// try verifies with the mutation applied.
func (p *prover) try(ctx context.Context, base *baseline, seen *evidence) (left error) {
	m, image := seen.mutation, p.o.Policy.Image
	ready, err := m.Ready(ctx, p.eng, image, map[string]string{engine.Label: p.runID})
	if err != nil {
		seen.failed(err)
		return nil
	}
	defer func() {
		if err := ready.Undo(); err != nil {
			left = errors.Join(left, fmt.Errorf("%w: what mutation %s needed: %w", verify.ErrLeft, m.ID, err))
		}
	}()
	o := p.options(func(in *check.Input, all []*check.Check) { seen.in, seen.checks = in, all })
	if ready.Image != image {
		weakened := *p.o.Policy
		weakened.Image, o.Policy = ready.Image, &weakened
	}
	o.Weaken = ready.Weaken
	o.Skip = notAttempted(base.checks, m)
	_, err = p.verify(ctx, p.eng, o)
	if errors.Is(err, verify.ErrLeft) {
		left = fmt.Errorf("mutation %s: %w", m.ID, err)
	}
	if err != nil && seen.in == nil {
		seen.failed(err)
	}
	return left
}

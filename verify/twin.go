package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/probe"
	"golang.org/x/sync/errgroup"
)

// exitTime bounds how long a guest that was told to leave may take to do so.
const exitTime = 20 * time.Second

// exits is what each twin's guest is told to exit with: two different codes, so
// that a runtime which loses them shows.
var exits = map[check.Twin]int{check.Main: 42, check.Isolate: 0, check.Exhaust: 0}

// twin runs one twin from its start to its exit. What the guest could not do is
// the twin's Problem and not an error: the other twins still have something to
// say. An error means that the engine could not do its part.
func (r *run) twin(ctx context.Context, name check.Twin, id string) error {
	state := r.states[name]
	stream, err := r.eng.Attach(ctx, id)
	if err != nil {
		return fmt.Errorf("attaching to the %s twin: %w", name, err)
	}
	defer stream.Close()
	if err := r.eng.Start(ctx, id); err != nil {
		return refusal{fmt.Errorf("starting the %s twin: %w", name, err)}
	}
	if err := r.look(ctx, id, name); err != nil {
		return err
	}
	if err := r.work(ctx, id, name, stream); err != nil {
		problem := err.Error() + r.ending(ctx, id)
		r.locked(func() { state.Problem = problem })
	}
	return nil
}

// ending says how a twin's container ended whose guest fell silent.
func (r *run) ending(ctx context.Context, id string) string {
	st, err := r.eng.Inspect(ctx, id)
	switch {
	case err != nil || st.Running:
		return ""
	case st.OOMKilled:
		return fmt.Sprintf("; its container ended with exit code %d, killed for its memory", st.ExitCode)
	}
	return fmt.Sprintf("; its container ended with exit code %d", st.ExitCode)
}

// look records what the engine declares and what the kernel says.
func (r *run) look(ctx context.Context, id string, name check.Twin) error {
	st, err := r.eng.Inspect(ctx, id)
	if err != nil {
		return fmt.Errorf("inspecting a twin: %w", err)
	}
	var k, proc *kernel.State
	note := "the engine runs on another host"
	if r.info.Local {
		k, note = process(st)
		proc = k
	}
	r.locked(func() {
		state := r.state(name)
		r.looked[name] = true
		state.Declared, state.Undeclared, state.Other, state.Kernel = st.Declared, st.Undeclared, st.Other, k
		state.Copied, state.CopiedOther, state.Process = st.Declared, st.Other, proc
		if name == check.Main {
			r.judgeOriginal(state)
		}
		if k == nil {
			state.KernelNote = note
		}
	})
	return nil
}

// work has the guest do its probes: the marker first, and who it is; then the
// user's, the auditor's and, in a process of its own as they take seconds, those
// that run the image's programs, side by side; then what builds on the
// auditor's; then the exit. In a sandbox the image's programs run last and one
// by one, as the sandbox's own threads count against the same limit, and what
// would end it goes to twins of their own.
func (r *run) work(ctx context.Context, id string, name check.Twin, stream *engine.Stream) error {
	state := r.states[name]
	todo := r.todo[name]
	user := newGuest(ctx, stream, token(), probe.User)
	params := r.params(name)
	do := func(ctx context.Context, g *guest, probes []string, exit *int) error {
		return g.do(ctx, probe.Plan{Probes: probes, Params: params, Exit: exit}, func(o probe.Observation) {
			r.locked(func() { state.Seen[g.role][o.Probe] = o })
		})
	}
	early, later, programs := []string{}, []string{}, []string{}
	for _, p := range todo[probe.User] {
		switch {
		case p == "marker", p == "ids":
		case strings.HasPrefix(p, "env."):
			programs = append(programs, p)
		case slices.Contains(late, p):
			later = append(later, p)
		default:
			early = append(early, p)
		}
	}
	if err := do(ctx, user, []string{"marker", "ids"}, nil); err != nil {
		return err
	}
	var sandboxed bool
	r.locked(func() { sandboxed = state.Sandboxed() })
	params.OneByOne = sandboxed
	var doomed errgroup.Group
	if sandboxed && name == check.Exhaust {
		later = slices.DeleteFunc(later, func(p string) bool {
			t, ends := check.Doomed[p]
			if ends {
				doomed.Go(func() error { return r.doom(ctx, p, t) })
			}
			return ends
		})
	}
	start := func(role probe.Role, as string, probes []string) (greeted bool, err error) {
		s, err := r.eng.Exec(ctx, id, engine.Exec{Argv: []string{guestDir + "/guest"}, User: as, Stdin: true})
		if err != nil {
			return false, fmt.Errorf("starting a second process as %s: %w", role, err)
		}
		defer s.Close()
		leave := 0
		g := newGuest(ctx, s, token(), role)
		err = do(ctx, g, probes, &leave)
		return g.seq > 0, err
	}
	second := func(role probe.Role, as string, probes []string) error {
		if len(probes) == 0 {
			return nil
		}
		// On a slow machine runsc may refuse to start a process, and start the next.
		tries := 1
		if sandboxed {
			tries = 3
		}
		for {
			greeted, err := start(role, as, probes)
			if tries--; err == nil || greeted || tries == 0 || ctx.Err() != nil {
				return err
			}
		}
	}
	// One process that fails takes nothing from the others' evidence.
	var side errgroup.Group
	var audited, ran, worked error
	side.Go(func() error { audited = second(probe.Auditor, "0:0", todo[probe.Auditor]); return nil })
	if !sandboxed {
		side.Go(func() error { ran = second(probe.User, "", programs); return nil })
	}
	side.Go(func() error { worked = do(ctx, user, early, nil); return nil })
	side.Wait()
	if sandboxed {
		ran = second(probe.User, "", programs)
	}
	trouble := errors.Join(audited, ran, doomed.Wait())
	if worked != nil {
		return errors.Join(worked, trouble)
	}
	r.progress(ctx)
	if err := do(ctx, user, later, nil); err != nil {
		return errors.Join(err, trouble)
	}
	if sandboxed && slices.Contains(later, "exhaust.cpu") {
		if err := r.burn(ctx, state, func() error { return do(ctx, user, []string{"exhaust.cpu"}, nil) }); err != nil {
			return errors.Join(err, trouble)
		}
	}
	// The counters go with the container: read them while the guest waits.
	if state.Kernel != nil {
		if after, err := state.Kernel.Refresh(); err == nil {
			r.locked(func() { state.After = after })
		}
	}
	code := exits[name]
	exit := check.Exit{Twin: name, Wanted: code}
	if err := do(ctx, user, nil, &code); err != nil {
		return errors.Join(err, trouble)
	}
	exit.StdoutComplete = true
	wctx, cancel := context.WithTimeout(ctx, exitTime)
	defer cancel()
	got, err := r.eng.Wait(wctx, id)
	if err != nil {
		exit.Problem = err.Error()
	}
	exit.Got = got
	r.locked(func() { r.exits = append(r.exits, exit) })
	return trouble
}

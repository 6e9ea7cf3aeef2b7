package verify

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
)

// pollTime is how often the counters of a doomed twin are read: its cgroup goes
// with the sandbox.
const pollTime = 2 * time.Millisecond

// state is the state of any twin. The caller holds the lock.
func (r *run) state(t check.Twin) *check.TwinState {
	if s := r.states[t]; s != nil {
		return s
	}
	return r.doomed[t]
}

// dooms is what is under way of the attempts of check.Doomed, each made once.
type dooms map[check.Twin]*struct {
	once sync.Once
	err  error
}

func newDooms() dooms {
	d := dooms{}
	for _, t := range check.Doomed {
		d[t] = new(struct {
			once sync.Once
			err  error
		})
	}
	return d
}

// doomEarly starts the doomed attempts where the runtime's name says that there
// will be some: waiting for what a guest says costs the start of a sandbox.
func (r *run) doomEarly(ctx context.Context, loaded <-chan struct{}) {
	if !policy.GVisor(r.runtime()) {
		return
	}
	var all sync.WaitGroup
	for name, t := range check.Doomed {
		if !slices.Contains(r.todo[check.Exhaust][probe.User], name) {
			continue
		}
		all.Go(func() {
			select {
			case <-loaded:
				r.doom(ctx, name, t) // whoever needs it gets the error
			case <-ctx.Done():
			}
		})
	}
	all.Wait()
}

// doom makes one attempt that is expected to end its sandbox, or waits for it.
func (r *run) doom(ctx context.Context, name string, t check.Twin) error {
	d := r.dooms[t]
	d.once.Do(func() { d.err = r.end(ctx, name, t) })
	return d.err
}

// end makes such an attempt in a twin of its own: first below the limit, which
// is the control, then past it, with the host's counters read all the while.
// That the guest falls silent is the twin's Problem; an error means that the
// engine could not do its part.
func (r *run) end(ctx context.Context, name string, t check.Twin) error {
	state := &check.TwinState{FullScale: r.opts.FullScale, Seen: map[probe.Role]map[string]probe.Observation{probe.User: {}}}
	r.locked(func() { r.doomed[t] = state })
	id, err := r.create(ctx, t)
	if err != nil {
		return err
	}
	stream, err := r.eng.Attach(ctx, id)
	if err != nil {
		return fmt.Errorf("attaching to the %s twin: %w", t, err)
	}
	defer stream.Close()
	if err := r.eng.Start(ctx, id); err != nil {
		return refusal{fmt.Errorf("starting the %s twin: %w", t, err)}
	}
	if err := r.look(ctx, id, t); err != nil {
		return err
	}
	guest := newGuest(ctx, stream, token(), probe.User)
	do := func(as string, params probe.Params, probes []string, exit *int) error {
		return guest.do(ctx, probe.Plan{Probes: probes, Params: params, Exit: exit}, func(o probe.Observation) {
			r.locked(func() { state.Seen[probe.User][as] = o })
		})
	}
	past := r.params(check.Exhaust)
	past.Memory = check.SandboxReach(int64(r.opts.Policy.Limits.Memory), r.opts.FullScale)
	below := past
	below.Memory, below.PIDs = past.Memory/3, 4
	stop := r.poll(ctx, state)
	err = do(check.BelowLimit(name), below, []string{name}, nil)
	if err == nil {
		err = do(name, past, []string{name}, nil)
	}
	if err == nil {
		leave := 0
		err = do("", past, nil, &leave)
	}
	wctx, cancel := context.WithTimeout(ctx, exitTime)
	defer cancel()
	code, werr := r.eng.Wait(wctx, id)
	after := stop()
	st, ierr := r.eng.Inspect(ctx, id)
	r.locked(func() {
		state.After = after
		state.ExitCode, state.OOMKilled = code, ierr == nil && st.OOMKilled
		state.Alive = werr != nil || ierr != nil || st.Running
		if err != nil {
			state.Problem = err.Error()
		}
	})
	return nil
}

// poll reads a twin's cgroup again and again until stop is called, which returns
// the last that could be read; nil where none could.
func (r *run) poll(ctx context.Context, state *check.TwinState) (stop func() *kernel.Cgroup) {
	if state.Kernel == nil {
		return func() *kernel.Cgroup { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	last := make(chan *kernel.Cgroup)
	go func() {
		tick := time.NewTicker(pollTime)
		defer tick.Stop()
		var seen *kernel.Cgroup
		for {
			// What can still be read at the very end may already lack a controller.
			if now, err := state.Kernel.Refresh(); err == nil {
				if seen != nil {
					now.OOMKills, now.PIDsMax = max(now.OOMKills, seen.OOMKills), max(now.PIDsMax, seen.PIDsMax)
				}
				seen = now
			}
			select {
			case <-ctx.Done():
				last <- seen
				return
			case <-tick.C:
			}
		}
	}()
	return func() *kernel.Cgroup { cancel(); return <-last }
}

// burnTime bounds how often burning is repeated in a sandbox.
const burnTime = 20 * time.Second

// burn repeats the burning until the host's counter says that it was throttled.
// A sandbox does not see the counter, and takes for its own time what a busy
// host gave to others.
func (r *run) burn(ctx context.Context, state *check.TwinState, again func() error) error {
	if state.Kernel == nil || state.Declared.MilliCPU == 0 {
		return nil
	}
	for end := time.Now().Add(burnTime); time.Now().Before(end); {
		if now, err := state.Kernel.Refresh(); err != nil || now.CPUThrottled > max(state.Kernel.Cgroup.CPUThrottled, 0) {
			return nil
		}
		if err := again(); err != nil {
			return err
		}
	}
	return nil
}

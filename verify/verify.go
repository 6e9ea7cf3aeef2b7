package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/probe"
	"github.com/tightship-dev/tightship/report"
	"github.com/tightship-dev/tightship/spec"
	"golang.org/x/sync/errgroup"
)

// Errors that callers tell apart, besides package engine's.
var (
	ErrNoCheck  = errors.New("no such check")
	ErrPlatform = errors.New("the image is for another platform")
	ErrLeft     = errors.New("not everything that was created could be removed")
	ErrTimeout  = errors.New("the verification's time limit is over")
	// ErrRefused is about a twin that the engine would not create or start.
	ErrRefused = errors.New("the engine refused a container")
)

// refusal is an error that is ErrRefused and says what happened in its own words.
type refusal struct{ error }

func (r refusal) Unwrap() error        { return r.error }
func (r refusal) Is(target error) bool { return target == ErrRefused }

// run is one verification at work.
type run struct {
	eng  engine.Engine
	opts Options
	lock *runLock
	info engine.Info
	host map[string]string // the namespaces of the engine's host, where that is this one
	// hostDevices is the file systems that are mounted there, likewise.
	hostDevices []string
	image       engine.Image
	wanted      spec.Container
	// base is what the twins are made from: what is wanted, or the settings of
	// the original, with stand-ins for what is not to be shared.
	base     spec.Container
	original *original // nil when an image is verified
	checks   []*check.Check
	leftOut  int // how many of the checks were not asked for
	standIns []standIn
	program  func() program // the runtime's, hashed while the twins run
	todo     map[check.Twin]map[probe.Role][]string
	hashKey  []byte
	dooms    dooms
	canary   *probe.Canary
	planted  check.Planted

	mu      sync.Mutex // guards what follows
	made    []engine.Resource
	states  map[check.Twin]*check.TwinState
	doomed  map[check.Twin]*check.TwinState // those of dooms
	looked  map[check.Twin]bool             // declared and kernel are recorded
	ended   map[check.Twin]bool
	exits   []check.Exit
	results map[string]check.Result
	next    int // index in check.Sections of the next section to announce
	cleaned bool
	left    error // what could not be removed; wraps ErrLeft
}

// Image verifies an image under a policy. The error is nil whenever a verdict
// could be reached, also a bad one; it wraps the engine's sentinel errors.
// Everything created is removed before it returns, also when ctx ends. What
// could not be removed is named by an error that wraps ErrLeft; the result is
// whole then, if the error is nothing else.
func Image(ctx context.Context, eng engine.Engine, o Options) (report.Result, error) {
	return verify(ctx, eng, "", o)
}

// Container verifies a container that somebody else made, by its name or ID,
// whether it runs or not. It is never entered, paused or changed: see original.
// Without a policy in o it is held against policy.ForContainer. Besides Image's
// errors there are engine.ErrNoContainer, ErrNoCopies and ErrOwnTwin.
func Container(ctx context.Context, eng engine.Engine, ref string, o Options) (report.Result, error) {
	return verify(ctx, eng, ref, o)
}

func verify(ctx context.Context, eng engine.Engine, container string, o Options) (res report.Result, err error) {
	started := o.now()
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.CommandTimeout == 0 {
		o.CommandTimeout = DefaultCommandTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("%w (%s)", ErrTimeout, o.Timeout))
	defer cancel()
	r, err := prepare(ctx, eng, container, o)
	if ctx.Err() != nil && err != nil {
		return res, context.Cause(ctx)
	}
	if err != nil {
		return res, err
	}
	res.RunID = r.lock.id // also beside an error: it names what may be left
	err = r.measured(ctx)
	if ctx.Err() != nil {
		// Whatever was seen by then was cut off, and is no result.
		return res, errors.Join(context.Cause(ctx), r.left)
	}
	if err != nil {
		return res, errors.Join(err, r.left)
	}
	r.progress(ctx)
	if o.Record != nil {
		o.Record(r.input(), r.checks)
	}
	return r.report(started), r.left
}

// prepare settles everything that needs no container.
func prepare(ctx context.Context, eng engine.Engine, container string, o Options) (*run, error) {
	r := &run{eng: eng, opts: o, states: map[check.Twin]*check.TwinState{}, doomed: map[check.Twin]*check.TwinState{}, dooms: newDooms(), looked: map[check.Twin]bool{}, ended: map[check.Twin]bool{},
		todo: map[check.Twin]map[probe.Role][]string{}, results: map[string]check.Result{}, hashKey: o.Twins.key()}
	var err error
	if r.info, err = eng.Info(ctx); err != nil {
		return nil, err
	}
	var mounts []kernel.Mount
	if r.info.Local {
		r.host, mounts = ofHost()
		for _, m := range mounts {
			r.hostDevices = append(r.hostDevices, m.Device)
		}
	}
	if container != "" {
		if err := r.find(ctx, container, mounts); err != nil {
			return nil, err
		}
		o = r.opts
	}
	all := check.For(o.Policy)
	ref := o.Policy.Image
	if r.original != nil {
		all, ref = check.ForContainer(o.Policy), r.original.state.Image
	}
	if r.checks, err = selected(all, o.Only, o.Skip); err != nil {
		return nil, err
	}
	r.leftOut = len(all) - len(r.checks)
	if rt := o.Policy.Runtime; rt != "" && !slices.Contains(r.info.Runtimes, rt) {
		return nil, fmt.Errorf("%w: %q (the engine knows %s)", engine.ErrRuntime, rt, strings.Join(r.info.Runtimes, ", "))
	}
	if r.image, err = eng.Image(ctx, ref); err != nil {
		return nil, err
	}
	if r.image.OS != r.info.OS || r.image.Arch != r.info.Arch {
		return nil, fmt.Errorf("%w: it is %s/%s and the engine's host is %s/%s", ErrPlatform, r.image.OS, r.image.Arch, r.info.OS, r.info.Arch)
	}
	if r.wanted, err = o.Policy.Container(); err != nil {
		return nil, err
	}
	if r.lock, err = newRun(); err != nil {
		return nil, err
	}
	if err := r.plant(); err != nil {
		r.lock.release(false)
		return nil, err
	}
	if r.original != nil {
		r.base = r.launch()
	} else {
		r.base = r.fromPolicy()
	}
	r.program = hashing(r.info, r.runtime())
	for _, t := range []check.Twin{check.Main, check.Isolate, check.Exhaust} {
		todo := probesFor(r.checks, t)
		if len(todo[probe.User])+len(todo[probe.Auditor]) == 0 {
			r.ended[t] = true
			continue
		}
		r.todo[t] = todo
		r.states[t] = &check.TwinState{FullScale: o.FullScale,
			Seen: map[probe.Role]map[string]probe.Observation{probe.User: {}, probe.Auditor: {}}}
	}
	return r, nil
}

// measure runs the twins side by side.
func (r *run) measure(ctx context.Context) error {
	if err := r.makeVolumes(ctx); err != nil {
		return err
	}
	known := map[check.Twin]bool{}
	for name := range r.states {
		if base := r.unweakened(name); base != nil {
			r.take(base, name)
			known[name] = true
		}
	}
	group, gctx := errgroup.WithContext(ctx)
	// The other twins are created while the guest's volume is being filled, and
	// started when it is full.
	loaded := make(chan struct{})
	start := func(name check.Twin, id string) error {
		if err := r.twin(gctx, name, id); err != nil {
			return err
		}
		r.locked(func() { r.ended[name] = true })
		r.progress(gctx)
		return nil
	}
	group.Go(func() error {
		id, err := r.load(gctx)
		if err != nil {
			return err
		}
		close(loaded)
		if r.states[check.Isolate] == nil || known[check.Isolate] {
			return nil // it was needed for loading only
		}
		return start(check.Isolate, id)
	})
	for name := range r.states {
		if name == check.Isolate || known[name] {
			continue
		}
		group.Go(func() error {
			id, err := r.create(gctx, name)
			if err != nil {
				return err
			}
			select {
			case <-loaded:
				return start(name, id)
			case <-gctx.Done():
				return gctx.Err()
			}
		})
	}
	if !known[check.Exhaust] {
		group.Go(func() error { r.doomEarly(gctx, loaded); return nil })
	}
	return group.Wait()
}

// create makes a twin's container and remembers it for removal before the
// engine is asked, so that an answer that never comes leaves nothing behind.
func (r *run) create(ctx context.Context, t check.Twin) (string, error) {
	name := r.prefix() + "-" + string(t)
	r.created(engine.Resource{Kind: "container", ID: name, Name: name, RunID: r.lock.id})
	var id string
	err := unhurried(ctx, func(ctx context.Context) (err error) {
		id, err = r.eng.Create(ctx, name, r.settings(t))
		return err
	})
	if err != nil {
		return "", refusal{fmt.Errorf("creating the %s twin: %w", t, err)}
	}
	return id, nil
}

// unhurried makes a call that creates something, with a deadline of its own in
// place of ctx's end: an engine finishes a creation whose caller has gone, after
// the clean-up looked for it, and makes missing volumes anew on the way.
func unhurried(ctx context.Context, call func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	if err := call(own); err != nil {
		return err
	}
	return ctx.Err()
}

func (r *run) created(res engine.Resource) { r.locked(func() { r.made = append(r.made, res) }) }

func (r *run) labels() map[string]string { return map[string]string{engine.Label: r.lock.id} }

func (r *run) locked(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// clean removes everything, also when ctx has ended, and notes which twin was
// still there afterwards.
func (r *run) clean(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	left := remove(ctx, r.eng, r.made)
	// Removed is what the engine no longer lists, not what it said it removed.
	var err error
	for range 3 {
		var still []engine.Resource
		lctx, cancel := context.WithTimeout(ctx, cleanTime)
		still, err = r.eng.List(lctx, r.lock.id)
		cancel()
		if err != nil {
			break
		}
		if left = still; len(left) == 0 {
			break
		}
		remove(ctx, r.eng, left)
	}
	r.locked(func() {
		r.cleaned = true
		for i := range r.exits {
			if err != nil && r.exits[i].Problem == "" {
				r.exits[i].Problem = "the engine did not say whether it was removed"
			}
			for _, l := range left {
				r.exits[i].Left = r.exits[i].Left || strings.HasSuffix(l.Name, "-"+string(r.exits[i].Twin))
			}
		}
	})
	if len(left) == 0 {
		return nil
	}
	names := make([]string, len(left))
	for i, l := range left {
		names[i] = l.Kind + " " + l.Name
	}
	return fmt.Errorf("%w: %s", ErrLeft, strings.Join(names, ", "))
}

package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/report"
	"github.com/tightship-dev/tightship/verify"
)

// subjects is what the command line asks to be verified. p is nil when no
// policy applies but the built-in one for containers.
func (f verifyFlags) subjects(ctx context.Context, eng engine.Engine, images []string) ([]verify.Subject, error) {
	var all []verify.Subject
	for _, image := range images {
		all = append(all, verify.Subject{Image: image})
	}
	for _, c := range f.containers {
		if c == "" {
			return nil, withHint(errors.New("--container names no container"), "`docker ps --all` lists them")
		}
		all = append(all, verify.Subject{Container: c})
	}
	if f.all {
		copier, ok := eng.(engine.Copier)
		if !ok {
			return nil, verify.ErrNoCopies
		}
		found, err := copier.Containers(ctx, f.labels)
		if err != nil {
			return nil, err
		}
		named := map[string]bool{}
		for _, given := range f.containers {
			// A name may look like the start of another container's ID. One that is
			// not there has its error when it is verified.
			if st, err := copier.Inspect(ctx, given); err == nil {
				named[st.ID] = true
			}
		}
		if len(found) == 0 {
			return nil, withHint(errors.New("there is no such container"), "`docker ps --all` lists them; those that tightship made do not count")
		}
		for _, c := range found {
			if named[c.ID] {
				continue
			}
			all = append(all, verify.Subject{Container: c.Name})
		}
	}
	return all, nil
}

// checkSubjects refuses flags that contradict each other before anything is
// asked of an engine.
func (f verifyFlags) checkSubjects() error {
	switch {
	case len(f.labels) > 0 && !f.all:
		return withHint(errors.New("--label chooses among the containers of --all"), "add --all")
	case f.runtime != "" && (f.all || len(f.containers) > 0):
		return withHint(errors.New("--runtime cannot be chosen for a container that is there"), "verify its image with --runtime, or create it anew with that runtime")
	case f.parallel < 0:
		return withHint(fmt.Errorf("--parallel %d verifies nothing", f.parallel), "leave it out to let the machine decide")
	}
	return nil
}

// containersOnly says that no image is to be verified, so that the policy of
// this directory, if there is one, has not been asked for.
func (f verifyFlags) containersOnly(images []string) bool {
	return len(images) == 0 && (f.all || len(f.containers) > 0)
}

// several verifies more than one subject, shows each as it is done, and hands
// back what was verified. An error is about one of them and has been said.
func (a *app) several(ctx context.Context, eng engine.Engine, subjects []verify.Subject, out outputs, f verifyFlags, o verify.Options) (report.Report, error) {
	r := report.Report{Schema: report.Schema, Results: []report.Result{}}
	parallel := f.parallel
	if parallel == 0 {
		parallel = 2 * runtime.NumCPU()
	}
	o.Twins = &verify.Twins{}
	var failed error
	n := 0
	status := func() { a.ui.setStatus(fmt.Sprintf("%d of %d verified", n, len(subjects))) }
	status()
	verify.Each(ctx, subjects, parallel, func(ctx context.Context, s verify.Subject) (report.Result, error) {
		return a.verify(ctx, eng, s, o)
	}, func(s verify.Subject, result report.Result, err error) {
		n++
		if ctx.Err() != nil {
			failed = err
			return
		}
		if err != nil {
			failed = err
			a.ui.error(withHint(fmt.Errorf("%s: %w", s, err), "%s", hint(timedOut(err))))
		}
		if whole(result, err) {
			r.Results = append(r.Results, result)
			a.brief(out, f, result)
		}
		status()
	})
	a.ui.stopStatus()
	return r, failed
}

// brief shows one of several results: what did not hold, and the verdict.
func (a *app) brief(out outputs, f verifyFlags, result report.Result) {
	if out.stdout != "text" {
		a.ui.note("%s", report.Line(result))
		return
	}
	_ = report.Brief(a.ui.out, result, a.textOptions(f))
}

func (a *app) textOptions(f verifyFlags) report.TextOptions {
	return report.TextOptions{Width: a.ui.textWidth(), Color: a.ui.color, Verbose: f.verbose, Quiet: f.quiet}
}

// whole says whether there is a result to show beside an error.
func whole(r report.Result, err error) bool {
	return len(r.Checks) > 0 && (err == nil || errors.Is(err, verify.ErrLeft))
}

// timedOut adds to an error that time has run out what can be done about it.
func timedOut(err error) error {
	if errors.Is(err, verify.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) && hint(err) == "" {
		return withHint(err, "allow more time with --timeout, or see whether the engine still answers: `docker info`")
	}
	return err
}

// applicable is the policy that a verification of these subjects is under, nil
// for the one that is derived from each container.
func (a *app) applicable(f verifyFlags, images []string) (*policy.Policy, error) {
	if f.policy == "" && f.containersOnly(images) {
		return nil, nil
	}
	return a.policy(f.policy, f.runtime)
}

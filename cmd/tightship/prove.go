package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/prove"
	"github.com/tightship-dev/tightship/report"
	"github.com/tightship-dev/tightship/verify"
)

type proveFlags struct {
	policy               string
	runtimes             []string
	engine, rootfs       string
	mutations, output    []string
	list, quiet, verbose bool
	parallel             int
	timeout              time.Duration
}

func (a *app) proveCommand() *cobra.Command {
	var f proveFlags
	c := &cobra.Command{
		Use:   "prove [IMAGE]",
		Short: "Show that every check can fail: take one protection away at a time",
		Long: `Verify IMAGE under the policy, then again with one protection taken away at a time,
and demand that exactly the checks that are declared to notice do, and no others.
It is mutation testing of the verification itself, on your image and your policy.

Each weakening is killed (exactly the declared checks failed), survived (one of
them did not notice), cross-talk (another check flipped) or not demonstrable (the
engine, the kernel or the policy has nothing there to take away; the reason is
given, and it is never counted as killed). Every check that flips is judged again
with one account taken from the weakened container and the others as before: the
attempt inside (a), the kernel's account (k), the engine's (e). A check that says
it rests on an attempt which never shows anything by itself is blind.

Without IMAGE the policy's image is used. The policy is ./tightship.yaml if that
file exists, else the built-in one. With several runtimes the results are side by
side.

The exit code is 0 when all that can be shown was killed without cross-talk, 1 when
a weakening survived, another check flipped or is blind, or the image does not
pass as it is, 2 when something could not be measured or tried, and 3 when it
could not run. Interrupted, it removes everything it created and exits with 130.`,
		Example: `  tightship prove my-agent:latest
  tightship prove my-agent:latest --runtime runc,runsc -o json=proof.json
  tightship prove --mutation 'caps.*' --mutation tmpfs.exec
  tightship prove --list`,
		Args: maxArgs(1, "image"),
		RunE: func(c *cobra.Command, args []string) error {
			if f.list {
				return a.listMutations(c, f)
			}
			return a.runProve(c.Context(), f, args)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	fl := c.Flags()
	fl.StringVar(&f.policy, "policy", "", "policy `FILE` (default ./"+policyFile+" if it exists, else the built-in policy)")
	fl.StringSliceVar(&f.runtimes, "runtime", nil, "OCI runtime `NAMES`, in place of the policy's: runc,runsc (repeatable)")
	engineFlag(c, &f.engine, "`ENGINE` that runs the containers: docker, or oci, which needs no daemon (default docker where it answers)")
	fl.StringVar(&f.rootfs, "rootfs", "", "prove without an image: `host` is a root of this machine's system folders, read-only (engine oci)")
	fl.StringSliceVar(&f.mutations, "mutation", nil, "try only these `MUTATIONS`: IDs or patterns like 'caps.*' (repeatable)")
	fl.BoolVar(&f.list, "list", false, "list the mutations and the checks that must notice each, and try nothing")
	fl.IntVar(&f.parallel, "parallel", 0, "try at most `N` at once (default two for each core)")
	fl.DurationVar(&f.timeout, "timeout", verify.DefaultTimeout, "time limit of each verification, as `DURATION`")
	fl.StringArrayVarP(&f.output, "output", "o", nil, "write `FORMAT[=FILE]`: "+strings.Join(namesOf(proofFormats), ", ")+"; to standard output without FILE (repeatable)")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "show only what went wrong, and the verdict")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "show the evidence of every check that flipped")
	must(c.RegisterFlagCompletionFunc("mutation", mutationIDs))
	complete(c, "output", namesOf(proofFormats)...)
	complete(c, "rootfs", "host")
	return c
}

func (a *app) runProve(ctx context.Context, f proveFlags, args []string) error {
	switch {
	case f.quiet && f.verbose:
		return withHint(errors.New("--quiet and --verbose contradict each other"), "leave one of them out")
	case f.timeout <= 0:
		return withHint(fmt.Errorf("--timeout %v is no time at all", f.timeout), "the default is %v", verify.DefaultTimeout)
	case f.parallel < 0:
		return withHint(fmt.Errorf("--parallel %d tries nothing", f.parallel), "leave it out to let the machine decide")
	}
	a.ui.quiet = f.quiet
	out, err := parseOutputsOf(f.output, proofFormats)
	if err != nil {
		return err
	}
	if _, err := prove.Select(f.mutations); err != nil {
		return err
	}
	if f.rootfs != "" {
		root, err := rootfsImage(f.rootfs, args)
		if err != nil {
			return err
		}
		args = []string{root}
	}
	policies, err := a.policies(f, args)
	if err != nil {
		return err
	}
	if err := out.check(); err != nil {
		return err
	}
	return a.proveInto(ctx, out, f, policies)
}

// policies is the policy on each runtime that is asked for.
func (a *app) policies(f proveFlags, args []string) ([]*policy.Policy, error) {
	runtimes := slices.Compact(slices.Clone(f.runtimes))
	if len(runtimes) == 0 {
		runtimes = []string{""}
	}
	var all []*policy.Policy
	for _, rt := range runtimes {
		p, err := a.policy(f.policy, rt)
		if err != nil {
			return nil, err
		}
		if len(args) > 0 {
			p.Image = args[0]
		}
		if p.Image == "" {
			return nil, withHint(errors.New("no image to prove"), "name one: `tightship prove IMAGE`, or as `image:` in the policy")
		}
		all = append(all, p)
	}
	return all, nil
}

func (a *app) proveInto(ctx context.Context, out outputsOf[report.Proof], f proveFlags, policies []*policy.Policy) error {
	a.ui.startStatus("waiting for: the engine")
	defer a.ui.stopStatus()
	eng, err := a.engine(ctx, f.engine, policies[0].Image)
	if err != nil {
		return err
	}
	defer eng.Close()
	info, err := eng.Info(ctx)
	if err != nil {
		return err
	}
	guest, err := a.guest(info.Arch)
	if err != nil {
		return err
	}
	proof := report.Proof{Schema: report.ProofSchema, Results: []report.ProofResult{}}
	var left error
	for i, p := range policies {
		named := ""
		if len(f.runtimes) > 0 {
			named = p.Runtime
		}
		image := p.Image
		settleRuntime(p, named, info)
		p.Image = image
		r, err := a.proveOne(ctx, eng, prove.Options{Policy: p, Guest: guest, Mutations: f.mutations, Parallel: f.parallel, Timeout: f.timeout}, len(policies) > 1)
		if err != nil && (ctx.Err() != nil || !errors.Is(err, verify.ErrLeft) || len(r.Mutants) == 0) {
			return timedOut(err)
		}
		left = errors.Join(left, err)
		proof.Results = append(proof.Results, r)
		if i == len(policies)-1 {
			a.ui.stopStatus()
		}
	}
	// What could not be removed does not take the proof away, only the exit code.
	if err := a.deliverProof(out, f, proof); left == nil {
		return err
	}
	return left
}

// proveOne proves on one runtime, and shows how far it is.
func (a *app) proveOne(ctx context.Context, eng engine.Engine, o prove.Options, several bool) (report.ProofResult, error) {
	on := ""
	if several {
		on = " on " + o.Policy.Runtime
	}
	a.ui.setStatus("waiting for: the image as it is" + on)
	o.Progress = func(e prove.Event) {
		if ctx.Err() != nil { // what an interruption cut off is no result
			return
		}
		if e.Baseline != nil {
			a.progressLine(fmt.Sprintf("as it is%s: %s", on, report.Headline(*e.Baseline)))
		} else {
			a.progressLine(fmt.Sprintf("%d of %d%s: %s: %s", e.Done, e.Total, on, e.Mutant.ID, e.Mutant.Outcome))
		}
		a.ui.setStatus(fmt.Sprintf("%d of %d weakenings tried%s", e.Done, e.Total, on))
	}
	return a.prove(ctx, eng, o)
}

// progressLine is a line of progress where there is no status line to show it.
func (a *app) progressLine(text string) {
	if a.ui.errWidth == 0 {
		a.ui.note("%s", text)
	}
}

func mutationIDs(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var ids []string
	all, _ := prove.Select(nil)
	for _, m := range all {
		ids = append(ids, cobra.CompletionWithDesc(m.ID, m.Title))
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

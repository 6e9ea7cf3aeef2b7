package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/report"
	"github.com/tightship-dev/tightship/verify"
)

// policyFile is what --policy is when it is not given and the file is there.
const policyFile = "tightship.yaml"

type verifyFlags struct {
	policy, runtime           string
	engine, rootfs            string
	containers, labels        []string
	all                       bool
	parallel                  int
	only, skip, output        []string
	timeout                   time.Duration
	fullScale, quiet, verbose bool
	receipt                   receiptOut
}

func (a *app) verifyCommand() *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use:   "verify [IMAGE...]",
		Short: "Prove that an image or a container is tight",
		Long: `Start IMAGE under the policy, attack its hardening from inside, and say of every
protection whether it held, is broken, or could not be measured.

Without IMAGE the policy's image is used. The policy is ./tightship.yaml if that
file exists, else the built-in one, which is the hardened baseline itself. What
the image would normally start is never started.

With --container a container that is there is verified, whether it runs or not:
one that somebody started, or one made for the purpose with docker create. It is
never entered, paused or changed. A twin with the same settings is attacked in its
place, and the kernel's account of the two is compared. Without --policy, what
differs from one container to the next (its uid, how much memory, where its
workspace is) is taken from what it declares; the bar stays.

Several images and containers are verified side by side and make one report.

The exit code is 0 when everything is proven, 1 when at least one check failed,
2 when none failed but one could not be measured, and 3 when the verification
could not run. Interrupted, it removes everything it created and exits with 130.`,
		Example: `  tightship verify my-agent:latest
  tightship verify --policy strict.yaml -o json=report.json -o junit=junit.xml
  tightship verify my-agent:latest --only 'fs.*,limits.pids'
  tightship verify my-agent:latest --receipt agent.receipt.json --key release.key
  docker create --name x --read-only --cap-drop ALL … && tightship verify --container x
  tightship verify --all --label com.docker.compose.project=shop`,
		RunE: func(c *cobra.Command, args []string) error {
			return a.runVerify(c.Context(), f, args)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	fl := c.Flags()
	fl.StringVar(&f.policy, "policy", "", "policy `FILE` (default ./"+policyFile+" if it exists, else the built-in policy)")
	fl.StringArrayVar(&f.containers, "container", nil, "verify the container of this `NAME` or ID (repeatable)")
	fl.BoolVar(&f.all, "all", false, "verify every container that the engine holds, running or not")
	fl.StringArrayVar(&f.labels, "label", nil, "of --all, only those with this label: `KEY[=VALUE]` (repeatable)")
	fl.IntVar(&f.parallel, "parallel", 0, "verify at most `N` at once (default two for each core)")
	fl.StringVar(&f.runtime, "runtime", "", "OCI runtime `NAME`, in place of the policy's")
	engineFlag(c, &f.engine, "`ENGINE` that runs the containers: docker, or oci, which needs no daemon (default docker where it answers)")
	fl.StringVar(&f.rootfs, "rootfs", "", "verify without an image: `host` is a root of this machine's system folders, read-only (engine oci)")
	fl.StringSliceVar(&f.only, "only", nil, "run only these `CHECKS`: IDs or patterns like 'fs.*' (repeatable)")
	fl.StringSliceVar(&f.skip, "skip", nil, "leave these `CHECKS` out (repeatable)")
	fl.BoolVar(&f.fullScale, "full-scale", false, "exhaust memory and CPU at the declared size instead of scaled down")
	fl.DurationVar(&f.timeout, "timeout", verify.DefaultTimeout, "time limit of the verification, as `DURATION`")
	fl.StringArrayVarP(&f.output, "output", "o", nil, "write `FORMAT[=FILE]`: "+strings.Join(formatNames(), ", ")+"; to standard output without FILE (repeatable)")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "show only what did not hold, and the verdict")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "show the evidence of every check")
	f.receipt.flags(c)
	a.completeChecks(c, "only")
	a.completeChecks(c, "skip")
	complete(c, "output", formatNames()...)
	complete(c, "rootfs", "host")
	return c
}

func (a *app) runVerify(ctx context.Context, f verifyFlags, args []string) error {
	if f.quiet && f.verbose {
		return withHint(errors.New("--quiet and --verbose contradict each other"), "leave one of them out")
	}
	if f.timeout <= 0 {
		return withHint(fmt.Errorf("--timeout %v is no time at all", f.timeout), "the default is %v", verify.DefaultTimeout)
	}
	a.ui.quiet = f.quiet
	out, err := parseOutputs(f.output)
	if err != nil {
		return err
	}
	if err := f.checkSubjects(); err != nil {
		return err
	}
	if err := f.receipt.add(ctx, &out, f, args); err != nil {
		return err
	}
	p, err := a.applicable(f, args)
	if err != nil {
		return err
	}
	if f.rootfs != "" {
		root, err := rootfsImage(f.rootfs, args)
		if err != nil {
			return err
		}
		args = []string{root}
	}
	if len(args) == 0 && !f.containersOnly(args) {
		if p.Image == "" {
			return withHint(errors.New("no image to verify"), "name one: `tightship verify IMAGE`, or as `image:` in the policy")
		}
		args = []string{p.Image}
	}
	if err := out.check(); err != nil {
		return err
	}
	return a.verifyInto(ctx, out, f, p, args)
}

// policy loads the named policy, or the one that applies when none is named, on
// a runtime in place of the policy's, if one is named.
func (a *app) policy(path, runtime string) (*policy.Policy, error) {
	if path == "" {
		if _, err := os.Lstat(policyFile); errors.Is(err, fs.ErrNotExist) {
			return policy.DefaultFor(runtime), nil
		}
		path = policyFile
	}
	p, err := policy.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, withHint(fmt.Errorf("there is no policy file %s", path), "`tightship policy init > %s` writes one", path)
	}
	if err != nil {
		return nil, err
	}
	if runtime != "" {
		p.Runtime = runtime
	}
	// A template alone ("env.command") names no check that could fail.
	known := func(id string) bool {
		c, err := a.findCheck(id)
		return err == nil && id+"[*]" != c.ID
	}
	near := func(id string) string { return policy.Nearest(id, a.ids()) }
	return p, p.ValidateChecks(known, near)
}

func (a *app) verifyInto(ctx context.Context, out outputs, f verifyFlags, p *policy.Policy, images []string) error {
	a.ui.startStatus("waiting for: the engine")
	defer a.ui.stopStatus()
	if f.engine == "" && (f.all || len(f.containers) > 0) {
		f.engine = dockerEngine // the one that holds containers of others
	}
	eng, err := a.engine(ctx, f.engine, images...)
	if err != nil {
		return err
	}
	defer eng.Close()
	info, err := eng.Info(ctx)
	if err != nil {
		return err
	}
	if p != nil {
		settleRuntime(p, f.runtime, info)
	}
	guest, err := a.guest(info.Arch)
	if err != nil {
		return err
	}
	subjects, err := f.subjects(ctx, eng, images)
	if err != nil {
		return err
	}
	o := verify.Options{Policy: p, Guest: guest, Only: f.only, Skip: f.skip, FullScale: f.fullScale, Timeout: f.timeout}
	if len(f.only)+len(f.skip) > 0 {
		a.ui.note("only a part of the checks was asked for, and the verdict covers only that part")
	}
	if len(subjects) > 1 {
		r, err := a.several(ctx, eng, subjects, out, f, o)
		if ctx.Err() != nil || len(r.Results) == 0 {
			return cmp.Or(context.Cause(ctx), error(verdict(exitError)))
		}
		err2 := a.deliver(out, func(r report.Report) { a.ui.total(out, r, len(subjects)) }, r)
		if err != nil {
			return verdict(exitError)
		}
		return err2
	}
	show := a.newProgress(out, f, subjects[0], p)
	a.ui.setStatus("waiting for: the first containers")
	o.Progress = func(e verify.Event) {
		if ctx.Err() == nil { // what an interruption cut off is no result
			show.event(e)
		}
	}
	result, err := a.verify(ctx, eng, subjects[0], o)
	a.ui.stopStatus()
	if err != nil && (ctx.Err() != nil || !whole(result, err)) {
		return timedOut(err)
	}
	// What could not be removed does not take the report away, only the exit code.
	r := report.Report{Schema: report.Schema, Results: []report.Result{result}}
	if derr := a.deliver(out, show.finish, r); err == nil {
		return derr
	}
	return err
}

// deliver shows the report and writes it everywhere it should go.
func (a *app) deliver(out outputs, show func(report.Report), r report.Report) error {
	show(r)
	ended := "the verification itself ended; its verdict is: " + report.Total(r, max(len(r.Results), 1))
	if err := deliverFiles(a, out, r, "report", ended, report.Text); err != nil {
		return err
	}
	return exitFor(r)
}

// exitFor is the verdict on all results together.
func exitFor(r report.Report) error {
	var outcomes []string
	for _, result := range r.Results {
		outcomes = append(outcomes, report.Outcome(result.Summary))
	}
	return worst(outcomes)
}

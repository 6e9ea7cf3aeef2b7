package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/doctor"
	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/image"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/prove"
	"github.com/tightship-dev/tightship/report"
	"github.com/tightship-dev/tightship/verify"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tightship": fakeMain})
}

// fakeMain is main with an engine that is not there and a verification whose
// outcome is in the environment.
func fakeMain() {
	ctx, stop := withSignals(context.Background())
	code := fakeApp(os.Getenv("FAKE")).run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

type fakeEngine struct{ engine.Engine }

func (fakeEngine) Info(context.Context) (engine.Info, error) { return engine.Info{Arch: "amd64"}, nil }
func (fakeEngine) Close() error                              { return nil }

// mark leaves a file behind, to show that something happened.
func mark(name string) {
	if dir := os.Getenv("WORK"); dir != "" {
		_ = os.WriteFile(filepath.Join(dir, name), nil, 0o600)
	}
}

func fakeApp(mode string) *app {
	return &app{
		newEngine: func(_ context.Context, name string) (engine.Engine, error) {
			if name == ociEngine && mode != "daemonless" {
				return nil, fmt.Errorf("oci: %w", engine.ErrUnreachable)
			}
			if name == dockerEngine && mode == "daemonless" {
				return nil, fmt.Errorf("connect to unix:///var/run/docker.sock: %w", engine.ErrUnreachable)
			}
			switch mode {
			case "no-engine":
				return nil, fmt.Errorf("connect to unix:///var/run/docker.sock: %w", engine.ErrUnreachable)
			case "no-permission":
				return nil, fmt.Errorf("connect to unix:///var/run/docker.sock: %w", engine.ErrPermission)
			}
			return fakeEngine{}, nil
		},
		verify: func(ctx context.Context, _ engine.Engine, s verify.Subject, o verify.Options) (report.Result, error) {
			mark("started")
			return fakeVerify(ctx, mode, s, o)
		},
		prove: func(ctx context.Context, _ engine.Engine, o prove.Options) (report.ProofResult, error) {
			mark("started")
			return fakeProve(ctx, mode, o)
		},
		clean: func(_ context.Context, _ engine.Engine, all bool) (removed, left []engine.Resource, err error) {
			dead := engine.Resource{Kind: "container", Name: "tightship-dead", RunID: "dead"}
			alive := engine.Resource{Kind: "volume", ID: "0123", RunID: "alive\x1b[2J"}
			switch {
			case mode == "nothing":
				return nil, nil, nil
			case mode == "stuck":
				return []engine.Resource{alive}, []engine.Resource{dead}, nil
			case mode == "late":
				return nil, nil, fmt.Errorf("list: %w", context.DeadlineExceeded)
			case all:
				return []engine.Resource{dead, alive}, nil, nil
			}
			return []engine.Resource{dead}, nil, nil
		},
		catalogue: func() []*check.Check { return fakeCatalogue },
		guest: func(string) ([]byte, error) {
			if mode == "no-guest" {
				return guestIn("amd64", os.Getenv("WORK"))
			}
			return []byte("guest"), nil
		},
		machine: func() doctor.Probes { return fakeMachine(mode) },
		buildImage: func(_ context.Context, o image.Options) error {
			if mode == "no-docker" {
				return fmt.Errorf("%w on PATH", image.ErrNoDocker)
			}
			_, err := fmt.Fprintf(o.Progress, "building %s from %s, network %q, cache %v\n", o.Tag, o.Base, o.Network, !o.NoCache)
			return err
		},
		now:      time.Now,
		terminal: terminal,
	}
}

var fakeCatalogue = []*check.Check{
	{
		ID: "fs.tmp-noexec", Title: "Nothing in a declared tmpfs can be executed", Section: check.Filesystem,
		Why: "A program that was downloaded cannot be run.", Attempt: "execve of a copy of the guest in the tmpfs",
		Control: "the same file runs from its read-only mount", Settings: []string{"tmpfs"}, Mutations: []string{"tmp-exec"}, Refs: []string{"CIS-Docker 5.13"},
		Fix: check.Fix{Policy: "tmpfs: {/tmp: {exec: false}}", Docker: "--tmpfs /tmp:noexec", Compose: "tmpfs:\n  - /tmp:noexec", Kubernetes: "none: use an emptyDir"},
	},
	{ID: "limits.pids", Title: "The number of processes is bounded", Section: check.Limits, Settings: []string{"limits.pids"}},
	{ID: "env.command[*]", Title: "A command of the policy runs and says what it should", Section: check.Environment},
}

func fakeVerify(ctx context.Context, mode string, s verify.Subject, o verify.Options) (report.Result, error) {
	p := o.Policy
	if p == nil {
		p = policy.Default()
	}
	r := report.Result{
		Subject: report.Subject{Image: s.Image, Container: s.Container, Engine: "fake", Runtime: p.Runtime},
		Policy:  p.Source,
		RunID:   "run",
		Checks: []report.Check{
			{ID: "fs.tmp-noexec", Title: "Nothing in a declared tmpfs can be executed", Section: "filesystem", Verdict: "pass", Evidence: "exercised"},
			{ID: "limits.pids", Title: "The number of processes is bounded", Section: "limits", Verdict: "pass", Evidence: "exercised"},
		},
		Summary: report.Summary{Pass: 2, Verdict: "proven"},
	}
	last := &r.Checks[1]
	switch mode {
	case "failed":
		last.Verdict, last.Reason, last.Hint = "fail", "all 164 children lived\x1b[2J", "--pids-limit 100"
		r.Summary = report.Summary{Pass: 1, Fail: 1, Verdict: "failed"}
	case "inconclusive":
		last.Verdict, last.Reason = "inconclusive", "the twin did not start"
		r.Summary = report.Summary{Pass: 1, Inconclusive: 1, Verdict: "inconclusive"}
	case "second-gone":
		if s.Image == "two" {
			return report.Result{}, engine.ErrNoImage
		}
	case "no-image":
		return r, fmt.Errorf("%s: %w", s.Image, engine.ErrNoImage)
	case "late":
		return r, fmt.Errorf("start the first container: %w", context.DeadlineExceeded)
	case "panic":
		panic("no idea")
	case "hang":
		<-ctx.Done()
		mark("cleaned")
		o.Progress(verify.Event{Section: "limits", Checks: r.Checks[1:]})
		return r, fmt.Errorf("verify: %w", context.Cause(ctx))
	case "leave":
		<-ctx.Done()
		return r, errors.Join(fmt.Errorf("verify: %w", context.Cause(ctx)), fmt.Errorf("%w: container a", verify.ErrLeft))
	case "stubborn":
		time.Sleep(time.Minute)
	}
	if o.Progress != nil {
		o.Progress(verify.Event{Section: "filesystem", Checks: r.Checks[:1], Pending: []check.Section{"limits"}})
		if mode == "slow" {
			time.Sleep(3 * tick)
		}
		o.Progress(verify.Event{Section: "limits", Checks: r.Checks[1:]})
	}
	return r, nil
}

// fakeProve takes noexec from a tmpfs, which is noticed or not.
func fakeProve(ctx context.Context, mode string, o prove.Options) (report.ProofResult, error) {
	base := report.Result{
		Subject: report.Subject{Image: o.Policy.Image, Runtime: o.Policy.Runtime}, Policy: o.Policy.Source,
		Checks:  []report.Check{{ID: "fs.tmp-noexec", Section: "filesystem", Verdict: "pass", Evidence: "exercised"}},
		Summary: report.Summary{Pass: 1, Verdict: "proven"},
	}
	r := report.ProofResult{
		Baseline: base,
		Mutants: []report.Mutant{{ID: "tmpfs.exec", Title: "the tmpfs allows execution", Section: "filesystem", Outcome: "killed",
			Cells: []report.Cell{{Check: "fs.tmp-noexec", Expected: "fail", Actual: "fail", Seen: []string{"attempt", "engine"}, Reason: "code ran"}}}},
		Witnesses: []report.Witness{{Check: "fs.tmp-noexec", Baseline: "pass", Killers: []string{"tmpfs.exec"}, Seen: []string{"attempt", "engine"}}},
		Summary:   report.ProofSummary{Mutants: 1, Killed: 1, Verdict: "proven"},
	}
	o.Progress(prove.Event{Baseline: &base, Total: 1})
	switch mode {
	case "survived":
		r.Mutants[0].Outcome, r.Mutants[0].Reason = "survived", "not noticed by fs.tmp-noexec"
		r.Mutants[0].Cells[0].Actual, r.Mutants[0].Cells[0].Reason = "pass", "nothing ran\x1b[2J"
		r.Summary = report.ProofSummary{Mutants: 1, Survived: 1, Verdict: "failed"}
	case "unclear":
		r.Summary.Unclear, r.Summary.Verdict = 1, "inconclusive"
		r.Witnesses[0].Seen, r.Witnesses[0].Reason = nil, report.AttemptUnclear
	case "no-image":
		return report.ProofResult{}, fmt.Errorf("%s: %w", o.Policy.Image, engine.ErrNoImage)
	case "left":
		return r, fmt.Errorf("%w: image x", verify.ErrLeft)
	case "hang":
		<-ctx.Done()
		mark("cleaned")
		return report.ProofResult{}, context.Cause(ctx)
	case "slow":
		time.Sleep(3 * tick)
	}
	o.Progress(prove.Event{Mutant: &r.Mutants[0], Done: 1, Total: 1})
	return r, nil
}

package verify

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/report"
)

// progress judges and announces every section whose measurements are complete,
// in order.
func (r *run) progress(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	for r.next < len(check.Sections) {
		section := check.Sections[r.next]
		var mine []*check.Check
		for _, c := range r.checks {
			if c.Section != section {
				continue
			}
			if !r.ready(c) {
				return
			}
			mine = append(mine, c)
		}
		r.next++
		if len(mine) == 0 {
			continue
		}
		event := Event{Section: section, Pending: r.pending()}
		for _, c := range mine {
			r.results[c.ID] = c.Decide(r.input(), r.opts.now())
			event.Checks = append(event.Checks, r.render(c))
		}
		if r.opts.Progress != nil {
			r.opts.Progress(event)
		}
	}
}

// ready says whether everything a check rests on has been measured, or never
// will be.
func (r *run) ready(c *check.Check) bool {
	switch c.Section {
	case check.Run, check.Stack:
		return r.cleaned
	}
	if !r.looked[check.Main] {
		return false // every account of declared and kernel is the main twin's
	}
	for _, n := range c.Needs {
		if r.ended[n.Twin] {
			continue
		}
		// The kernel's counters of an exhaustion are read when the guest has finished.
		if strings.HasPrefix(n.Probe, "exhaust.") {
			return false
		}
		if _, seen := r.states[n.Twin].Seen[n.Role][n.Probe]; !seen {
			return false
		}
	}
	return true
}

func (r *run) pending() []check.Section {
	var left []check.Section
	for _, s := range check.Sections[r.next:] {
		if slices.ContainsFunc(r.checks, func(c *check.Check) bool { return c.Section == s }) {
			left = append(left, s)
		}
	}
	return left
}

func (r *run) input() *check.Input {
	twins := maps.Clone(r.states)
	maps.Copy(twins, r.doomed)
	in := &check.Input{
		Policy: r.opts.Policy, Wanted: r.wanted, NCPU: r.info.NCPU,
		Image:   check.Image{Env: r.image.Env, Labels: r.image.Labels, History: r.image.History, Directory: !strings.HasPrefix(r.image.ID, "sha256:")},
		Planted: r.planted, Twins: twins, Exits: r.exits, HashKey: r.hashKey,
		Results: r.results, LeftOut: r.leftOut, Host: r.host, HostDevices: r.hostDevices,
	}
	if r.original != nil {
		in.Original = r.original.account()
	}
	return in
}

func (r *run) runtime() string {
	if rt := r.opts.Policy.Runtime; rt != "" {
		return rt
	}
	return r.info.Runtime
}

// render turns one result into the report's form.
func (r *run) render(c *check.Check) report.Check {
	res := r.results[c.ID]
	out := report.Check{
		ID: c.ID, Title: c.Title, Section: string(c.Section), Seed: c.Seeds, Verdict: string(res.Verdict), Evidence: string(res.Evidence),
		Wanted: res.Wanted, Declared: res.Declared, Kernel: res.Kernel, Observed: res.Observed, Reason: res.Reason, Refs: c.Refs,
	}
	if out.Evidence == "" {
		out.Evidence = string(check.NoGrade)
	}
	out.Setting, out.Line = setting(c.Settings, r.opts.Policy.Origins)
	switch {
	case c.Section == check.Stack: // the other rows have the hints
	case res.Verdict == check.Fail && check.Remedy(r.input(), c.ID) != "":
		out.Hint = check.Remedy(r.input(), c.ID)
	case res.Verdict == check.Fail && (c.Section == check.Environment || c.Section == check.Secrets):
		out.Hint = c.Fix.Docker
	case res.Verdict == check.Fail:
		out.Hint = "docker run " + c.Fix.Docker + "; in tightship.yaml " + c.Fix.Policy
	case res.Verdict == check.Inconclusive:
		out.Hint = "nothing was shown either way; tightship checks " + c.ID + " says what is attempted and with which control"
	}
	for _, n := range c.Needs {
		if tw := r.states[n.Twin]; tw != nil {
			out.DurationMS += tw.Seen[n.Role][n.Probe].Duration / 1000
		}
	}
	return out
}

// setting is the first of a check's settings that the policy's file says, and the
// line; where it says none of them, the first, and 0.
func setting(keys []string, origins map[string]policy.Origin) (key string, line int) {
	for _, k := range keys {
		if o, ok := origins[k]; ok {
			return k, o.Line
		}
	}
	if len(keys) > 0 {
		key = keys[0]
	}
	return key, 0
}

// report assembles the whole.
func (r *run) report(started time.Time) report.Result {
	lsm := r.info.LSM
	if lsm == "" {
		lsm = "none"
	}
	program := r.program()
	container := ""
	if r.original != nil {
		container = r.original.state.Name
	}
	out := report.Result{
		Subject: report.Subject{
			Image: r.opts.Policy.Image, ImageDigest: r.image.Digest, ImageID: r.image.ID, Container: container, Engine: r.info.Name, EngineVersion: r.info.Version,
			Runtime: r.runtime(), RuntimeDigest: program.digest, RuntimeNote: program.note, Kernel: r.info.Kernel, Cgroup: r.info.Cgroup, LSM: lsm,
		},
		PolicyDigest: r.opts.Policy.Digest(), SettingsDigest: r.settingsDigest(), GuestDigest: sha256Of(r.opts.Guest), Policy: r.opts.Policy.Source, RunID: r.lock.id,
		Started: started.UTC(), Checks: []report.Check{}, LeftOut: r.leftOut, Residual: []report.Risk{},
	}
	for _, c := range r.checks {
		out.Checks = append(out.Checks, r.render(c))
	}
	for _, risk := range check.Residual(r.input()) {
		out.Residual = append(out.Residual, report.Risk(risk))
	}
	out.Summary = report.Summarize(out.Checks)
	out.DurationMS = r.opts.now().Sub(started).Milliseconds()
	return out
}

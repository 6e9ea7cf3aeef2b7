package check_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/probe"
)

// swept changes what a call of the sweep came to; "" takes it out.
func swept(tw check.Twin, call, came string) edit {
	return func(in *check.Input) {
		facts := in.Twins[tw].Seen[U]["syscall.sweep"].Facts
		for how, names := range facts {
			list := strings.Fields(names)
			facts[how] = strings.Join(slices.DeleteFunc(list, func(n string) bool { return n == call }), " ")
		}
		if came != "" {
			facts[came] += " " + call
		}
	}
}

func twice(a, b edit) edit {
	return func(in *check.Input) { a(in); b(in) }
}

// label is a security module's, as the host's kernel and the guest read it.
func label(l string) edit {
	return twice(kern(func(k *kernel.State) { k.LSM = l }), fact(main, U, "kernel.free", "lsm", l))
}

// The accounts decide nothing where the attempts show it: only what happens does.
func TestKernelRowsByAttemptAlone(t *testing.T) {
	for _, c := range check.Catalogue() {
		if c.Section != check.KernelSection || c.ID == "kernel.lsm" || c.ID == "kernel.syscall-filter" {
			continue
		}
		in := hardened(t)
		in.Twins[main].Declared.Seccomp, in.Twins[main].Declared.CapAdd = "unconfined", []string{"ALL"}
		if r := c.Judge(in); r.Verdict != check.Pass {
			t.Errorf("%s: %s: %s", c.ID, r.Verdict, r.Reason)
		}
	}
}

// What a kernel is said to lack is believed as long as nothing gets through.
func TestLackingIsNoBlindfold(t *testing.T) {
	for id, call := range map[string]string{
		"kernel.no-bpf": "bpf", "kernel.no-perf": "perf_event_open", "kernel.no-io-uring": "io_uring_setup", "kernel.no-userfaultfd": "userfaultfd",
		"kernel.no-handle-open": "open_by_handle_at", "kernel.no-modules-kexec": "init_module",
	} {
		if check.Lacking(check.GVisor, id) == "" || check.Lacking("", id) != "" {
			t.Errorf("%s is lacking elsewhere", id)
		}
		for name, row := range map[string]struct {
			edit edit
			want check.Verdict
		}{
			"reached":           {swept(main, call, "EFAULT"), check.Fail},
			"there without one": {twice(swept(main, call, "EPERM"), swept(isolate, call, "EFAULT")), check.Pass},
			"not swept":         {swept(main, call, ""), check.Inconclusive},
			"silent":            {gone(main, U, "syscall.sweep"), check.Inconclusive},
		} {
			in := gvisor(t)
			row.edit(in)
			if r := checkFor(t, in, id).Judge(in); r.Verdict != row.want {
				t.Errorf("%s, %s: %s, want %s: %s", id, name, r.Verdict, row.want, r.Reason)
			}
		}
	}
}

// The fixture's sweep is a whole one.
func TestSweepIsWhole(t *testing.T) {
	n := 0
	for _, names := range hardened(t).Twins[main].Seen[probe.User]["syscall.sweep"].Facts {
		n += len(strings.Fields(names))
	}
	if n < 300 {
		t.Errorf("%d calls", n)
	}
}

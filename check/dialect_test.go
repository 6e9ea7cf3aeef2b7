package check_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/mutate"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
)

// gvisor is the evidence of a real run on runsc under its built-in policy.
func gvisor(t testing.TB) *check.Input {
	t.Helper()
	return recorded(t, "testdata/gvisor.json")
}

// blindfold says what is missing of an accommodation for it to be one.
func blindfold(a check.Accommodation) error {
	for field, text := range map[string]string{"Kernel": a.Kernel, "Takes": string(a.Takes), "Instead": a.Instead, "Why": a.Why, "Control": a.Control, "Mutation": a.Mutation} {
		if strings.TrimSpace(text) == "" {
			return fmt.Errorf("%s has no %s", a.Check, field)
		}
	}
	c, ok := check.ByID(a.Check)
	switch {
	case !ok:
		return fmt.Errorf("there is no check %q", a.Check)
	case !slices.Contains(c.Mutations, a.Mutation) && !slices.ContainsFunc(mutate.Exceptions, func(e mutate.Exception) bool {
		return e.Kernel == a.Kernel && e.Check == a.Check && e.Mutation == a.Mutation && e.Want == check.Fail
	}):
		return fmt.Errorf("%s does not fail under %s", a.Check, a.Mutation)
	}
	return nil
}

// What is judged differently names a control that fails when the protection is
// off, and the mutation under which the real runs show that.
func TestDialectsHaveControls(t *testing.T) {
	var seen []string
	for _, a := range check.Dialects {
		if err := blindfold(a); err != nil {
			t.Error(err)
		}
		key := a.Kernel + a.Check + string(a.Takes)
		if slices.Contains(seen, key) {
			t.Errorf("%s is there twice", a.Check)
		}
		seen = append(seen, key)
	}
	whole := check.Dialects[0]
	for name, spoil := range map[string]func(*check.Accommodation){
		"no control":          func(a *check.Accommodation) { a.Control = " " },
		"no mutation":         func(a *check.Accommodation) { a.Mutation = "" },
		"no reason":           func(a *check.Accommodation) { a.Why = "" },
		"another's mutation":  func(a *check.Accommodation) { a.Mutation = "user.root" },
		"a check of no kind":  func(a *check.Accommodation) { a.Check = "fs.none" },
		"nothing is accepted": func(a *check.Accommodation) { a.Instead = "" },
	} {
		a := whole
		if spoil(&a); blindfold(a) == nil {
			t.Errorf("%s: not refused", name)
		}
	}
}

// On gVisor every row holds but the one that the built-in policy accepts.
func TestGVisorHolds(t *testing.T) {
	in := gvisor(t)
	lacks := policy.DefaultFor("runsc").Accept
	for _, c := range check.For(in.Policy) {
		want := check.Pass
		if slices.ContainsFunc(lacks, func(a policy.Accept) bool { return a.Check == c.ID }) {
			want = check.Fail
		}
		if check.Lacking(check.GVisor, c.ID) != "" {
			want = check.NotApplicable
		}
		if r := c.Judge(in); r.Verdict != want {
			t.Errorf("%s: %s: %s", c.ID, r.Verdict, r.Reason)
		}
	}
	if len(lacks) != 1 {
		t.Errorf("%d checks are accepted", len(lacks))
	}
	for _, a := range lacks {
		if _, ok := check.ByID(a.Check); !ok {
			t.Errorf("the built-in policy accepts %s, which does not exist", a.Check)
		}
	}
}

// A guest that never said which kernel it found leaves the host's word unused:
// the process may be a sandbox, whose mounts and capabilities break nothing.
func TestGVisorSilent(t *testing.T) {
	in := gvisor(t)
	for _, tw := range in.Twins {
		tw.Seen, tw.Problem = map[probe.Role]map[string]probe.Observation{}, "the guest ended too early"
	}
	for _, id := range []string{"fs.root-read-only", "fs.tmp-noexec", "caps.none", "user.non-root", "limits.nofile"} {
		if r := checkFor(t, in, id).Judge(in); r.Verdict != check.Inconclusive || !strings.Contains(r.Kernel, "which kernel") {
			t.Errorf("%s: %s: %s (%s)", id, r.Verdict, r.Reason, r.Kernel)
		}
	}
}

// No accommodation is idle: on a kernel that is not gVisor the same evidence
// does not pass, and of a sandbox's process nothing is taken for the workload's.
func TestDialectsAreNeeded(t *testing.T) {
	for _, a := range check.Dialects {
		in := gvisor(t)
		for _, tw := range in.Twins {
			if o, ok := tw.Seen[U]["ids"]; ok {
				o.Facts["gvisor"] = "false"
			}
			tw.Kernel, tw.After = nil, nil // the sandbox's, which would break rows by itself
		}
		if r := checkFor(t, in, a.Check).Judge(in); r.Verdict == check.Pass {
			t.Errorf("%s passes without it: %s", a.Check, r.Reason)
		}
	}
	in := gvisor(t)
	for _, c := range check.For(in.Policy) {
		if r := c.Judge(in); r.Evidence == check.Kernel && !strings.HasPrefix(c.ID, "limits.") {
			t.Errorf("%s is graded kernel", c.ID)
		}
	}
}

// Each row changes one thing about gVisor's evidence.
func TestGVisorJudges(t *testing.T) {
	const fail, open = check.Fail, check.Inconclusive
	memory, pids := check.Doomed["exhaust.memory"], check.Doomed["exhaust.pids"]
	on := func(tw check.Twin, f func(*check.TwinState)) edit {
		return func(in *check.Input) { f(in.Twins[tw]) }
	}
	lived := func(tw check.Twin, name string, o probe.Observation) edit {
		return on(tw, func(s *check.TwinState) { s.Problem, s.Seen[U][name] = "", o })
	}
	bits := func(tw check.Twin, role probe.Role) edit {
		return attempts(tw, role, "fs.create", func(a *probe.Attempt) bool {
			if a.Errno == "EROFS" {
				a.Errno = "EACCES"
			}
			a.Bits = "deny"
			return true
		})
	}
	all := func(edits ...edit) edit {
		return func(in *check.Input) {
			for _, e := range edits {
				e(in)
			}
		}
	}
	rows := []struct {
		id, name string
		edit     edit
		want     check.Verdict
		reason   string
	}{
		{"fs.root-read-only", "a file in /etc", outcome(main, R, "fs.create", "create", "/etc", ""), fail, "/etc"},
		{"fs.root-read-only", "refused by the bits", all(bits(main, R), bits(main, U)), open, "because of the mount"},
		{"fs.tmp-nosuid", "the planted file capability works", outcome(isolate, U, "suid.run", "execve file-capability file", "/tmp", ""), fail, "file-capability"},
		{"fs.tmp-nosuid", "the planted setuid works", outcome(isolate, U, "suid.run", "execve setuid-root file", "/tmp", ""), fail, "setuid"},
		{"fs.tmp-nosuid", "the capability works nowhere", outcome(isolate, U, "suid.run", "execve file-capability helper", "", "unchanged"), open, "control"},
		{"fs.tmp-nodev", "a node of the host's opens", outcome(isolate, R, "dev.open", "open a node of the host's vda", "/tmp", ""), fail, "/tmp"},
		{"fs.tmp-nodev", "no node of the host's was tried", attempts(isolate, R, "dev.open", func(a *probe.Attempt) bool {
			a.Act = strings.TrimPrefix(a.Act, "open a node of the host's ")
			return true
		}), fail, "/tmp"},
		{"fs.tmp-nodev", "the engine was not told", on(main, func(s *check.TwinState) { t := s.Declared.Tmpfs["/tmp"]; t.Dev = true; s.Declared.Tmpfs["/tmp"] = t }), fail, "was not told"},
		{"fs.tmp-nodev", "the control does not open", controls(isolate, R, "dev.open", "ENXIO"), open, "control"},
		{"user.no-escalation", "the capability is honoured", outcome(main, U, "escalate", "execve file-capability helper", "", ""), fail, "somebody else"},
		{"user.no-escalation", "and nowhere", outcome(isolate, U, "escalate", "execve file-capability helper", "", "unchanged"), open, "control"},
		{"priv.no-new-privs", "the capability is honoured", outcome(main, U, "escalate", "execve file-capability helper", "", ""), fail, "file-capability"},
		{"priv.no-new-privs", "and nowhere", outcome(isolate, U, "escalate", "execve file-capability helper", "", "unchanged"), open, "control"},
		{"priv.no-suid", "the capability is honoured", outcome(main, U, "suid.run", "execve file-capability helper", "", ""), fail, "file-capability"},
		{"priv.no-suid", "a planted setuid works", outcome(main, U, "suid.run", "execve setuid-root file", "/dev", ""), fail, "/dev"},
		{"priv.no-suid", "the capability works nowhere", outcome(isolate, U, "suid.run", "execve file-capability helper", "", "unchanged"), open, "control"},
		{"limits.pids", "all children live", lived(pids, "exhaust.pids", probe.Observation{Facts: map[string]string{"forks": "164", "base": "9"},
			Attempts: []probe.Attempt{{Act: "first fork", Control: true, OK: true}, {Act: "fork without end", OK: true}}}), fail, "164 children"},
		{"limits.pids", "no counter moved", on(pids, func(s *check.TwinState) { s.After.PIDsMax = s.Kernel.Cgroup.PIDsMax }), open, "nothing shows"},
		{"limits.pids", "no counter was read", on(pids, func(s *check.TwinState) { s.After = nil }), open, "nothing shows"},
		{"limits.pids", "nothing below the limit", on(pids, func(s *check.TwinState) { delete(s.Seen[U], check.BelowLimit("exhaust.pids")) }), open, "control"},
		{"limits.pids", "the sandbox hangs", on(pids, func(s *check.TwinState) { s.Alive = true }), open, "not ended"},
		{"limits.pids", "the sibling ended too", on(exhaust, func(s *check.TwinState) { s.Problem = "the guest ended too early" }), open, "live on"},
		{"limits.memory", "the child lives", lived(memory, "exhaust.memory", probe.Observation{
			Attempts: []probe.Attempt{{Act: "touch half", Control: true, OK: true}, {Act: "touch past the limit", OK: true}}}), fail, "lived"},
		{"limits.memory", "no counter moved", on(memory, func(s *check.TwinState) { s.OOMKilled, s.After.OOMKills = false, s.Kernel.Cgroup.OOMKills }), open, "nothing shows"},
		{"limits.memory", "nothing below the limit", on(memory, func(s *check.TwinState) { delete(s.Seen[U], check.BelowLimit("exhaust.memory")) }), open, "control"},
		{"limits.memory", "another limit in the kernel", on(main, func(s *check.TwinState) { s.Kernel.Cgroup.Memory = -1 }), fail, "kernel does not"},
		{"limits.swap", "swap in the kernel", on(main, func(s *check.TwinState) { s.Kernel.Cgroup.Swap = -1 }), fail, "kernel does not"},
		{"proc.masked", "the host's /proc is there", add(main, R, "proc.masked", probe.Attempt{Act: "access for reading", On: "/host/proc/keys", OK: true}), fail, "/host/proc/keys"},
		{"proc.masked", "its own has keys", outcome(main, R, "proc.masked", "read", "/proc/keys", ""), fail, "/proc/keys"},
		{"proc.masked", "the control is not read", controls(main, R, "proc.masked", "EACCES"), open, "control"},
		{"proc.sys-read-only", "the host's is there", add(main, R, "proc.write", probe.Attempt{Act: "access for writing", On: "/host/kernel/core_pattern", OK: true}), fail, "/host/kernel"},
		{"proc.sys-read-only", "control refused", controls(main, R, "proc.write", "EROFS"), open, "control"},
		{"sys.read-only", "the host's is there", add(main, R, "sys.write", probe.Attempt{Act: "access for writing", On: "/host/kernel", OK: true}), fail, "/host/kernel"},
		{"cgroup.read-only", "the host's is there", add(main, R, "cgroup.write", probe.Attempt{Act: "access for writing", On: "/host/cgroup.procs", OK: true}), fail, "/host/cgroup.procs"},
		{"cgroup.read-only", "the engine is told to mount it", on(main, func(s *check.TwinState) { bound("/sys/fs/cgroup", "/host", false)(&s.Declared) }), fail, "was not told"},
		{"dev.allowlist", "a node of the host's log", add(main, U, "dev.list", probe.Attempt{Act: "use a node", On: "/dev/kmsg", Note: "c 1:11", OK: true}), fail, "/dev/kmsg"},
		{"dev.allowlist", "a disk opens", outcome(isolate, R, "dev.make", "open a node", "b 254:0", ""), fail, "b 254:0"},
		{"kernel.syscall-filter", "the profile is ignored", outcome(main, U, "syscall.filter", "keyctl", "", ""), fail, "keyctl"},
		{"mounts.no-host-path", "a number that is not the host's kernel's", mounted("/run", copied), check.Fail, "/run"},
		{"kernel.no-ptrace-across", "nobody to try it on", outcome(isolate, R, "kernel.caps", "read another user's process", "ptrace", "ESRCH"), open, "neither"},
		{"kernel.no-ptrace-across", "not there", outcome(isolate, R, "kernel.caps", "read another user's process", "ptrace", "ENOTSUP"), check.NotApplicable, "none of it"},
		{"user.non-root", "the sandbox's own uids", on(main, func(s *check.TwinState) { s.Kernel.UIDs = [4]int64{} }), check.Pass, ""},
	}
	for _, row := range rows {
		t.Run(row.id+"/"+row.name, func(t *testing.T) {
			in := gvisor(t)
			row.edit(in)
			r := checkFor(t, in, row.id).Judge(in)
			if r.Verdict != row.want || !strings.Contains(r.Reason, row.reason) {
				t.Errorf("%s: %s, want %s with %q", r.Verdict, r.Reason, row.want, row.reason)
			}
		})
	}
}

// A failure that no flag of docker run mends on gVisor says what does; and the
// residual risks do not speak of a shared kernel there.
func TestGVisorWords(t *testing.T) {
	in, linux := gvisor(t), hardened(t)
	if text := check.Remedy(in, "kernel.syscall-filter"); !strings.Contains(text, "--oci-seccomp") || check.Remedy(linux, "kernel.syscall-filter") != "" {
		t.Errorf("remedy %q", text)
	}
	has := func(in *check.Input, id string) bool {
		return slices.ContainsFunc(check.Residual(in), func(r check.Risk) bool { return r.ID == id })
	}
	if has(in, "shared-kernel") || !has(in, "sandbox-kernel") || !has(linux, "shared-kernel") || has(linux, "sandbox-kernel") {
		t.Error(errors.New("the residual risks are about another kernel"))
	}
}

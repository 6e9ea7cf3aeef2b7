package probe

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every system call that x/sys knows is swept, or listed with the reason why
// not, and none is both.
func TestEveryCallIsListed(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		t.Fatal(err)
	}
	common := map[string]bool{}
	for _, c := range sweptCalls {
		if common[c.name] {
			t.Errorf("%s is swept twice", c.name)
		}
		common[c.name] = true
	}
	for arch, legacy := range map[string][]sweptCall{"amd64": legacyCalls, "arm64": nil} {
		if arch == "amd64" && len(legacyCalls) == 0 {
			continue // this test runs elsewhere
		}
		source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "unix", "zsysnum_linux_"+arch+".go"))
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{}
		for _, m := range regexp.MustCompile(`(?m)^\tSYS_(\w+) +=`).FindAllStringSubmatch(string(source), -1) {
			name := strings.ToLower(m[1])
			known[name] = true
			swept := common[name] || slices.ContainsFunc(legacy, func(c sweptCall) bool { return c.name == name })
			if reason, listed := notSwept[name]; swept == listed || listed && reason == "" {
				t.Errorf("%s: %s must be swept, or listed with a reason, and not both", arch, name)
			}
		}
		if len(known) < 300 {
			t.Fatalf("%s: only %d system calls", arch, len(known))
		}
		for name := range common {
			if !known[name] {
				t.Errorf("%s: %s is no system call", arch, name)
			}
		}
	}
}

// The sweep comes to an end, says something of every call, and none acts: this
// process and its children are as before.
func TestSweep(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{obs: &Observation{}}
	callSweep(&session{self: self}, r)
	if r.obs.Error != "" {
		t.Fatal(r.obs.Error)
	}
	came := map[string]string{}
	for how, names := range r.obs.Facts {
		if len(names) >= MaxText {
			t.Errorf("%s does not fit", how)
		}
		for name := range strings.FieldsSeq(names) {
			came[name] = how
		}
	}
	if swept, _ := SweptCalls(); len(came) != len(swept) {
		t.Errorf("%d of %d calls", len(came), len(swept))
	}
	for name, want := range map[string]string{"getpid": Reached, "close": "EBADF", "openat": "EFAULT", "munmap": "EINVAL"} {
		if came[name] != want {
			t.Errorf("%s: %s, want %s", name, came[name], want)
		}
	}
}

// What succeeds is only what answers a question, or changes nothing but the
// child that asks.
func TestSweepActsOnNothing(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{obs: &Observation{}}
	callSweep(&session{self: self}, r)
	allowed := strings.Fields(`brk sched_yield getpid getuid syslog getgid geteuid getegid getppid setsid setreuid setregid getgroups setresuid setresgid
		getpgid setfsuid setfsgid getsid personality munlockall gettid set_tid_address getpgrp alarm modify_ldt inotify_init eventfd rseq_slice_yield msgget`)
	for name := range strings.FieldsSeq(r.obs.Facts[Reached]) {
		if !slices.Contains(allowed, name) {
			t.Errorf("%s succeeded", name)
		}
	}
}

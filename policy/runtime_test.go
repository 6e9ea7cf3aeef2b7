package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGVisorNames(t *testing.T) {
	for name, want := range map[string]bool{
		"runsc": true, "gvisor": true, "gVisor-kvm": true, "io.containerd.runsc.v1": true, "/usr/local/bin/runsc": true,
		"": false, "runc": false, "crun": false, "kata": false, "runs": false,
	} {
		if GVisor(name) != want {
			t.Errorf("%q: %t", name, !want)
		}
	}
}

// The built-in policy is the default one on every runtime. Only on gVisor does
// it accept anything, one check, with its reason and for as long as that is so.
func TestDefaultFor(t *testing.T) {
	for _, runtime := range []string{"", "crun"} {
		want := Default()
		if runtime != "" {
			want.Runtime = runtime
		}
		if diff := cmp.Diff(want, DefaultFor(runtime)); diff != "" {
			t.Errorf("%q: -want +got:\n%s", runtime, diff)
		}
	}
	p := DefaultFor("runsc")
	if p.Runtime != "runsc" || len(p.Accept) != 1 || p.Accept[0].Check != "user.no-privileged-port" || p.Accept[0].Reason == "" {
		t.Errorf("accepts %+v", p.Accept)
	}
	if !p.Accept[0].Active(time.Date(2900, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Error("the acceptance ends")
	}
	p.Accept[0].Check = "spoiled"
	if DefaultFor("runsc").Accept[0].Check == "spoiled" {
		t.Error("what one caller changes, the next one gets")
	}
	if p.Digest() == DefaultFor("runc").Digest() {
		t.Error("the digest does not tell what is accepted")
	}
}

// The file that init writes says what the built-in policy says, but for the date.
func TestInitTemplateFor(t *testing.T) {
	now := time.Date(2026, 2, 28, 23, 0, 0, 0, time.FixedZone("", -7200))
	for _, runtime := range []string{"", "runc", "crun", "runsc", "io.containerd.runsc.v1"} {
		want := DefaultFor(runtime)
		for i := range want.Accept {
			want.Accept[i].Until = "2027-03-01"
		}
		text := string(InitTemplateFor(runtime, now))
		if diff := cmp.Diff(want, decodeBare(t, text)); diff != "" {
			t.Errorf("%q: -want +got:\n%s", runtime, diff)
		}
		if strings.Count(text, "\n") < strings.Count(string(InitTemplate()), "\n") {
			t.Errorf("%q: lines are lost", runtime)
		}
	}
}

// On gVisor the profile differs in the answer to clone3, and in nothing else.
func TestGVisorProfile(t *testing.T) {
	p := DefaultFor("runsc")
	got, err := p.seccomp()
	if err != nil {
		t.Fatal(err)
	}
	const rule = `{"names":["clone3"],"action":"SCMP_ACT_TRACE",`
	if !strings.Contains(got, rule) || strings.Count(got, "SCMP_ACT_TRACE") != 1 || strings.Count(defaultSeccomp, clone3Errno) != 1 {
		t.Errorf("no rule %s", rule)
	}
	if back := strings.Replace(got, clone3Trace, clone3Errno, 1); back != strings.TrimSpace(defaultSeccomp) {
		t.Error("something else differs too")
	}
	p.Seccomp = SeccompUnconfined
	if got, _ := p.seccomp(); got != SeccompUnconfined {
		t.Errorf("unconfined became %q", got)
	}
}

package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/broker"
)

func TestBoundText(t *testing.T) {
	for want, s := range map[string]broker.SandboxStatus{
		"bound: a to the control group /x":                                                    {Name: "a", Cgroup: "/x"},
		"bound: a to the container c0ffee, control group /x":                                  {Name: "a", Container: "c0ffee", Cgroup: "/x"},
		"bound: a to the container c0ffee, whose control group is looked up when it connects": {Name: "a", Container: "c0ffee"},
	} {
		if got := boundText(s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// What is wrong stands below the table, each on its own, whatever it holds; where all
// is well nothing follows.
func TestBrokerStatusText(t *testing.T) {
	a := fakeApp("")
	a.ui = newUI(io.Discard, io.Discard, nowhere, env())
	s := broker.Status{PID: 7, Credentials: []broker.CredentialStatus{{Name: "x", Listen: "/x", State: broker.StateInUse}}}
	well := a.brokerStatusText(s)
	if !strings.HasSuffix(well, "in use\n") || !strings.Contains(well, "the built-in default") {
		t.Errorf("all is well:\n%s", well)
	}
	s.Ledger = "the disk is full"
	s.Reload = &broker.Problem{Time: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), Text: "line 3 is wrong\nline 4 as well"}
	s.Credentials = append(s.Credentials,
		broker.CredentialStatus{Name: "y", State: broker.StateNoValue, Problem: "no such file\x1b[2J"},
		broker.CredentialStatus{Name: "z", State: broker.StateInUse, Problem: "the command failed"})
	got := a.brokerStatusText(s)
	_, wrong, _ := strings.Cut(got[strings.Index(got, "CREDENTIAL"):], "\n\n")
	wrong = strings.Join(strings.Fields(wrong), " ")
	for _, want := range []string{
		"ledger: the disk is full: nothing is served: free the disk or mend it, then start the broker again policy:",
		"policy: reloading failed at 12:00:00 UTC: line 3 is wrong; the policy before it is still at work y:",
		"y: no value: no such file",
		"z: the value before is in use, as it cannot be fetched again: the command failed",
	} {
		if !strings.Contains(wrong, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "\x1b") || strings.Contains(got, "line 4") {
		t.Errorf("%q", got)
	}
	for line := range strings.Lines(got[strings.LastIndex(got, "\n\n"):]) {
		if len(line) > 81 {
			t.Errorf("a line has %d columns: %s", len(line), line)
		}
	}
}

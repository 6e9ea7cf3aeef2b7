package check_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/probe"
)

// hardened is the evidence of one real run of the reference image under the
// default policy, recorded by the end-to-end lane. Every test changes one thing
// about it and says what the verdict must become.
func hardened(t testing.TB) *check.Input {
	t.Helper()
	return recorded(t, "testdata/hardened.json")
}

func recorded(t testing.TB, file string) *check.Input {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	in := &check.Input{}
	if err := json.Unmarshal(data, in); err != nil {
		t.Fatal(err)
	}
	in.Exits = []check.Exit{
		{Twin: check.Main, Wanted: 42, Got: 42, StdoutComplete: true},
		{Twin: check.Isolate, Wanted: 0, Got: 0, StdoutComplete: true},
	}
	in.Results = map[string]check.Result{"fs.root-read-only": {Verdict: check.Pass}}
	return in
}

// checkFor finds a check of the fixture's policy.
func checkFor(t testing.TB, in *check.Input, id string) *check.Check {
	t.Helper()
	for _, c := range check.For(in.Policy) {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("no check %s", id)
	return nil
}

// edit changes the fixture.
type edit func(*check.Input)

// outcome sets what came of the attempts of an act on an object ("" is any):
// an errno, or "" for success.
func outcome(tw check.Twin, role probe.Role, name, act, on, errno string) edit {
	return attempts(tw, role, name, func(a *probe.Attempt) bool {
		if a.Control || a.Act != act || on != "" && a.On != on {
			return false
		}
		a.OK, a.Errno = errno == "", errno
		return true
	})
}

// controls sets what came of every control attempt of a probe.
func controls(tw check.Twin, role probe.Role, name, errno string) edit {
	return attempts(tw, role, name, func(a *probe.Attempt) bool {
		if a.Control {
			a.OK, a.Errno = errno == "", errno
		}
		return a.Control
	})
}

// attempts changes attempts in place and panics when there was none to change:
// a row that edits nothing would test nothing.
func attempts(tw check.Twin, role probe.Role, name string, f func(*probe.Attempt) bool) edit {
	return func(in *check.Input) {
		o := in.Twins[tw].Seen[role][name]
		o.Attempts = slices.Clone(o.Attempts)
		n := 0
		for i := range o.Attempts {
			if f(&o.Attempts[i]) {
				n++
			}
		}
		if n == 0 {
			panic("the fixture has no such attempt: " + name)
		}
		in.Twins[tw].Seen[role][name] = o
	}
}

// add appends an attempt that the fixture does not have.
func add(tw check.Twin, role probe.Role, name string, a probe.Attempt) edit {
	return func(in *check.Input) {
		o := in.Twins[tw].Seen[role][name]
		o.Attempts = append(slices.Clone(o.Attempts), a)
		in.Twins[tw].Seen[role][name] = o
	}
}

// fact sets a fact; "" removes it.
func fact(tw check.Twin, role probe.Role, name, key, value string) edit {
	return func(in *check.Input) {
		facts := in.Twins[tw].Seen[role][name].Facts
		if value == "" {
			delete(facts, key)
			return
		}
		facts[key] = value
	}
}

// gone removes an observation, as when the guest never reported it.
func gone(tw check.Twin, role probe.Role, name string) edit {
	return func(in *check.Input) { delete(in.Twins[tw].Seen[role], name) }
}

// empty leaves an observation in which nothing was attempted, as a probe with
// its body deleted makes it.
func empty(tw check.Twin, role probe.Role, name string) edit {
	return func(in *check.Input) { in.Twins[tw].Seen[role][name] = probe.Observation{Probe: name} }
}

// failed leaves an observation that says why the probe could not do its work.
func failed(tw check.Twin, role probe.Role, name string) edit {
	return func(in *check.Input) {
		o := in.Twins[tw].Seen[role][name]
		o.Error = "no room"
		in.Twins[tw].Seen[role][name] = o
	}
}

// copied is the facts of what Podman mounts over what the image has in a read-only
// root.
var copied = map[string]string{"fstype": "tmpfs", "root": "/", "access": "ro", "entries": "1", "device": "0:99"}

// mounted adds a mount with these facts, on a host whose mount table is known, and
// then changes something about it.
func mounted(target string, facts map[string]string, changes ...edit) edit {
	return func(in *check.Input) {
		add(main, U, "mounts", probe.Attempt{Act: "look at a mount", On: target, OK: true})(in)
		for key, value := range facts {
			fact(main, U, "mounts", key+":"+target, value)(in)
		}
		in.HostDevices = []string{"0:1", "254:0"}
		both(changes...)(in)
	}
}

// both makes several edits.
func both(edits ...edit) edit {
	return func(in *check.Input) {
		for _, e := range edits {
			e(in)
		}
	}
}

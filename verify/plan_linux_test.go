package verify

import (
	"regexp"
	"slices"
	"testing"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/probe"
)

// Every probe has its place in the order, and every one that a check needs is
// in the guest.
func TestOrderIsWhole(t *testing.T) {
	names := probe.Names()
	for _, n := range names {
		if !slices.Contains(order, n) {
			t.Errorf("probe %s has no place in the order", n)
		}
	}
	for _, n := range order {
		if !slices.Contains(names, n) {
			t.Errorf("the order names %s, which the guest does not have", n)
		}
	}
	for _, c := range check.Catalogue() {
		for _, n := range c.Needs {
			if !slices.Contains(names, n.Probe) {
				t.Errorf("%s needs probe %s, which the guest does not have", c.ID, n.Probe)
			}
		}
	}
}

// The judges are told which file systems this host has mounted, and of another host
// nothing.
func TestHostDevices(t *testing.T) {
	number := regexp.MustCompile(`^\d+:\d+$`)
	here := prepared(t, true).input().HostDevices
	if len(here) == 0 {
		t.Error("this host has nothing mounted")
	}
	for _, d := range here {
		if !number.MatchString(d) {
			t.Errorf("%q is no number of a file system", d)
		}
	}
	if there := prepared(t, false).input().HostDevices; there != nil {
		t.Errorf("of another host: %v", there)
	}
}

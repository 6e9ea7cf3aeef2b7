package mutate

import (
	"net"
	"testing"

	"github.com/tightship-dev/tightship/kernel"
)

func TestListenIsUndone(t *testing.T) {
	path, stop, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		t.Error("somebody still listens")
	}
}

func TestSharedMounts(t *testing.T) {
	peers := []string{"shared:1"}
	table := []kernel.Mount{
		{Target: "/", FSType: "ext4"}, {Target: "/srv", FSType: "ext4", Propagation: peers},
		{Target: "/srv/a/b", FSType: "tmpfs"}, {Target: "/proc", FSType: "proc", Propagation: peers}, {Target: "/x", FSType: "ext4", Propagation: []string{"master:1"}},
	}
	for dir, want := range map[string]bool{"/srv/c": true, "/srv": true, "/srvx": false, "/": false, "/proc/1": false, "/x/y": false, "/srv/a/b": false} {
		if got := shared(liesOn(table, dir)); got != want {
			t.Errorf("%s: %v", dir, got)
		}
	}
	if !holdsMount(table, "/srv/a") || holdsMount(table, "/srv/c") {
		t.Error("which directories hold a mount is wrong")
	}
}

package probe

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestResolvers(t *testing.T) {
	all, err := parseResolvers(strings.NewReader("# x\nnameserver 127.0.0.11\nsearch a b\nnameserver fe80::1%eth0\nnameserver\nnameserver bad\nnameserver 127.0.0.11\n"))
	if err != nil || len(all) != 2 || all[0].String() != "127.0.0.11" || all[1].Zone() != "eth0" {
		t.Errorf("%v, %v", all, err)
	}
	if all, err := resolvers(filepath.Join(t.TempDir(), "none")); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}

func FuzzResolvers(f *testing.F) {
	f.Add("nameserver 1.1.1.1\nnameserver ::1")
	f.Fuzz(func(t *testing.T, text string) {
		all, _ := parseResolvers(strings.NewReader(text))
		for _, a := range all {
			if !a.IsValid() {
				t.Error(a)
			}
		}
	})
}

// A listener is reached, one that is gone is refused, and loopback has a route.
func TestDial(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := netip.MustParseAddrPort(l.Addr().String())
	if err := dial(to); err != nil {
		t.Errorf("a listener is not reached: %v", err)
	}
	l.Close()
	if err := dial(to); err != unix.ECONNREFUSED {
		t.Errorf("a port where nobody listens: %v", err)
	}
	if err := route(to.Addr()); err != nil {
		t.Errorf("no route to loopback: %v", err)
	}
}

// The canary is found below whichever directory above it is mounted, by its
// content and not by its name.
func TestBelow(t *testing.T) {
	dir := t.TempDir()
	c := &Canary{File: "0123456789", Paths: []string{"/other/way", "/home/me/.cache/tightship/runs/id"}}
	place := func(name, content string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	place("name/id", "something else")
	if _, err := below(c, filepath.Join(dir, "name")); err == nil {
		t.Error("found by its name alone")
	}
	for _, rest := range []string{"id", "runs/id", "me/.cache/tightship/runs/id", "home/me/.cache/tightship/runs/id"} {
		mount := "mount-" + strings.ReplaceAll(rest, "/", "-")
		place(mount+"/"+rest, "0123456789\n")
		if path, err := below(c, filepath.Join(dir, mount)); err != nil || !strings.HasSuffix(path, "/"+rest) {
			t.Errorf("%s: %s, %v", rest, path, err)
		}
	}
}

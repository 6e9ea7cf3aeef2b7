package probe

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseMounts(t *testing.T) {
	all, err := parseMounts(strings.NewReader(`1 0 0:1 / / rw master:3 - overlay overlay rw
2 1 0:2 /a\040b /x rw shared:1 master:2 - ext4 /dev/a rw
3 1 0:3 / /y ro - tmpfs  ro
nonsense
`))
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	for i, want := range []mount{
		{target: "/", fstype: "overlay", device: "0:1", root: "/", source: "overlay", follows: true},
		{target: "/x", fstype: "ext4", device: "0:2", root: "/a b", source: "/dev/a", shared: true, follows: true},
		{target: "/y", fstype: "tmpfs", device: "0:3", root: "/", readOnly: true},
	} {
		if all[i] != want {
			t.Errorf("%+v, want %+v", all[i], want)
		}
	}
}

func TestUsual(t *testing.T) {
	for name, row := range map[string]struct {
		m    mount
		want bool
	}{
		"proc":                   {mount{target: "/proc", fstype: "proc"}, true},
		"proc of the host":       {mount{target: "/mnt/proc", fstype: "proc"}, false},
		"a mask":                 {mount{target: "/proc/keys", fstype: "tmpfs", root: "/null"}, true},
		"a directory over a key": {mount{target: "/proc/keys", fstype: "ext4", root: "/null"}, false},
		"sysfs elsewhere":        {mount{target: "/s", fstype: "sysfs"}, false},
		"cgroup":                 {mount{target: "/sys/fs/cgroup/pids", fstype: "cgroup"}, true},
		"a disk over mqueue":     {mount{target: "/dev/mqueue", fstype: "ext4"}, false},
		"a tmpfs elsewhere":      {mount{target: "/srv", fstype: "tmpfs", root: "/"}, false},
	} {
		if got := row.m.usual(); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestIdentity(t *testing.T) {
	for link, want := range map[string]uint64{"pid:[4026531836]": 4026531836, "net:[2]": 2} {
		if n, ok := identity(link); !ok || n != want {
			t.Errorf("%s: %d, %v", link, n, ok)
		}
	}
	for _, bad := range []string{"", "pid:", "pid:[]", "pid:[12", "pid:[-1]", "pid:[x]"} {
		if n, ok := identity(bad); ok {
			t.Errorf("%q is %d", bad, n)
		}
	}
}

// A socket is connected to by its path, however long, and by its abstract name;
// nobody listening is a refusal.
func TestConnectTo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, l := range []struct{ network, name, at string }{
		{"unix", "s", filepath.Join(dir, "s")}, {"unixgram", "d", "d"}, {"unixpacket", "p", "p"},
		{"unix", "@tightship-test-" + token(), ""},
	} {
		at := l.at
		if at == "" {
			at = l.name
		}
		addr := &net.UnixAddr{Net: l.network, Name: l.name}
		var stop func() error
		if l.network == "unixgram" {
			c, err := net.ListenUnixgram(l.network, addr)
			if err != nil {
				t.Fatal(err)
			}
			stop = c.Close
		} else {
			c, err := net.ListenUnix(l.network, addr)
			if err != nil {
				t.Fatal(err)
			}
			c.SetUnlinkOnClose(false)
			stop = c.Close
		}
		if _, err := connectTo(at); err != nil {
			t.Errorf("%s %s: %v", l.network, at, err)
		}
		stop()
		if _, err := connectTo(at); err != unix.ECONNREFUSED {
			t.Errorf("%s %s, closed: %v", l.network, at, err)
		}
	}
}

// What is the host's is no place to work in, and a program that is tried there
// has no name that anybody could see.
func TestNothingIsNamedInTheHosts(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	s := &session{plan: Plan{Nonce: "0123456789abcdef", Params: Params{Tmpfs: []string{filepath.Join(dir, "below"), other}, Host: []string{dir, "/dev/shm"}}}}
	if err := os.Mkdir(filepath.Join(dir, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.places(), " "); got != other+" /dev" {
		t.Errorf("works in %s", got)
	}
	path, remove, err := s.program(dir)
	if err != nil {
		t.Skipf("SKIPPED: no O_TMPFILE in %s: %v", dir, err)
	}
	defer remove()
	if _, err := became(path); err != nil {
		t.Errorf("a program without a name does not run: %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left a name: %v", entries)
	}
	named, clean, err := s.program(other)
	if err != nil || !strings.HasPrefix(named, other) {
		t.Fatalf("%s, %v", named, err)
	}
	clean()
	if entries, _ := os.ReadDir(other); len(entries) != 0 {
		t.Errorf("left %v", entries)
	}
}

func TestReachOwn(t *testing.T) {
	for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM} {
		if err := reachOwn(kind); err != nil {
			t.Errorf("kind %d: %v", kind, err)
		}
	}
}

package kernel

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMain doubles as the process that TestRead looks at.
func TestMain(m *testing.M) {
	if os.Getenv("TIGHTSHIP_TEST_CHILD") != "" {
		child()
	}
	os.Exit(m.Run())
}

// child restricts itself, says so, and waits to be killed.
func child() {
	lim := unix.Rlimit{Cur: 77, Max: 78}
	if unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != nil || unix.Setrlimit(unix.RLIMIT_NOFILE, &lim) != nil {
		os.Exit(1)
	}
	os.Stdout.WriteString("x")
	os.Stdin.Read(make([]byte, 1))
	os.Exit(0)
}

func TestReadRealProcess(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{"TIGHTSHIP_TEST_CHILD=1", "GOMAXPROCS=1"}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	if n, _ := stdout.Read(make([]byte, 1)); n != 1 {
		t.Fatal("the child did not start")
	}

	before, err := Read(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	after, err := Read(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if after.NoNewPrivs == nil || !*after.NoNewPrivs {
		t.Error("child: no_new_privs is not seen")
	}
	if got := after.Limits["nofile"]; got != (Rlimit{77, 78}) {
		t.Errorf("child: nofile %v", got)
	}
	self, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if before.NoNewPrivs == nil || *before.NoNewPrivs != (self == 1) {
		t.Errorf("self: no_new_privs %v, prctl says %d", before.NoNewPrivs, self)
	}
	if before.UIDs[1] != int64(os.Geteuid()) || before.GIDs[0] != int64(os.Getgid()) {
		t.Errorf("self: uids %v gids %v", before.UIDs, before.GIDs)
	}
	if _, ok := before.MountAt("/proc"); !ok {
		t.Error("self: /proc is not mounted, it seems")
	}
	if before.Namespaces["pid"] == "" || before.Namespaces["pid"] != after.Namespaces["pid"] {
		t.Errorf("namespaces %v and %v", before.Namespaces, after.Namespaces)
	}
	for bit := range 64 {
		held, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(bit), 0, 0, 0)
		if err != nil {
			break // past the last capability of this kernel
		}
		if (before.Caps.Bounding>>bit&1 == 1) != (held == 1) {
			t.Errorf("self: bounding set bit %d differs from prctl's %d", bit, held)
		}
	}
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if !slices.Contains(before.Groups, int64(g)) {
			t.Errorf("self: group %d is missing in %v", g, before.Groups)
		}
	}

	stdin.Close()
	cmd.Wait()
	if _, err := Read(cmd.Process.Pid); !errors.Is(err, ErrGone) {
		t.Errorf("ended child: %v, want ErrGone", err)
	}
}

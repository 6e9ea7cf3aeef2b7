package docker

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// childListens names the socket on which a copy of this test listens.
const childListens = "TIGHTSHIP_TEST_LISTEN"

func listenAndWait(socket string) {
	if _, err := net.Listen("unix", socket); err != nil {
		os.Exit(1)
	}
	os.Stdout.WriteString("x")
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func TestSameKernel(t *testing.T) {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		t.Fatal(err)
	}
	release, host := unix.ByteSliceToString(uts.Release[:]), unix.ByteSliceToString(uts.Nodename[:])
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	var kib int64
	fmt.Sscanf(string(data), "MemTotal: %d kB", &kib)

	ours := strings.TrimPrefix(serve(t, fake{}), "unix://")
	for name, tt := range map[string]struct {
		socket, host, release string
		memory                int64
		want                  bool
	}{
		"this process listens": {ours, host, release, kib * 1024, true},
		"another release":      {ours, host, release + "-linuxkit", kib * 1024, false},
		"another host":         {ours, host + "-2", release, kib * 1024, false},
		"other memory":         {ours, host, release, kib*1024 - 4096, false},
		"nobody listens":       {ours + "x", host, release, kib * 1024, false},
	} {
		if got := sameKernel(tt.socket, tt.host, tt.release, tt.memory); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}

	t.Run("an engine in a PID namespace of its own", func(t *testing.T) {
		socket := filepath.Join(filepath.Dir(ours), "child")
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = []string{childListens + "=" + socket}
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Skipf("SKIPPED, NOT TESTED: no PID namespace can be made: %v", err)
		}
		defer func() { stdin.Close(); cmd.Wait() }()
		if n, _ := stdout.Read(make([]byte, 1)); n != 1 {
			t.Fatal("the child does not listen")
		}
		if sameKernel(socket, host, release, kib*1024) {
			t.Error("its process numbers are not ours")
		}
	})
}

// A copy of the test must not get as far as running tests.
func init() {
	if socket := os.Getenv(childListens); socket != "" {
		listenAndWait(socket)
	}
}

package probe

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The test binary stands in for the guest where a probe executes itself.
func TestMain(m *testing.M) {
	if Helper(os.Args[1:]) {
		os.Exit(0)
	}
	if os.Getenv(throwawayChild) != "" {
		os.Exit(throwAwayOnFirst())
	}
	os.Exit(m.Run())
}

const throwawayChild = "TIGHTSHIP_TEST_THROWAWAY"

// throwAwayOnFirst is a process's start, where Go's first goroutine runs on the
// first thread, and what it starts and waits for would too. It changes a thread's
// name, which /proc/PID/comm says of the first one, as status says its uids.
func throwAwayOnFirst() (code int) {
	for range 100 {
		if err := throwaway(func() error { return os.WriteFile("/proc/thread-self/comm", []byte("thrown"), 0) }); err != nil {
			return 2
		}
	}
	if comm, err := os.ReadFile("/proc/self/comm"); err != nil || strings.HasPrefix(string(comm), "thrown") {
		return 1
	}
	return 0
}

// What a throwaway thread changes is never seen of the process, and the error is
// the act's.
func TestThrowaway(t *testing.T) {
	for range 5 { // which thread Go takes is chance
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), throwawayChild+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("the process bears what its thread was given: %v %s", err, out)
		}
	}
	if err := throwaway(func() error { return unix.EXDEV }); err != unix.EXDEV {
		t.Errorf("%v", err)
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{`/a`: "/a", `/a\040b`: "/a b", `/a\134`: `/a\`, `/a\04`: `/a\04`, `\`: `\`, `/\999`: `/\999`, `\377`: "\xff"} {
		if got := unescape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzUnescape(f *testing.F) {
	f.Add(`/a\040b`)
	f.Fuzz(func(t *testing.T, s string) {
		if got := unescape(s); len(got) > len(s) || !strings.Contains(s, `\`) && got != s {
			t.Errorf("%q: %q", s, got)
		}
	})
}

func TestMountOf(t *testing.T) {
	all := []mount{{target: "/"}, {target: "/tmp"}, {target: "/tmp/a"}, {target: "/tm"}}
	for path, want := range map[string]string{"/": "/", "/tmp": "/tmp", "/tmp/x": "/tmp", "/tmp/a/b": "/tmp/a", "/tmpx": "/", "/tm/p": "/tm"} {
		if got := mountOf(all, path); got != want {
			t.Errorf("%s lies on %s, want %s", path, got, want)
		}
	}
}

// The bits alone, for a process that is not root's equal.
func TestBits(t *testing.T) {
	me, mine := uint32(os.Geteuid()), uint32(os.Getegid())
	for _, row := range []struct {
		st   unix.Stat_t
		want string
	}{
		{unix.Stat_t{Uid: me, Mode: unix.S_IFDIR | 0o700}, "allow"},
		{unix.Stat_t{Uid: me, Mode: unix.S_IFDIR | 0o577}, "deny"},
		{unix.Stat_t{Uid: me, Mode: unix.S_IFDIR | 0o600}, "deny"}, // no search permission
		{unix.Stat_t{Uid: me, Mode: unix.S_IFREG | 0o600}, "allow"},
		{unix.Stat_t{Uid: me + 1, Gid: mine, Mode: unix.S_IFDIR | 0o070}, "allow"},
		{unix.Stat_t{Uid: me + 1, Gid: mine, Mode: unix.S_IFDIR | 0o707}, "deny"},
		{unix.Stat_t{Uid: me + 1, Gid: mine + 54321, Mode: unix.S_IFDIR | 0o003}, "allow"},
		{unix.Stat_t{Uid: me + 1, Gid: mine + 54321, Mode: unix.S_IFDIR | 0o755}, "deny"},
	} {
		if got := bits(&row.st); got != row.want {
			t.Errorf("%+v: %s, want %s", row.st, got, row.want)
		}
	}
}

// Creating leaves nothing behind, with either method, and says no where it can't.
func TestCreateIn(t *testing.T) {
	dir := t.TempDir()
	for _, named := range []bool{true, false} {
		if err := createIn(dir, named); err != nil {
			t.Errorf("named=%t: %v", named, err)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if err := createIn("/proc", true); err == nil {
		t.Error("a file in /proc")
	}
	if err := createIn(dir+"/none", true); errnoName(err) != "ENOENT" {
		t.Errorf("%v", err)
	}
}

func TestErrnoName(t *testing.T) {
	for want, err := range map[string]error{"": nil, "EROFS": unix.EROFS, "EACCES": &os.PathError{Err: unix.EACCES}, "error": io.EOF, "timeout": os.ErrDeadlineExceeded, "errno9999": unix.Errno(9999)} {
		if got := errnoName(err); got != want {
			t.Errorf("%v: %s, want %s", err, got, want)
		}
	}
}

func TestPermitted(t *testing.T) {
	a := Attempt{Errno: "EINVAL"}
	permitted(&a, "EINVAL")
	if !a.OK || a.Errno != "" || a.Note == "" {
		t.Errorf("%+v", a)
	}
	b := Attempt{Errno: "EPERM"}
	permitted(&b, "EINVAL")
	if b.OK || b.Errno != "EPERM" {
		t.Errorf("%+v", b)
	}
}

// The session speaks the protocol in a process of its own: it makes itself
// undumpable, which a test binary must stay out of.
func TestSession(t *testing.T) {
	if os.Getenv("TIGHTSHIP_SERVE") != "" {
		os.Exit(Serve(os.Stdin, os.Stdout))
	}
	talk := func(t *testing.T, plans string) ([]Line, int) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSession$")
		cmd.Env = append(os.Environ(), "TIGHTSHIP_SERVE=1")
		cmd.Stdin = strings.NewReader(plans)
		cmd.WaitDelay = time.Second
		out, _ := cmd.Output()
		var lines []Line
		s := bufio.NewScanner(strings.NewReader(string(out)))
		s.Buffer(nil, MaxLine)
		for s.Scan() {
			var l Line
			if err := json.Unmarshal(s.Bytes(), &l); err != nil {
				t.Fatalf("%s: %v", s.Text(), err)
			}
			lines = append(lines, l)
		}
		return lines, cmd.ProcessState.ExitCode()
	}
	t.Run("two plans and an exit code", func(t *testing.T) {
		lines, code := talk(t, `{"nonce":"a","role":"user","probes":["ids","none"],"params":{}}`+"\n"+`{"nonce":"a","role":"user","probes":[],"params":{},"exit":42}`+"\n")
		if code != 42 || len(lines) != 5 {
			t.Fatalf("exit %d, %+v", code, lines)
		}
		for i, l := range lines {
			if l.Seq != i || l.Nonce != "a" {
				t.Errorf("line %d: %+v", i, l)
			}
		}
		if o := lines[1].Observation; o == nil || o.Facts["uids"] == "" || o.Facts["cap:bounding"] == "" {
			t.Errorf("%+v", o)
		}
		if o := lines[2].Observation; o == nil || o.Error == "" {
			t.Errorf("an unknown probe: %+v", o)
		}
		if !lines[3].Done || !lines[4].Done {
			t.Error("no end")
		}
	})
	t.Run("input that ends", func(t *testing.T) {
		if _, code := talk(t, `{"nonce":"a","role":"user","probes":[],"params":{}}`+"\n"); code != ExitAbandoned {
			t.Errorf("exit %d", code)
		}
	})
	t.Run("a bad plan", func(t *testing.T) {
		for _, plan := range []string{"{", `{"nonce":"a","expect":"pass"}`, "[]"} {
			if lines, code := talk(t, plan+"\n"); code != ExitProtocol || len(lines) > 0 {
				t.Errorf("%s: exit %d, %+v", plan, code, lines)
			}
		}
	})
}

// The forks helper counts what it made and leaves none of it.
func TestForks(t *testing.T) {
	out, err := run(os.Args[0], "forks", "5")
	if err != nil || !strings.Contains(out, "forks=5 errno=none") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestTouchUnderLimit(t *testing.T) {
	out, err := run(os.Args[0], "touch", "1048576")
	if err != nil || out != "half\nall" {
		t.Errorf("%q, %v", out, err)
	}
}

// What a security module looks up before it asks for the permission must be
// there, or its errno would be taken for a permission that was given.
func TestBadMount(t *testing.T) {
	place := capPlace{dir: t.TempDir()}
	err := mountBad(&place)
	if name := errnoName(err); name != "EINVAL" && name != "EPERM" && name != "EACCES" {
		t.Errorf("%v", err)
	}
	if os.Geteuid() == 0 && errnoName(err) == "EPERM" {
		t.Skip("SKIPPED: no CAP_SYS_ADMIN, so that only the refusal was seen")
	}
}

// The helper program runs on this machine's kernel and tells who it is.
func TestHelperProgram(t *testing.T) {
	path := t.TempDir() + "/helper"
	if err := place(path, 0o755); err != nil {
		t.Fatal(err)
	}
	who, err := became(path)
	caps, _ := readCaps()
	if err != nil || who&exitSetuid != 0 || (who&exitCaps != 0) != (caps["permitted"] != 0) {
		t.Errorf("%d, %v", who, err)
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: the privileged half needs root")
	}
	if err := os.Chown(path, 0, 0); err != nil {
		t.Fatal(err)
	}
	os.Chmod(filepath.Dir(filepath.Dir(path)), 0o755)
	os.Chmod(filepath.Dir(path), 0o755)
	for mode, want := range map[os.FileMode]int{0o755: exitUnchanged, 0o755 | os.ModeSetuid: exitUnchanged + exitSetuid + exitCaps} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), path)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if err := cmd.Run(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
			t.Errorf("mode %v: %v, want exit code %d", mode, err, want)
		}
	}
}

func TestHelperELF(t *testing.T) {
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		data, err := HelperELF(arch)
		if err != nil {
			t.Fatal(err)
		}
		f, err := elf.NewFile(bytes.NewReader(data))
		if err != nil || f.Machine != machine || len(f.Progs) != 1 || f.Entry != f.Progs[0].Vaddr+120 {
			t.Errorf("%s: %v %+v", arch, err, f)
		}
	}
	if _, err := HelperELF("mips"); err == nil {
		t.Error("mips is taken")
	}
}

// What stands in for setfsuid(2) says the same where both are there, and no
// kernel of ours is taken for gVisor.
func TestOwnKernel(t *testing.T) {
	want, err := unix.SetfsuidRetUid(-1)
	if err != nil {
		t.Skip("SKIPPED: this kernel has no setfsuid")
	}
	if got, ok := statusFsuid(); !ok || got != strconv.Itoa(want) {
		t.Errorf("fsuid %q, %t, want %d", got, ok, want)
	}
	if name, gvisor := ownKernel(); name == "" || gvisor {
		t.Errorf("kernel %q, gVisor %t", name, gvisor)
	}
}

// The sweep leaves out the engine's tmpfs below cgroup v1's hierarchies, and
// nothing that only lies at the same place.
func TestCgroupTree(t *testing.T) {
	const dir = "/sys/fs/cgroup"
	for name, row := range map[string]struct {
		top  map[string]mount
		want bool
	}{
		"cgroup v1":              {map[string]mount{dir: {}, dir + "/memory": {fstype: "cgroup"}}, true},
		"an empty tmpfs":         {map[string]mount{dir: {fstype: "tmpfs"}}, false},
		"another mount below it": {map[string]mount{dir + "/memory": {fstype: "ext4"}}, false},
		"a hierarchy elsewhere":  {map[string]mount{"/mnt/memory": {fstype: "cgroup"}}, false},
	} {
		if got := hierarchies(row.top, dir); got != row.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	w := &sweep{top: map[string]mount{"/": {}, "/memory": {fstype: "cgroup"}}}
	if w.cgroupTree(mount{target: "/", fstype: "tmpfs"}) {
		t.Error("another place is left out too")
	}
}

package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// flag is one protection, and which checks fail where it is left out.
type flag struct {
	args         []string
	fails        string
	inconclusive string
}

// flags is everything that docker create has to be told for the bar.
var flags = []flag{
	{args: []string{"--read-only"}, fails: "fs.root-read-only fs.usr-read-only fs.var-read-only fs.nothing-else-writable"},
	{
		args: []string{"--tmpfs", "/tmp:rw,noexec,nosuid,nodev,size=2g"}, fails: "fs.tmp-writable",
		inconclusive: "fs.tmp-noexec fs.tmp-nosuid fs.tmp-nodev fs.tmp-bounded fs.nothing-else-writable priv.no-suid",
	},
	{args: []string{"--user", "1000:100"}},
	{args: []string{"--memory", "2g", "--memory-swap", "2g"}, fails: "limits.memory limits.swap"},
	{args: []string{"--cpus", "2"}, fails: "limits.cpu"},
	{args: []string{"--pids-limit", "100"}, fails: "limits.pids"},
	{args: []string{"--ulimit", "nofile=1024:1024"}, fails: "limits.nofile"},
	{args: []string{"--ulimit", "core=0"}, fails: "limits.core"},
	{args: []string{"--cap-drop", "ALL"}, fails: "caps.none caps.exercised kernel.socket-families kernel.syscall-surface"},
	{args: []string{"--security-opt", "no-new-privileges"}, fails: "priv.no-new-privs user.no-escalation"},
	{args: []string{"--security-opt", "seccomp=PROFILE"}},
	{args: []string{"--network", "none"}, fails: "net.host-unreachable net.no-dns net.no-interface net.no-route"},
	{args: []string{"--cgroupns", "private"}, fails: cgroupNamespace()},
	{args: []string{"--sysctl", "net.ipv4.ip_unprivileged_port_start=1024"}, fails: "user.no-privileged-port"},
	{args: []string{"--volume", "WORKSPACE:/home/claude-agent/workspace"}, fails: "fs.workspace-writable"},
}

// cgroupNamespace is what fails without its flag: on cgroup v2 it is the default.
func cgroupNamespace() string {
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return ""
	}
	return "ns.cgroup"
}

// all returns every flag but one, and then what is put in its place.
func allBut(t *testing.T, left int, more ...string) []string {
	t.Helper()
	dir := t.TempDir()
	profile, workspace := filepath.Join(dir, "profile.json"), filepath.Join(dir, "workspace")
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "tightship"), "seccomp", "show").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(profile, out, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(workspace, 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := os.Chown(workspace, 1000, 100); err != nil {
			t.Fatal(err)
		}
	}
	var args []string
	for i, f := range flags {
		if i == left {
			continue
		}
		for _, a := range f.args {
			args = append(args, strings.NewReplacer("PROFILE", profile, "WORKSPACE", workspace).Replace(a))
		}
	}
	return append(args, more...)
}

// create makes a container and removes it when the test ends.
func create(t *testing.T, image string, args ...string) string {
	t.Helper()
	id, err := docker(slices.Concat([]string{"create"}, args, []string{image, "sleep", "600"})...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := docker("rm", "--force", "--volumes", id); err != nil {
			t.Error(err)
		}
	})
	return id
}

// verifyContainer runs a verification of one container to its end.
func verifyContainer(t *testing.T, wantCode int, args ...string) document {
	t.Helper()
	return verifyContainers(t, 1, wantCode, args...)
}

func verifyContainers(t *testing.T, subjects, wantCode int, args ...string) document {
	t.Helper()
	p, err := launch(t.TempDir(), os.Environ(), 0, filepath.Join(bin, "tightship"), append([]string{"verify", "-o", "json"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.sweep)
	code, err := p.wait()
	if err != nil {
		t.Fatal(err)
	}
	d, err := parseSeveral(p.stdout.String(), subjects)
	if err != nil {
		t.Fatalf("exit code %d, %v\n%s", code, err, p.stderr.String())
	}
	if code != wantCode {
		t.Errorf("exit code %d, want %d\n%s", code, wantCode, p.stderr.String())
	}
	if left, err := p.left(); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	return d
}

// A container with every flag is proven; with every flag but one the checks of
// that flag fail and no others.
func TestFlags(t *testing.T) {
	lane(t)
	for i := -1; i < len(flags); i++ {
		name, fails, inconclusive := "all", "", ""
		if i >= 0 {
			name, fails, inconclusive = "without "+strings.Join(flags[i].args, " "), flags[i].fails, flags[i].inconclusive
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			switch {
			case strings.Contains(name, "seccomp"):
				t.Skip("whether the engine's own profile is enough depends on the engine: TestEngineProfile")
			case strings.Contains(name, "--user"):
				t.Skip("the image names a user of its own: TestRootUser")
			}
			code := 1
			if fails == "" {
				code = 0
			}
			d := verifyContainer(t, code, "--container", create(t, agent, allBut(t, i)...))
			for verdict, want := range map[string]string{"fail": fails, "inconclusive": inconclusive} {
				ids := slices.Sorted(slices.Values(strings.Fields(want)))
				if got := d.having(verdict); !slices.Equal(got, ids) {
					t.Errorf("%s: %v, want %v%s", verdict, got, ids, d.reasons(append(got, ids...)...))
				}
			}
		})
	}
}

// userFlag is the index of --user in flags.
const userFlag = 2

func TestRootUser(t *testing.T) {
	lane(t)
	d := verifyContainer(t, 1, "--container", create(t, agent, allBut(t, userFlag, "--user", "0:0")...))
	// Root without a capability cannot write to a directory of the agent's.
	want := []string{"fs.dev-tmpfs", "fs.workspace-writable", "user.identity", "user.no-escalation", "user.non-root"}
	if got := d.having("fail"); !slices.Equal(got, want) {
		t.Errorf("%v, want %v%s", got, want, d.reasons(append(got, want...)...))
	}
	// The image's own user is as good as one on the command line, also by name.
	for _, user := range [][]string{nil, {"--user", "claude-agent"}, {"--user", "1000"}} {
		d := verifyContainer(t, 0, "--container", create(t, agent, allBut(t, userFlag, user...)...))
		if got := d.having("fail"); len(got) > 0 {
			t.Errorf("%v: %v%s", user, got, d.reasons(got...))
		}
	}
}

// A container that was given nothing is told so.
func TestNoFlags(t *testing.T) {
	lane(t)
	d := verifyContainer(t, 1, "--container", create(t, agent, "--user", "0:0"))
	if got := d.having("fail"); len(got) < 20 {
		t.Errorf("%d checks fail: %v", len(got), got)
	}
	d = verifyContainer(t, 1, "--container", create(t, agent))
	if got := d.having("fail"); len(got) < 20 {
		t.Errorf("%d checks fail: %v", len(got), got)
	}
}

// Whatever state a container is in, it is as it was afterwards.
func TestStates(t *testing.T) {
	lane(t)
	for _, row := range []struct {
		state string
		do    [][]string
		drift string // verdict of the rows about the running container
	}{
		{"created", nil, "not-applicable"},
		{"running", [][]string{{"start"}}, "pass"},
		{"paused", [][]string{{"start"}, {"pause"}}, "pass"},
		{"exited", [][]string{{"start"}, {"kill"}}, "not-applicable"},
	} {
		t.Run(row.state, func(t *testing.T) {
			t.Parallel()
			id := create(t, agent, allBut(t, -1)...)
			for _, args := range row.do {
				if _, err := docker(append(args, id)...); err != nil {
					t.Fatal(err)
				}
			}
			before := snapshot(t, id)
			if !strings.Contains(before, `"Status":"`+row.state+`"`) {
				t.Fatalf("the container is not %s: %s", row.state, before)
			}
			d := verifyContainer(t, 0, "--container", id)
			if after := snapshot(t, id); after != before {
				t.Errorf("the container changed:\n%s\n%s", before, after)
			}
			for _, check := range []string{"drift.privileges", "drift.limits", "drift.mounts", "drift.namespaces"} {
				if !slices.Contains(d.having(row.drift), check) {
					t.Errorf("%s is not %s%s", check, row.drift, d.reasons(check))
				}
			}
		})
	}
}

func snapshot(t *testing.T, id string) string {
	t.Helper()
	out, err := docker("inspect", "--format", "{{json .State}} {{json .HostConfig}} {{json .Config}} {{.ExecIDs}}", id)
	if err != nil {
		t.Fatal(err)
	}
	diff, err := docker("diff", id)
	if err != nil {
		t.Fatal(err)
	}
	return out + diff
}

// What was changed behind the engine's back after the start is found, by the row
// that is about it and by no other.
func TestDrift(t *testing.T) {
	lane(t)
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: changing a running container from outside needs root")
	}
	for _, row := range []struct {
		name   string
		change func(t *testing.T, id, pid string)
		fails  string
	}{
		{"pids limit raised", func(t *testing.T, id, _ string) { cgroup(t, id, "pids", "pids.max", "4000") }, "drift.limits"},
		{"a process with every capability let in", func(t *testing.T, id, _ string) {
			other := exec.Command("sleep", "300")
			if err := other.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
			cgroup(t, id, "memory", "cgroup.procs", strconv.Itoa(other.Process.Pid))
		}, "drift.privileges"},
		{"memory limit raised", func(t *testing.T, id, _ string) {
			cgroup(t, id, "memory", "memory.memsw.limit_in_bytes", "4294967296")
			cgroup(t, id, "memory", "memory.limit_in_bytes", "4294967296")
		}, "drift.limits"},
		{"resource limit raised", func(t *testing.T, _, pid string) {
			n, _ := strconv.Atoi(pid)
			if err := unix.Prlimit(n, unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}, nil); err != nil {
				t.Skipf("SKIPPED: this machine does not let root raise it: %v", err)
			}
		}, "drift.limits"},
		{"tmpfs made executable", func(t *testing.T, _, pid string) {
			inside(t, pid, "mount", "-o", "remount,exec,nosuid,nodev", "/tmp")
		}, "drift.mounts"},
		{"root made writable", func(t *testing.T, _, pid string) { inside(t, pid, "mount", "-o", "remount,rw,bind", "/") }, "drift.mounts"},
		{"a mask taken away", func(t *testing.T, _, pid string) { inside(t, pid, "umount", "/proc/sys") }, "drift.mounts"},
		{"something over the workspace", func(t *testing.T, _, pid string) {
			inside(t, pid, "mount", "-t", "tmpfs", "x", "/home/claude-agent/workspace")
		}, "drift.mounts"},
		{"an interface", func(t *testing.T, _, pid string) {
			out, err := exec.CommandContext(t.Context(), "nsenter", "--target", pid, "--net", "--", "ip", "tuntap", "add", "drift0", "mode", "tun").CombinedOutput()
			if err != nil {
				t.Skipf("SKIPPED: no interface can be made here: %v: %s", err, out)
			}
		}, "drift.namespaces"},
		{"something mounted", func(t *testing.T, _, pid string) { inside(t, pid, "mount", "-t", "tmpfs", "x", "/mnt") }, "drift.mounts"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			id := create(t, agent, allBut(t, -1)...)
			if _, err := docker("start", id); err != nil {
				t.Fatal(err)
			}
			pid, err := docker("inspect", "--format", "{{.State.Pid}}", id)
			if err != nil {
				t.Fatal(err)
			}
			row.change(t, id, pid)
			d := verifyContainer(t, 1, "--container", id)
			if got := d.having("fail"); !slices.Equal(got, strings.Fields(row.fails)) {
				t.Errorf("%v, want %s%s", got, row.fails, d.reasons(append(got, row.fails)...))
			}
		})
	}
}

// cgroup writes a limit where the engine does not see it.
func cgroup(t *testing.T, id, controller, file, value string) {
	t.Helper()
	path := filepath.Join("/sys/fs/cgroup", controller, "docker", id, file)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("SKIPPED: no cgroup v1 file of that name: %v", err)
	}
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

// inside runs one of this host's programs in a container's mount namespace.
func inside(t *testing.T, pid string, command ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "nsenter", append([]string{"--target", pid, "--mount", "--"}, command...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v: %s", command, err, out)
	}
}

// Several subjects make one report, and the worst of them is the exit code.
func TestSeveral(t *testing.T) {
	lane(t)
	label := fmt.Sprintf("tightship-test=%d", time.Now().UnixNano())
	good := create(t, agent, allBut(t, -1, "--label", label)...)
	bad := create(t, agent, allBut(t, 0, "--label", label)...)
	d := verifyContainers(t, 2, 1, "--all", "--label", label, "--container", good)
	names := map[string]string{}
	for _, r := range d.Results {
		names[r.Subject.Container] = r.Summary.Verdict
		if left, err := docker("ps", "--all", "--quiet", "--filter", "label=tightship="+r.RunID); err != nil || left != "" {
			t.Errorf("left behind: %s %v", left, err)
		}
	}
	for id, want := range map[string]string{good: "proven", bad: "failed"} {
		name, err := docker("inspect", "--format", "{{.Name}}", id)
		if err != nil {
			t.Fatal(err)
		}
		if got := names[strings.TrimPrefix(name, "/")]; got != want {
			t.Errorf("%s is %q, want %q: %v", name, got, want, names)
		}
	}
}

// An innocent container has not drifted, however it is run.
func TestNoDrift(t *testing.T) {
	lane(t)
	id := create(t, agent, allBut(t, -1, "--init", "--tty", "--tmpfs", "/opt:ro")...)
	if _, err := docker("start", id); err != nil {
		t.Fatal(err)
	}
	d := verifyContainer(t, 0, "--container", id)
	for _, check := range []string{"drift.privileges", "drift.limits", "drift.mounts", "drift.namespaces"} {
		if !slices.Contains(d.having("pass"), check) {
			t.Errorf("%s is no pass%s", check, d.reasons(check))
		}
	}
}

// A container that was made without a network and then connected to one has it
// from its start on, although its settings go on saying "none".
func TestConnected(t *testing.T) {
	lane(t)
	id := create(t, agent, allBut(t, -1)...)
	for _, args := range [][]string{{"network", "disconnect", "none", id}, {"network", "connect", "bridge", id}} {
		if _, err := docker(args...); err != nil {
			t.Fatal(err)
		}
	}
	d := verifyContainer(t, 1, "--container", id)
	if got := d.having("fail"); !slices.Equal(got, []string{"net.host-unreachable", "net.no-dns", "net.no-interface", "net.no-route"}) {
		t.Errorf("%v%s", got, d.reasons(got...))
	}
}

// What the host has mounted below a read-only directory is not read-only, and a
// directory that is not there is not made.
func TestReadOnlyByName(t *testing.T) {
	lane(t)
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: mounting needs root")
	}
	dir := t.TempDir()
	for _, name := range []string{"below", "gone"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("tmpfs", filepath.Join(dir, "below"), "tmpfs", 0, "mode=1777"); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(filepath.Join(dir, "below"), unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	gone := filepath.Join(dir, "gone")
	vanished := create(t, agent, allBut(t, -1, "--volume", gone+":/gone:ro")...)
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	d := verifyContainer(t, 1, "--container", vanished)
	if got := d.having("fail"); !slices.Equal(got, []string{"mounts.no-host-path"}) {
		t.Errorf("%v%s", got, d.reasons(got...))
	}
	if _, err := os.Stat(gone); err == nil {
		t.Errorf("%s was made anew", gone)
	}
	version, err := docker("version", "--format", "{{.Server.APIVersion}}")
	if err != nil {
		t.Fatal(err)
	}
	if minor, _ := strconv.Atoi(strings.TrimPrefix(version, "1.")); minor >= 44 {
		t.Skip("SKIPPED: this engine's read-only is read-only all the way down")
	}
	d = verifyContainer(t, 1, "--container", create(t, agent, allBut(t, -1, "--volume", dir+":/deep:ro")...))
	if got := d.having("fail"); !slices.Equal(got, []string{"fs.nothing-else-writable", "mounts.no-host-path"}) {
		t.Errorf("%v%s", got, d.reasons(got...))
	}
}

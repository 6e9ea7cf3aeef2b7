package broker

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/ledger"
)

// e2e skips what needs real programs.
func e2e(t *testing.T, programs ...string) {
	t.Helper()
	if os.Getenv("TIGHTSHIP_E2E") == "" {
		t.Skip("TIGHTSHIP_E2E is not set")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip(err)
		}
	}
}

// run runs a program for up to a minute.
func run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := run(t, "docker", args...)
	if err != nil {
		t.Fatalf("docker %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

// inspect is what the command's resolver does.
func inspect(ctx context.Context, c string) (string, int, error) {
	out, err := exec.CommandContext(ctx, "docker", "inspect", "--format", "{{.Id}} {{.State.Pid}}", c).Output()
	if err != nil {
		return "", 0, err
	}
	id, pid, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	n, err := strconv.Atoi(pid)
	return id, n, err
}

// TestContainers calls from real containers: the one that the socket is for, another
// one that has it mounted too, and one whose control group lies below the right one.
func TestContainers(t *testing.T) {
	e2e(t, "docker", "go")
	guest := filepath.Join(t.TempDir(), "guest")
	build := exec.Command("go", "build", "-o", guest, "../cmd/tightship-guest")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const image = "tightship-agent:latest"
	if out, err := run(t, "docker", "image", "inspect", image); err != nil {
		t.Skip(out)
	}
	for _, runtime := range []string{"runc", "runsc"} {
		t.Run(runtime, func(t *testing.T) {
			if !strings.Contains(docker(t, "info", "--format", "{{.Runtimes}}"), runtime) {
				t.Skip("Docker does not know " + runtime)
			}
			up := newUpstream(t, nil)
			tb := startBroker(t, policyOf(up.credential("x", apiKey, allow("GET", "/**"))), func(o *Options) {
				o.attest, o.Resolve = nil, inspect
			})
			mount, err := tb.Add("agent", 1000)
			if err != nil {
				t.Fatal(err)
			}
			create := func(more ...string) string {
				args := append([]string{"create", "--runtime", runtime, "--network", "none", "--user", "1000:100", "--read-only",
					"--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--entrypoint", "python3.11",
					"--mount", "type=bind,src=" + mount + ",dst=/run/tightship,readonly",
					"--mount", "type=bind,src=" + guest + ",dst=/guest,readonly"}, more...)
				id := docker(t, append(args, image, "-c", callFromInside)...)
				t.Cleanup(func() { _, _ = run(t, "docker", "rm", "-f", id) })
				return id
			}
			mine, other := create(), create()
			nested := create("--cgroup-parent", "/docker/"+mine)
			if err := tb.Bind(t.Context(), "agent", Who{Container: mine}); err != nil {
				t.Fatal(err)
			}
			out, err := run(t, "docker", "start", "-a", mine)
			if err != nil && strings.Contains(out, "refused") && runtime == "runsc" {
				t.Skipf("this runsc does not let containers reach sockets of the host (--host-uds=open): %s", out)
			}
			if err != nil || out != "200 fine\n200 fine" {
				t.Fatalf("the right one: %v: %s", err, out)
			}
			for name, id := range map[string]string{"another": other, "one below": nested} {
				if out, _ := run(t, "docker", "start", "-a", id); strings.Contains(out, "fine") {
					t.Errorf("%s was served: %s", name, out)
				}
			}
			eventually(t, "refusals in the ledger", func() bool { return len(tb.ledger.of(ledger.Denied)) >= 2 })
			if n := len(up.requests()); n != 2 {
				t.Errorf("%d requests arrived", n)
			}
			if s := tb.List()[0]; s.State != "bound" || !strings.Contains(s.Cgroup, mine) {
				t.Errorf("%+v", s)
			}
		})
	}
}

// callFromInside asks once through the socket, and once through the forwarder.
const callFromInside = `
import http.client, socket, subprocess, time
class Conn(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/run/tightship/broker.sock")
def ask(c):
    c.request("GET", "/x/a")
    r = c.getresponse()
    print(r.status, r.read().decode(), flush=True)
ask(Conn("b"))
p = subprocess.Popen(["/guest", "forward", "--listen", "127.0.0.1:8080"])
for i in range(100):
    try:
        socket.create_connection(("127.0.0.1", 8080)).close()
        break
    except OSError:
        time.sleep(0.1)
ask(http.client.HTTPConnection("127.0.0.1", 8080))
p.terminate()
`

package test

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tightship-dev/tightship/test/upstream"
)

// port is the forwarder's in the container.
const port = "8080"

// clients is what scripts/setup.sh clients makes.
const clients = "../bin/clients"

// brokerWorld is a broker with an upstream of each kind, and a hardened container that
// has nothing but its socket.
type brokerWorld struct {
	whole   *testing.T // the whole test
	t       *testing.T // the part that is at work
	runtime string
	program string
	dir     string // of everything outside of the container
	name    string // of the sandbox
	mount   string // the socket's directory
	id      string // the container

	servers map[string]*upstream.Server // by credential
	values  map[string]string           // the credentials' values
	npm     *upstream.NPM
	claude  *upstream.Anthropic
	held    *atomic.Bool   // whether streams of claude stop after their first word
	pace    chan struct{}  // lets a held stream go on, a word each
	direct  map[string]int // uses by the test itself, past the broker
	lost    map[string]int // uses that were under way when the broker was killed

	broker *process
	ended  []*process // brokers that were before
	decoys map[string]string
}

func needsBroker(t *testing.T, runtime string) {
	t.Helper()
	lane(t)
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: the socket's owner is another user, which takes root")
	}
	if _, err := os.Stat(clients + "/curl/curl"); err != nil {
		t.Skip("SKIPPED: no clients: scripts/setup.sh clients gets them")
	}
	known, err := docker("info", "--format", "{{range $name, $_ := .Runtimes}}{{$name}} {{end}}")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(strings.Fields(known), runtime) {
		t.Skipf("SKIPPED: the engine has no runtime %s: `make build` and scripts/setup.sh engine register it", runtime)
	}
}

// buildDump builds the program that reads everything in the container, once.
var buildDump = sync.OnceValue(func() error {
	return build(filepath.Join(bin, "dump"), "./testdata/broker/dump", "")
})

// newBrokerWorld starts everything; program is which tightship serves.
func newBrokerWorld(t *testing.T, runtime, program string) *brokerWorld {
	t.Helper()
	// Not t.TempDir: a socket's path has 107 bytes at most.
	dir, err := os.MkdirTemp("", "tsb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := buildDump(); err != nil {
		t.Fatal(err)
	}
	w := &brokerWorld{
		whole: t, t: t, runtime: runtime, program: program, dir: dir, servers: map[string]*upstream.Server{}, values: map[string]string{},
		held: &atomic.Bool{}, pace: make(chan struct{}), direct: map[string]int{}, lost: map[string]int{}, decoys: map[string]string{},
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	w.name = "sandbox-" + w.decoy("the broker's log")
	w.upstreams()
	w.write("tightship.yaml", w.policy(true))
	w.serve()
	w.mount = strings.TrimSpace(w.must("broker", "sandbox", "add", "--state", w.path("run"), w.name))
	w.id = w.container()
	w.must("broker", "sandbox", "bind", "--state", w.path("run"), w.name, "--container", w.id)
	if _, err := docker("start", w.id); err != nil {
		t.Fatal(err)
	}
	w.forward()
	return w
}

func (w *brokerWorld) path(elem ...string) string {
	return filepath.Join(append([]string{w.dir}, elem...)...)
}

func (w *brokerWorld) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// decoy makes a value that is planted where the search must find it.
func (w *brokerWorld) decoy(where string) string {
	b := make([]byte, 12)
	_, _ = rand.Read(b)
	w.decoys[where] = hex.EncodeToString(b)
	return w.decoys[where]
}

// serve starts the broker and waits until it answers.
func (w *brokerWorld) serve() {
	t := w.whole
	t.Helper()
	env := append(os.Environ(), "E2E_OPENAI="+w.values["openai"])
	p, err := launch(w.dir, env, 0, w.program, "broker", "serve",
		"--policy", w.path("tightship.yaml"), "--state", w.path("run"), "--ledger", w.path("ledger"))
	if err != nil {
		t.Fatal(err)
	}
	p.late.Stop() // it serves for as long as the test takes, and ends with it
	if w.broker != nil {
		w.ended = append(w.ended, w.broker)
	}
	w.broker = p
	t.Cleanup(func() {
		p.kill()
		<-p.done
		if t.Failed() {
			t.Logf("the broker said:\n%s%s", p.stdout.String(), p.stderr.String())
		}
	})
	w.wait("the broker answers", func() bool {
		select {
		case <-p.done:
			t.Fatalf("the broker ended: %s", p.stderr.String())
		default:
		}
		_, _, code := w.tightship("broker", "status", "--state", w.path("run"))
		return code == 0
	})
}

// container makes a hardened one; what it says and what is said of it has decoys.
func (w *brokerWorld) container() string {
	w.t.Helper()
	abs := func(p string) string {
		a, err := filepath.Abs(p)
		if err != nil {
			w.t.Fatal(err)
		}
		return a
	}
	isFilter := func(a string) bool { return strings.HasPrefix(a, "seccomp=") }
	filter := slices.IndexFunc(flags, func(f flag) bool { return slices.ContainsFunc(f.args, isFilter) })
	args := allBut(w.t, filter, "--security-opt", "seccomp="+w.profile(), "--runtime", w.runtime, "--label", "dev.tightship.test=broker", "--label", "decoy="+w.decoy("the engine"), "--no-healthcheck",
		"--volume", w.mount+":/run/tightship:ro", "--volume", abs(clients)+":/clients:ro", "--volume", abs("testdata/broker")+":/scripts:ro",
		"--volume", filepath.Join(bin, "tightship-guest")+":/.tightship/guest:ro", "--volume", filepath.Join(bin, "dump")+":/.tightship/dump:ro",
		agent, "sh", "-c", "echo "+rot13(w.decoy("the container's log"))+" | tr a-z n-za-m; exec sleep 600")
	id, err := docker(append([]string{"create"}, args...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.removed(id)
	return id
}

// profile is the system call filter of `tightship seccomp show`. gVisor knows one error
// for what a filter refuses, EPERM, and the C library takes ENOSYS of clone3 for a
// reason to do without: no process could start a thread. What a filter hands to a
// tracer fails with ENOSYS where none is.
func (w *brokerWorld) profile() string {
	w.t.Helper()
	show := w.must("seccomp", "show")
	if w.runtime != "runc" {
		const refused, traced = `"names":["clone3"],"action":"SCMP_ACT_ERRNO","errnoRet":38`, `"names":["clone3"],"action":"SCMP_ACT_TRACE"`
		if strings.Count(show, refused) != 1 {
			w.t.Fatalf("the filter has no rule %s:\n%s", refused, show)
		}
		show = strings.Replace(show, refused, traced, 1)
	}
	w.write("profile.json", show)
	return w.path("profile.json")
}

// removed removes a container when the whole test ends.
func (w *brokerWorld) removed(id string) {
	w.whole.Cleanup(func() {
		if _, err := docker("rm", "--force", "--volumes", id); err != nil {
			w.whole.Error(err)
		}
	})
}

// forward starts the forwarder, as what starts an agent would.
func (w *brokerWorld) forward() {
	w.t.Helper()
	if _, err := docker("exec", "--detach", w.id, "/.tightship/guest", "forward", "--listen", "127.0.0.1:"+port, "--to", "/run/tightship/broker.sock"); err != nil {
		w.t.Fatal(err)
	}
	w.wait("the forwarder listens", func() bool {
		_, _, code := w.exec(nil, "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", "+port+"))'")
		return code == 0
	})
}

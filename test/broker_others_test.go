package test

import (
	"errors"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/test/upstream"
)

// Whoever else reaches the socket is not served, and that is recorded: another
// container that mounts the same directory, and a process of the host's, even root's.
func testOthers(w *brokerWorld) {
	t := w.t
	before := len(w.records(refusedPeer))
	decoys := maps.Clone(w.decoys)
	other := w.container()
	maps.Copy(w.decoys, decoys) // which are of the first one
	if _, err := docker("start", other); err != nil {
		t.Fatal(err)
	}
	line := curlLine + "http://broker/search/find"
	stdout, _, code := finish(t, w.inside(other, nil, line))
	// It depends on when it looks what curl calls a connection that is closed on it. That
	// there was one is in the ledger.
	if code == 0 || !strings.HasSuffix(stdout, "\n000") {
		t.Errorf("another container is served: exit code %d: %s", code, stdout)
	}
	if body, status := w.curl("http://broker/search/find"); status != "200" {
		t.Errorf("the sandbox itself is not: %s %s", status, body)
	}
	c, err := net.Dial("unix", filepath.Join(w.mount, "broker.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(timeLimit)); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, "GET /search/find HTTP/1.1\r\nHost: broker\r\n\r\n") // the other end may be gone
	got, err := io.ReadAll(c)
	var late net.Error
	if len(got) > 0 || errors.As(err, &late) && late.Timeout() {
		t.Errorf("a process of the host's is served: %q %v", got, err)
	}
	w.wait("both are recorded", func() bool { return len(w.records(refusedPeer)) == before+2 })
	for _, r := range w.records(refusedPeer) {
		if r.Sandbox != w.name || r.Credential != "" {
			t.Errorf("recorded as %+v", r.Entry)
		}
	}
	// A second sandbox cannot be bound to the same container, nor this one to another.
	w.must("broker", "sandbox", "add", "--state", w.path("run"), "second")
	for name, id := range map[string]string{"second": w.id, w.name: other} {
		if _, stderr, code := w.tightship("broker", "sandbox", "bind", "--state", w.path("run"), name, "--container", id); code == 0 || !strings.Contains(stderr, "bound") {
			t.Errorf("binding %s again: exit code %d: %s", name, code, stderr)
		}
	}
}

func refusedPeer(r ledger.Record) bool { return r.Kind == ledger.Denied && r.Rule == "peer" }

// A change of the policy cuts nothing off; a credential that is revoked is of no use
// at once, not even to what is under way.
func testLive(w *brokerWorld) {
	t := w.t
	stream := w.heldStream()
	w.write("tightship.yaml", w.policy(false))
	w.must("broker", "reload", "--state", w.path("run"))
	const ask = `-d '{"model":"m"}' http://broker/openai/v1/chat/completions`
	if body, status := w.curl(ask); status != "403" || !strings.Contains(body, "no-route") {
		t.Errorf("a credential that is not in the policy any more: %s %s", status, body)
	}
	w.write("tightship.yaml", w.policy(true))
	w.must("broker", "reload", "--state", w.path("run"))
	if body, status := w.curl(ask); status != "200" {
		t.Errorf("a credential that is in the policy again: %s %s", status, body)
	}
	w.write("tightship.yaml", "credentials: nonsense")
	if _, stderr, code := w.tightship("broker", "reload", "--state", w.path("run")); code == 0 || !strings.Contains(stderr, "credentials") {
		t.Errorf("a policy that is not right: exit code %d: %s", code, stderr)
	}
	if body, status := w.curl(ask); status != "200" {
		t.Errorf("after a policy that was not right: %s %s", status, body)
	}
	w.write("tightship.yaml", w.policy(true))
	w.release(stream.done)
	if code := w.code(stream); code != 0 || stream.said() != "Hello from upstream\nstop: end_turn\n" {
		t.Errorf("a stream through all of this: exit code %d: %s", code, stream.said())
	}

	cut := w.heldStream()
	w.must("broker", "revoke", "--state", w.path("run"), "anthropic")
	if code := w.code(cut); code == 0 || strings.Contains(cut.said(), "stop:") {
		t.Errorf("a stream with a credential that was revoked goes on: exit code %d: %s", code, cut.said())
	}
	w.held.Store(false)
	uses := len(w.servers["anthropic"].Uses())
	if body, status := w.curl(`-d '{"model":"m"}' http://broker/anthropic/v1/messages`); status != "403" || !strings.Contains(body, "revoked") {
		t.Errorf("a credential that was revoked: %s %s", status, body)
	}
	if got := len(w.servers["anthropic"].Uses()); got != uses {
		t.Errorf("it was sent %d times more", got-uses)
	}
	if body, status := w.curl(ask); status != "200" {
		t.Errorf("another credential: %s %s", status, body)
	}
	if out := w.must("broker", "status", "--state", w.path("run")); !strings.Contains(out, "revoked") {
		t.Errorf("the status does not say so:\n%s", out)
	}
}

// A source that gives another value is asked again, and the old value is of no use.
func testRotation(w *brokerWorld) {
	const ask = "--header 'Accept: text/html' http://broker/pypi/simple/tightship-demo/"
	if body, status := w.curl(ask); status != "200" {
		w.t.Fatalf("%s %s", status, body)
	}
	// Both must not be found.
	w.values["pypi, before"] = w.values["pypi"]
	w.values["pypi"] = newValue()
	w.write("pypi.new", w.values["pypi"]+"\n")
	if err := os.Rename(w.path("pypi.new"), w.path("pypi.secret")); err != nil {
		w.t.Fatal(err)
	}
	w.servers["pypi"].Rotate(upstream.Basic("reader", w.values["pypi"]))
	w.wait("the new value is used", func() bool {
		_, status := w.curl(ask)
		return status == "200"
	})
}

// A broker that was killed in the middle of a use is as good as new once it is started
// again: the container sees its new socket, the sandbox is still its own and nobody
// else's, and the ledger knows of the use.
func testKilled(w *brokerWorld) {
	t := w.t
	if body, status := w.curl("http://broker/search/find"); status != "200" {
		t.Fatalf("%s %s", status, body)
	}
	count := func(kind string) int { return len(w.records(func(r ledger.Record) bool { return r.Kind == kind })) }
	w.wait("every use has its outcome", func() bool { return count(ledger.Intent) == count(ledger.Outcome) })
	s := w.begin([]string{"PYTHONPATH=/clients/python"}, "python3 /scripts/websocket.py ws://127.0.0.1:"+port+"/socket/chat hello wait")
	w.wait("the first message", func() bool { return strings.HasPrefix(s.said(), "hello\n") })
	w.broker.kill()
	<-w.broker.done
	w.lost["socket"]++
	if code := w.code(s); code == 0 {
		t.Errorf("the client goes on without the broker: %s", s.said())
	}
	if _, status := w.curl("http://broker/search/find"); status != "000" {
		t.Errorf("something answers in its place: %s", status)
	}
	w.serve()
	if body, status := w.curl("http://broker/search/find"); status != "200" {
		t.Errorf("after the broker was started again: %s %s", status, body)
	}
	c, err := net.Dial("unix", filepath.Join(w.mount, "broker.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := io.ReadAll(c); len(got) > 0 {
		t.Errorf("a process of the host's is served: %q %v", got, err)
	}
	code, out := w.verifyLedger(w.path("ledger"))
	if code != 0 || strings.Count(out, ledger.NoOutcome) != 1 {
		t.Errorf("exit code %d, want one %s: %s", code, ledger.NoOutcome, out)
	}
}

// heldStream is the Anthropic SDK in the middle of an answer.
func (w *brokerWorld) heldStream() *background {
	w.t.Helper()
	w.held.Store(true)
	b := w.begin([]string{"ANTHROPIC_BASE_URL=" + base("anthropic"), "ANTHROPIC_API_KEY=placeholder"}, "python3 /scripts/anthropic_stream.py")
	w.wait("the first word", func() bool { return b.said() == "Hello" })
	return b
}

// release lets a held stream go on to its end, unless its client ends before that.
func (w *brokerWorld) release(ended <-chan struct{}) {
	w.t.Helper()
	defer w.held.Store(false)
	for range len(w.claude.Words) - 1 {
		select {
		case w.pace <- struct{}{}:
		case <-ended:
			w.t.Fatal("the client ended before its upstream did")
		case <-time.After(timeLimit):
			w.t.Fatal("the upstream does not go on")
		}
	}
}

// records reads what the broker recorded so far.
func (w *brokerWorld) records(want func(ledger.Record) bool) []ledger.Record {
	w.t.Helper()
	c, err := ledger.OpenCursor(w.path("ledger"), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	var all []ledger.Record
	for {
		r, err := c.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if want(r) {
			all = append(all, r)
		}
	}
}

package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/ledger"
)

// The environment of a broker that is this test program once more.
const (
	childDir      = "TIGHTSHIP_TEST_BROKER"
	childUpstream = "TIGHTSHIP_TEST_UPSTREAM"
	childCA       = "TIGHTSHIP_TEST_CA"
	childMutation = "TIGHTSHIP_TEST_MUTATION"
)

func TestMain(m *testing.M) {
	if sockets := os.Getenv(childHold); sockets != "" {
		if err := hold(sockets); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if socket := os.Getenv(childCall); socket != "" {
		if err := callOnce(socket); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child is a whole broker with a real ledger, for its parent to kill.
func child(dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log, err := ledger.Open(filepath.Join(dir, "ledger"), ledger.Options{})
	if err != nil {
		return err
	}
	defer log.Close()
	var l Ledger = log
	if os.Getenv(childMutation) != "" {
		l = early{log}
	}
	up := &upstreamServer{Server: &httptest.Server{URL: os.Getenv(childUpstream)}, ca: os.Getenv(childCA)}
	cr := up.credential("x", apiKey, allow("GET", "/use/*"))
	b, err := New(Options{Dir: dir, Policy: policyOf(cr), Ledger: l, Open: newFixed(realKey).opener(), attest: func(*session, peer) error { return nil }})
	if err != nil {
		return err
	}
	if len(b.List()) == 0 {
		if _, err := b.Add("box", os.Getuid()); err != nil {
			return err
		}
	}
	return b.Serve(ctx)
}

// early is the mutation: the credential goes out before its record is there.
type early struct{ *ledger.Log }

func (e early) Append(ctx context.Context, entry ledger.Entry) (uint64, error) {
	go func() {
		time.Sleep(500 * time.Millisecond)
		_, _ = e.Log.Append(context.Background(), entry)
	}()
	return 1, nil
}

// kills starts and kills a broker under load, so many times, and returns how often the
// upstream saw the credential used and which of those uses the ledger does not know.
func kills(t *testing.T, rounds int, mutated bool) (uses int, missing []string) {
	t.Helper()
	dir := shortDir(t)
	var mu sync.Mutex
	used := map[string]bool{}
	up := newUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Api-Key") != realKey {
			http.Error(w, "who are you", http.StatusUnauthorized)
			return
		}
		mu.Lock()
		used[strings.TrimPrefix(r.URL.Path, "/use/")] = true
		mu.Unlock()
		io.WriteString(w, "fine")
	})
	for round := range rounds {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		c := exec.Command(self)
		c.Env = append(os.Environ(), childDir+"="+dir, childUpstream+"="+up.URL, childCA+"="+up.ca)
		if mutated {
			c.Env = append(c.Env, childMutation+"=1")
		}
		var words strings.Builder
		c.Stderr = &words
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		socket := paths{dir}.socket("box")
		ctx, cancel := context.WithCancel(t.Context())
		// The socket of the broker before is still there, and refuses.
		eventually(t, "a broker", func() bool {
			conn, err := net.Dial("unix", socket)
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
		first, answered := make(chan struct{}), sync.Once{}
		var load sync.WaitGroup
		for worker := range 8 {
			load.Go(func() {
				client := socketClient(t, socket)
				for i := 0; ctx.Err() == nil; i++ {
					r, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("http://b/x/use/%d-%d-%d", round, worker, i), nil)
					if err != nil {
						return
					}
					if resp, err := client.Do(r); err == nil {
						io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
						answered.Do(func() { close(first) })
					} else {
						return // killed
					}
				}
			})
		}
		select {
		case <-first: // the load is there
		case <-time.After(10 * time.Second):
			t.Error("no request was answered")
		}
		time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // it was killed
		cancel()
		load.Wait()
	}
	// What the killed brokers had sent may still be on its way up.
	up.Close()
	recorded := intents(t, filepath.Join(dir, "ledger"))
	mu.Lock()
	defer mu.Unlock()
	for id := range used {
		if !recorded[id] {
			missing = append(missing, id)
		}
	}
	return len(used), missing
}

// intents are the uses that a ledger knows, after the recovery from the last kill.
func intents(t *testing.T, dir string) map[string]bool {
	t.Helper()
	log, err := ledger.Open(dir, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := ledger.OpenCursor(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	all := map[string]bool{}
	for {
		r, err := c.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind == ledger.Intent {
			all[strings.TrimPrefix(r.Path, "/use/")] = true
		}
	}
}

// TestKilled is the guarantee that no use goes without a record. TIGHTSHIP_KILLS says
// how often to kill; the figures are in the log.
func TestKilled(t *testing.T) {
	rounds := 5
	if s := os.Getenv("TIGHTSHIP_KILLS"); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	uses, missing := kills(t, rounds, false)
	t.Logf("%d kills, %d uses that the upstream saw, %d of them missing from the ledger", rounds, uses, len(missing))
	if uses == 0 {
		t.Error("nothing was used, so nothing was tried")
	}
	if len(missing) > 0 {
		t.Errorf("without a record: %v", missing)
	}
}

// TestKilledNoticesAMutation kills a broker that attaches first and records later.
func TestKilledNoticesAMutation(t *testing.T) {
	uses, missing := kills(t, 3, true)
	if len(missing) == 0 {
		t.Errorf("of %d uses none is missing, though records come late", uses)
	}
}

var _ Ledger = (*ledger.Log)(nil)

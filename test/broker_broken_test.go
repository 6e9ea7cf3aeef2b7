package test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/internal/hollow"
	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/test/upstream"
)

// A broker without one of its guards is not taken for one that has it: each row takes
// the body out of one function, and the look that TestBroker takes sees something else.
func TestBrokerBroken(t *testing.T) {
	const find = "http://broker/search/find"
	reflected := func(in string) func(*brokerWorld) bool {
		return func(w *brokerWorld) bool {
			got, _ := w.curl("--include 'http://broker/search" + upstream.EchoPath + "?in=" + in + "'")
			all, _, err := newSearcher(w.values).scan(strings.NewReader(got))
			return err == nil && len(all) > 0
		}
	}
	for _, row := range []struct {
		file, function, returns string
		fails                   string // what TestBroker would say
		seen                    func(*brokerWorld) bool
	}{
		{"accept.go", "admit", "nil", "another container is served", func(w *brokerWorld) bool {
			other := w.container()
			if _, err := docker("start", other); err != nil {
				w.t.Fatal(err)
			}
			stdout, _, code := finish(w.t, w.inside(other, nil, curlLine+find))
			return code == 0 && strings.HasSuffix(stdout, "\n200")
		}},
		{"response.go", "reader", "resp.Body", "an answer's body gives the credential back", reflected("body")},
		{"response.go", "clean", "h", "an answer's header gives the credential back", reflected("header")},
		{"broker.go", "record", "func() (uint64, error) { return 0, nil }()", "a use is not in the ledger", func(w *brokerWorld) bool {
			_, status := w.curl(find)
			intents := w.records(func(r ledger.Record) bool { return r.Kind == ledger.Intent })
			return status == "200" && w.servers["search"].Authorized() == 1 && len(intents) == 0
		}},
		{"attach.go", "attach", "", "the upstream sees no credential", func(w *brokerWorld) bool {
			_, status := w.curl(find)
			return status == "401" && w.servers["search"].Authorized() == 0
		}},
		{"world.go", "revoked", "false", "a credential that was revoked is used", func(w *brokerWorld) bool {
			w.must("broker", "revoke", "--state", w.path("run"), "search")
			_, status := w.curl(find)
			return status == "200"
		}},
		{"state.go", "restore", "nil", "a broker that was started again does not know the sandbox", func(w *brokerWorld) bool {
			w.broker.kill()
			<-w.broker.done
			w.serve()
			_, status := w.curl(find)
			return status == "000"
		}},
		{"table.go", "allows", "func() (int, bool) { return 0, true }()", "what no line allows is sent", func(w *brokerWorld) bool {
			_, status := w.curl("-X DELETE " + find)
			return status != "403" && len(w.servers["search"].Uses()) == 1
		}},
	} {
		t.Run(row.function, func(t *testing.T) {
			needsBroker(t, "runc")
			t.Parallel()
			w := newBrokerWorld(t, "runc", broken(t, row.file, row.function, row.returns))
			if !row.seen(w) {
				t.Errorf("without %s nothing is seen of it: %s", row.function, row.fails)
			}
		})
	}
	t.Run("none", func(t *testing.T) { // and one that has them all is not taken for a broken one
		needsBroker(t, "runc")
		t.Parallel()
		w := newBrokerWorld(t, "runc", filepath.Join(bin, "tightship"))
		for _, in := range []string{"body", "header"} {
			if reflected(in)(w) {
				t.Errorf("a %s that has nothing is taken for one", in)
			}
		}
		if _, status := w.curl(find); status != "200" {
			t.Errorf("status %s", status)
		}
	})
}

// broken builds a tightship in which one function of the broker returns at once.
func broken(t *testing.T, file, name, returns string) string {
	t.Helper()
	found, err := hollow.Find("../broker", func(n string) bool { return n == name })
	found = slices.DeleteFunc(found, func(f hollow.Func) bool { return filepath.Base(f.File) != file })
	if err != nil || len(found) != 1 {
		t.Fatalf("%d functions are called %s: %v", len(found), name, err)
	}
	overlay, err := hollow.Overlay(t.TempDir(), found[0], returns)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	program := filepath.Join(t.TempDir(), "tightship")
	c := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-overlay", overlay, "-o", program, "../cmd/tightship")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

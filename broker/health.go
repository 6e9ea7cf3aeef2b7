package broker

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// reloads is how reading the policy again went, the last time. The zero value is well.
type reloads struct {
	mu     sync.Mutex
	at     time.Time
	failed error
}

func (r *reloads) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at, r.failed = time.Now(), err
}

// last is why the policy that was read last is not at work, nil where it is, and when
// it was read.
func (r *reloads) last() (time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at, r.failed
}

// serveHealth answers whether the broker can serve anybody.
func (b *Broker) serveHealth(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err := b.o.Ledger.Broken(); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, "%v: every use of a credential is refused until the broker is started again\n", err)
		return
	}
	fmt.Fprintln(w, "ok")
}

// writeMetrics writes what is counted, and how the broker is.
func (b *Broker) writeMetrics(w io.Writer) error {
	if err := b.metrics.write(w, len(b.names()), b.conns.Load()); err != nil {
		return err
	}
	_, stale := b.metrics.reloads.last()
	for _, g := range []struct {
		name, help string
		yes        bool
	}{
		{"tightship_broker_ledger_broken", "1 when nothing can be recorded any more, so that nothing is served.", b.o.Ledger.Broken() != nil},
		{"tightship_broker_policy_last_reload_successful", "0 when the policy that was read last has an error, and the one before is at work.", stale == nil},
	} {
		n := 0
		if g.yes {
			n = 1
		}
		if _, err := fmt.Fprintf(w, "# HELP %[1]s %[2]s\n# TYPE %[1]s gauge\n%[1]s %[3]d\n", g.name, g.help, n); err != nil {
			return err
		}
	}
	return nil
}

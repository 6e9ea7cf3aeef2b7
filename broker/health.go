package broker

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/tightship-dev/tightship/ledger"
)

// health is what keeps the broker from its work, or from the policy that is in the
// file, while it runs. The zero value is well.
type health struct {
	mu       sync.Mutex
	ledger   error // why nothing can be recorded any more
	reload   error // why the policy that was read last is not at work
	reloaded time.Time
}

// appended notes a ledger that broke, which is for good.
func (h *health) appended(err error) {
	if !errors.Is(err, ledger.ErrBroken) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ledger = err
}

// reloading notes how reading the policy went.
func (h *health) reloading(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reload, h.reloaded = err, time.Now()
}

// broken is why nothing is recorded any more, nil where all is well.
func (h *health) broken() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ledger
}

// stale is why the policy that was read last is not at work, nil where it is, and when
// it was read.
func (h *health) stale() (time.Time, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reloaded, h.reload
}

// serve answers whether the broker can serve anybody.
func (h *health) serve(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err := h.broken(); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, "%v: every use of a credential is refused until the broker is started again\n", err)
		return
	}
	fmt.Fprintln(w, "ok")
}

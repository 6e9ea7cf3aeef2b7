package broker

import (
	"fmt"

	"github.com/tightship-dev/tightship/ledger"
)

// recount finds in the ledger what the sandboxes that were there before have used of
// credentials with a budget, which is for a sandbox's whole life. Each of its intents
// counts. b.mu need not be held: nothing is served yet.
func (b *Broker) recount() error {
	from, any := uint64(0), false
	for _, s := range b.sandboxes {
		if added := s.binding().Added; !any || added < from {
			from, any = added, true
		}
	}
	if !any || b.o.Past == nil || !b.world.Load().budgeted() {
		return nil
	}
	err := b.o.Past(from, func(r ledger.Record) {
		s := b.sandboxes[r.Sandbox]
		if s == nil || r.Kind != ledger.Intent || r.Seq < s.binding().Added {
			return
		}
		s.usage(r.Credential).requests++
	})
	if err != nil {
		return fmt.Errorf("what the budgets were used for cannot be read: %w", err)
	}
	return nil
}

func (w *world) budgeted() bool {
	for _, l := range w.live {
		if l.Limits.Budget.Requests > 0 {
			return true
		}
	}
	return false
}

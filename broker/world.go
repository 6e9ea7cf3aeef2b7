package broker

import (
	"errors"
	"fmt"

	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/policy"
)

// world is a policy at work. A change of the policy makes another one, and requests
// that are under way keep theirs.
type world struct {
	policy *policy.Policy
	table  *table
	live   map[string]*live

	gone *revocations
}

func (w *world) revoked(name string) bool { return w.gone.has(name) }

// newWorld opens what the policy needs, and takes over from the world before it what
// did not change.
func (b *Broker) newWorld(p *policy.Policy, before *world) (*world, error) {
	w := &world{policy: p, table: newTable(p), live: map[string]*live{}, gone: &b.gone}
	var errs error
	for _, r := range w.table.rules {
		var l *live
		var err error
		if old := before.of(r.Name); old != nil && old.serves(r) {
			l, err = old.next(r, p)
		} else {
			l, err = newLive(r, b, p)
		}
		if err != nil {
			errs = errors.Join(errs, err)
			continue
		}
		w.live[r.Name] = l
	}
	if errs != nil {
		w.close(before)
		return nil, errs
	}
	return w, nil
}

// of is the credential of a name, nil where there is none.
func (w *world) of(name string) *live {
	if w == nil {
		return nil
	}
	return w.live[name]
}

// close closes what another world does not use.
func (w *world) close(other *world) {
	for name, l := range w.live {
		switch o := other.of(name); {
		case o == nil || o.vault != l.vault:
			l.close()
		case o.transport != l.transport:
			l.transport.CloseIdleConnections()
		}
	}
}

// Reload puts another policy to work. The connections stay, and requests that are
// under way end under the policy that they began with, save those with a credential
// that is no longer there: they are cut off. After an error the old policy stays.
func (b *Broker) Reload(p *policy.Policy) error {
	b.reloading.Lock()
	defer b.reloading.Unlock()
	before := b.world.Load()
	w, err := b.newWorld(p, before)
	if err != nil {
		return err
	}
	b.world.Store(w)
	for name := range before.live {
		if w.live[name] == nil {
			b.cut(name)
		}
	}
	before.close(w)
	text := fmt.Sprintf("%d credentials", len(w.live))
	b.note("policy.reloaded", text)
	b.later(ledger.Entry{Kind: ledger.Event, Event: "policy.reloaded", Reason: text})
	return nil
}

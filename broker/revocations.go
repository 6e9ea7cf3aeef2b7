package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/tightship-dev/tightship/ledger"
)

// revocations are the credentials that were revoked. They outlive a change of the
// policy and, in a file, the broker.
type revocations struct {
	path string // "" for none

	mu    sync.RWMutex
	names map[string]bool
}

// load reads what a broker before this one left.
func (r *revocations) load(path string) error {
	r.path, r.names = path, map[string]bool{}
	if path == "" {
		return nil
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var names []string
	if err == nil {
		err = json.Unmarshal(data, &names)
	}
	if err != nil {
		return fmt.Errorf("the file of revoked credentials cannot be read: write a JSON list of their names to %s: %w", path, err)
	}
	for _, name := range names {
		r.names[name] = true
	}
	return nil
}

func (r *revocations) has(name string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.names[name]
}

// set makes a credential revoked or not, at once. The error is of the file alone.
func (r *revocations) set(name string, revoked bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if revoked {
		r.names[name] = true
	} else {
		delete(r.names, name)
	}
	if r.path == "" {
		return nil
	}
	return writeJSON(r.path, slices.Sorted(maps.Keys(r.names)))
}

// ErrNoCredential says that the policy has no credential of a name.
var ErrNoCredential = errors.New("there is no such credential")

// Revoke stops the use of a credential: nothing begins any more, and what is under
// way is cut off. After an error that is not ErrNoCredential it is revoked all the
// same, but not for longer than the broker runs.
func (b *Broker) Revoke(name string) error {
	w := b.world.Load()
	if w.live[name] == nil {
		return fmt.Errorf("%w: %s; there are: %s", ErrNoCredential, name, strings.Join(slices.Sorted(maps.Keys(w.live)), ", "))
	}
	err := b.gone.set(name, true)
	b.cut(name)
	b.noteCredential("credential.revoked", name)
	if err != nil {
		return fmt.Errorf("the credential %s is revoked, but only until the broker ends: %w", name, err)
	}
	return nil
}

// Restore ends what Revoke began. The error is ErrNoCredential where the credential
// is not revoked.
func (b *Broker) Restore(name string) error {
	if !b.gone.has(name) {
		return fmt.Errorf("%w that is revoked: %s", ErrNoCredential, name)
	}
	err := b.gone.set(name, false)
	b.noteCredential("credential.restored", name)
	if err != nil {
		return fmt.Errorf("the credential %s is back, but only until the broker ends: %w", name, err)
	}
	return nil
}

func (b *Broker) noteCredential(what, name string) {
	b.note(what, name)
	b.later(ledger.Entry{Kind: ledger.Event, Event: what, Credential: name})
}

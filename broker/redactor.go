package broker

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/redact"
)

// redactor looks in every answer for the values of every credential, also in those
// that began before a value was known: an upstream may have two credentials, or echo
// what came over another connection.
type redactor struct {
	*redact.Set

	mu     sync.Mutex // held while the values are gathered
	vaults map[*vault]bool
	closed bool
}

// retain is how long the values of a credential that is gone are looked for.
const retain = time.Hour

func newRedactor() (*redactor, error) {
	set, err := redact.Compile()
	return &redactor{Set: set, vaults: map[*vault]bool{}}, err
}

// open opens a credential's source. The vault is told of each new value before
// anybody can use it: what is not known how to redact is never sent.
func (r *redactor) open(c policy.Credential, open func(policy.Credential, func()) (Secret, error)) (*vault, error) {
	v := &vault{attach: c.Attach, redactor: r}
	s, err := open(c, func() { r.changed(v) })
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	v.secret = s
	r.vaults[v] = true
	return v, nil
}

func (r *redactor) changed(v *vault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.vaults[v] {
		v.learned(r.gather(v))
	}
}

// gather has all values looked for that there are, and says what is wrong with the
// newest one of a vault, if something is.
func (r *redactor) gather(of *vault) error {
	unfit := errNotKnown
	all := slices.Collect(maps.Keys(r.vaults))
	// All of them are lent at once, one in the other.
	var lend func(values [][]byte)
	lend = func(values [][]byte) {
		if len(all) == 0 {
			if err := r.Replace(values...); err != nil {
				unfit = err
			}
			return
		}
		v := all[0]
		all = all[1:]
		v.secret.Values(func(own ...[]byte) {
			if v == of && len(own) > 0 {
				unfit = redact.Fit(own[0])
			}
			v.forms(own, func(forms [][]byte) { lend(slices.Concat(values, forms)) })
		})
	}
	lend(nil)
	return unfit
}

// forms lends what an answer may hold of the values. One that cannot be looked for
// was never sent. A password is sent in base64, so that an upstream which encodes what
// it was sent encodes it for the second time: what was sent is looked for as well.
func (v *vault) forms(values [][]byte, f func([][]byte)) {
	var all, sent [][]byte
	for _, value := range values {
		if redact.Fit(value) != nil {
			continue
		}
		all = append(all, value)
		if v.attach.Style == policy.AttachBasic {
			sent = append(sent, basic(v.attach.Name, value))
		}
	}
	for _, s := range sent {
		defer clear(s)
	}
	f(append(all, sent...))
}

// retire keeps on looking for the values of a credential that is gone, for a while:
// an answer that began before, or one to another credential, may still hold them.
func (r *redactor) retire(v *vault) {
	r.mu.Lock()
	closed := r.closed
	r.mu.Unlock()
	if closed {
		return
	}
	if !v.wasUsed() {
		r.forget(v)
		return
	}
	time.AfterFunc(retain, func() { r.forget(v) })
}

func (r *redactor) forget(v *vault) {
	r.mu.Lock()
	there := r.vaults[v]
	delete(r.vaults, v)
	if there && !r.closed {
		_ = r.gather(nil) // of fewer values than before
	}
	r.mu.Unlock()
	if there {
		v.secret.Close()
	}
}

// close overwrites all values. Of what is read or written later nothing is given out.
func (r *redactor) close() {
	r.mu.Lock()
	all := r.vaults
	r.vaults, r.closed = nil, true
	_ = r.Close() // it only overwrites
	r.mu.Unlock()
	for v := range all {
		v.secret.Close()
	}
}

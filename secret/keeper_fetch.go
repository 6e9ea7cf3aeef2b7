package secret

import (
	"errors"
	"time"
)

// acquire finds what a Use has to do: use v, on which it then has a hold; wait for
// a flight; or, with both, use v unless the flight ends soon.
func (k *Keeper) acquire(look bool) (v *Value, fl *flight, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.closed:
		return nil, nil, ErrClosed
	case k.revoked:
		return nil, nil, ErrRevokedByUser
	}
	now := k.now()
	changed := look && k.lookLocked(now)
	rested := k.err == nil || !now.Before(k.retry)
	if h := k.current; h != nil && h.good(now) {
		h.v.hold() // it is closed only when it is no longer current
		switch {
		case changed:
			return h.v, k.startLocked(false), nil
		case rested && h.due(now):
			k.startLocked(true)
		}
		return h.v, nil, nil
	}
	if k.flight == nil && !rested && !changed {
		return nil, nil, k.err
	}
	return nil, k.startLocked(k.current != nil), nil
}

func (h *held) good(now time.Time) bool { return h.expiry.IsZero() || now.Before(h.expiry) }

// due says whether it is time for the next one: at four fifths of the life, or a
// minute before its end if that is sooner, unless it lives for less than two.
func (h *held) due(now time.Time) bool {
	if h.expiry.IsZero() {
		return false
	}
	life := h.expiry.Sub(h.fetched)
	at := life * 4 / 5
	if life >= 2*time.Minute {
		at = min(at, life-time.Minute)
	}
	return !now.Before(h.fetched.Add(at))
}

// lookLocked says whether the Source's file has changed since it was fetched. It
// looks at most once a second, and lets go of what was retired long ago.
func (k *Keeper) lookLocked(now time.Time) bool {
	if now.Sub(k.looked) < lookEvery {
		return false
	}
	k.looked = now
	k.pruneLocked(now)
	w, ok := k.src.(watched)
	return ok && k.current != nil && w.stamp() != k.stamp
}

func (k *Keeper) pruneLocked(now time.Time) {
	keep := 0
	for keep < len(k.previous) && keep < mostPrevious && now.Sub(k.previous[keep].retired) < k.retain {
		keep++
	}
	for i, h := range k.previous[keep:] {
		h.v.Close()
		k.previous[keep+i] = nil
	}
	k.previous = k.previous[:keep]
}

// startLocked starts a flight, unless one is in the air.
func (k *Keeper) startLocked(renew bool) *flight {
	if k.flight != nil {
		return k.flight
	}
	k.started++
	fl := &flight{number: k.started, renew: renew, done: make(chan struct{})}
	k.flight = fl
	var old *Value
	if renew && k.current != nil {
		old = k.current.v
		old.hold()
	}
	k.running.Go(func() { k.fly(fl, old) })
	return fl
}

// fly fetches. Old, if there is one, is what the Source is to replace.
func (k *Keeper) fly(fl *flight, old *Value) {
	// Before the fetch: what changes during it is then seen by the next look.
	stamp := ""
	if w, ok := k.src.(watched); ok {
		stamp = w.stamp()
	}
	asked := k.now()
	var v *Value
	var expiry time.Time
	var err error
	if r, ok := k.src.(renewer); ok && old != nil {
		v, expiry, err = r.Renew(k.life, old)
	} else {
		v, expiry, err = k.src.Fetch(k.life)
	}
	if old != nil {
		old.in().done()
	}
	next := &held{v: v, fetched: asked, expiry: expiry}
	if err == nil && !next.good(k.now()) {
		v.Close()
		err = errors.New("the credential has expired already")
	}
	if err == nil && !k.sameAs(next) {
		k.announce(next)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stamp, k.err, fl.err = stamp, err, err
	if err == nil {
		k.wait = 0
	} else {
		k.wait = min(max(2*k.wait, firstWait), longestWait)
		k.retry = k.now().Add(k.wait)
	}
	k.flight, k.landed = nil, fl
	close(fl.done)
}

// sameAs says whether a fetch gave what is there already, and then notes its times.
func (k *Keeper) sameAs(next *held) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current == nil || !k.current.v.equal(next.v) {
		return false
	}
	next.v.Close()
	k.current.fetched, k.current.expiry = next.fetched, next.expiry
	return true
}

// announce tells of a new value and then makes it the current one.
func (k *Keeper) announce(next *held) {
	k.mu.Lock()
	k.coming = next.v
	k.mu.Unlock()
	k.changed()
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if k.current != nil {
		k.current.retired = now
		k.previous = append([]*held{k.current}, k.previous...)
	}
	k.current, k.coming = next, nil
	k.pruneLocked(now)
}

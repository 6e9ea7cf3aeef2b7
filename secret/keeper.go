package secret

import (
	"context"
	"sync"
	"time"
)

// Keeper holds what one Source gives: it fetches when first asked, again before the
// value expires, and again when the Source's file has changed. It does all this
// when it is used; nothing runs meanwhile. It is safe for concurrent use.
//
// A Use that has a good value never waits for a fetch, save one: the Use that sees
// a changed file waits for up to a second, so that a new key counts at once. A
// fetch that fails leaves a value that is still good where it is, and is tried
// again after a while, which doubles from 1 second to 1 minute.
type Keeper struct {
	src     Source
	changed func()
	now     func() time.Time
	retain  time.Duration

	mu       sync.Mutex
	current  *held
	coming   *Value  // what Values gives already, and Use not yet
	previous []*held // newest first
	revoked  bool
	revokes  int
	closed   bool
	flight   *flight // in the air, nil for none
	landed   *flight // the last one
	started  int     // how many flights
	err      error   // of the last, nil when it succeeded
	retry    time.Time
	wait     time.Duration
	looked   time.Time
	stamp    string // of what was fetched last
	running  sync.WaitGroup
	life     context.Context
	end      context.CancelFunc
}

// held is a value with its times.
type held struct {
	v       *Value
	fetched time.Time
	expiry  time.Time // zero for none
	retired time.Time // when another took its place
}

// A flight is one fetch, for which everybody waits who needs it.
type flight struct {
	number int
	renew  bool // it makes a new credential where the Source can
	done   chan struct{}
	err    error // once done
}

const (
	lookEvery    = time.Second
	patience     = time.Second // with a fetch, where the old value is good
	firstWait    = time.Second
	longestWait  = time.Minute
	mostPrevious = 8
)

// KeeperOptions are a Keeper's.
type KeeperOptions struct {
	// Changed is called for each new value, after Values has it and before Use does,
	// so that nobody can send what a redactor does not know. Of the Keeper's methods
	// it may call Values and Status: the others can wait for it.
	Changed func()
	// Retain is how long Values still gives a value after another took its place;
	// 0 for an hour. No more than eight are kept.
	Retain time.Duration
	// Now is the clock, nil for time.Now.
	Now func() time.Time
}

// NewKeeper makes a Keeper, which fetches nothing yet.
func NewKeeper(src Source, o KeeperOptions) *Keeper {
	k := &Keeper{src: src, changed: o.Changed, now: o.Now, retain: o.Retain}
	if k.changed == nil {
		k.changed = func() {}
	}
	if k.now == nil {
		k.now = time.Now
	}
	if k.retain == 0 {
		k.retain = time.Hour
	}
	k.life, k.end = context.WithCancel(context.Background())
	return k
}

// Use lends the current value to f, which must neither keep nor change it. It
// fetches if there is none, and waits for that until ctx ends. The error wraps
// ErrRevokedByUser or ErrClosed, or is the Source's, and then f was not called.
func (k *Keeper) Use(ctx context.Context, f func(b []byte)) error {
	for look := true; ; look = false {
		v, fl, err := k.acquire(look)
		switch {
		case err != nil:
			return err
		case fl == nil:
			v.lend(f)
			return nil
		case v == nil:
			if err := fl.await(ctx); err != nil {
				return err
			}
		default:
			short, cancel := context.WithTimeout(ctx, patience)
			fl.await(short)
			cancel()
			v.in().done()
		}
	}
}

// await waits for a flight. The error is the flight's, or ctx's.
func (fl *flight) await(ctx context.Context) error {
	select {
	case <-fl.done:
		return fl.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Rotate fetches now, makes a new credential where the Source can (oauth:), and
// ends what an earlier Revoke began. Those who call it at once share a fetch. The
// error is the Source's; the old value, if it is good, stays.
func (k *Keeper) Rotate(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	// A flight in the air may have read what was there before: the next one counts.
	need, revokes := k.started+1, k.revokes
	for k.landed == nil || k.landed.number < need || !k.landed.renew {
		if k.closed {
			return ErrClosed
		}
		fl := k.flight
		if fl == nil {
			fl = k.startLocked(true)
		}
		k.mu.Unlock()
		fl.await(ctx)
		k.mu.Lock()
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if k.landed.err == nil && k.revokes == revokes {
		k.revoked = false
	}
	return k.landed.err
}

// Revoke makes every later Use fail with ErrRevokedByUser, until Restore or
// Rotate. A Use that has begun goes on.
func (k *Keeper) Revoke() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.revoked = true
	k.revokes++
}

// Restore ends what Revoke began.
func (k *Keeper) Restore() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.revoked = false
}

// Values lends the current value and those before it to f, for a redactor: an
// answer may still hold a value that was sent a while ago.
func (k *Keeper) Values(f func(values ...[]byte)) {
	k.mu.Lock()
	var all []*Value
	if k.coming != nil {
		all = append(all, k.coming)
	}
	if k.current != nil {
		all = append(all, k.current.v)
	}
	for _, h := range k.previous {
		all = append(all, h.v)
	}
	k.mu.Unlock()
	lend(all, nil, f)
}

// lend nests one Use in another, so that all values stay while f runs.
func lend(all []*Value, lent [][]byte, f func(values ...[]byte)) {
	if len(all) == 0 {
		f(lent...)
		return
	}
	err := all[0].Use(func(b []byte) { lend(all[1:], append(lent, b), f) })
	if err != nil {
		lend(all[1:], lent, f)
	}
}

// Status is what a Keeper can say of itself.
type Status struct {
	Fetched time.Time // when the current value was; zero for none
	Expires time.Time // when it ends; zero for never
	Locked  bool      // whether it is in locked memory
	Revoked bool      // by Revoke
	Err     error     // of the last fetch, nil if it succeeded
}

// Status fetches nothing.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := Status{Revoked: k.revoked, Err: k.err}
	if h := k.current; h != nil {
		s.Fetched, s.Expires, s.Locked = h.fetched, h.expiry, h.v.Locked()
	}
	return s
}

// Close wipes all values. It waits for a fetch that is under way: a login that is
// being refreshed must be written first.
func (k *Keeper) Close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.end()
	k.running.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, h := range k.previous {
		h.v.Close()
	}
	if k.current != nil {
		k.current.v.Close()
	}
	k.current, k.previous = nil, nil
}

package verify

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/spec"
)

// Twins lets verifications whose twins would be the same use those of the first:
// ten replicas of a service are ten containers, with ten processes to compare,
// and one set of twins. The zero value is ready. It keeps what the last few saw,
// so that it does not grow with the number of subjects.
type Twins struct {
	mu    sync.Mutex
	shots []*shot // oldest first
	// base is the first run without a weakening, whose twins serve those with one,
	// and hashKey the one key of all that share twins.
	base    *run
	hashKey []byte
}

// key is the hash key of all who share these twins: what one twin saw is
// compared with what another did.
func (t *Twins) key() []byte {
	if t == nil {
		return []byte(token())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hashKey == nil {
		t.hashKey = []byte(token())
	}
	return t.hashKey
}

// shots kept at most; replicas are mostly named, and so verified, in a row.
const shotsKept = 16

// shot is what one set of twins came to.
type shot struct {
	key  string
	done chan struct{}
	run  *run // nil if the measurement failed; set before done is closed
}

// claim returns what is known or being measured under a key. If there is
// nothing, the caller is the first, and must settle what it is given.
func (t *Twins) claim(key string) (s *shot, first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.shots {
		if s.key == key {
			return s, false
		}
	}
	s = &shot{key: key, done: make(chan struct{})}
	t.shots = append(t.shots, s)
	if len(t.shots) > shotsKept {
		t.shots = t.shots[1:]
	}
	return s, true
}

// settle publishes a measurement, or with nil that there is none: the next one
// who asks is then the first.
func (t *Twins) settle(s *shot, r *run) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r == nil {
		for i := range t.shots {
			if t.shots[i] == s {
				t.shots = append(t.shots[:i:i], t.shots[i+1:]...)
				break
			}
		}
	}
	s.run = r
	close(s.done)
}

// measured is the evidence: taken now, or by the first of those whose twins are
// the same.
func (r *run) measured(ctx context.Context) error {
	key, err := r.key()
	if err != nil || r.opts.Twins == nil || key == "" {
		return r.attempt(ctx)
	}
	for {
		s, first := r.opts.Twins.claim(key)
		if first {
			err := r.attempt(ctx)
			if err != nil || ctx.Err() != nil {
				r.opts.Twins.settle(s, nil)
			} else {
				r.opts.Twins.settle(s, r)
			}
			return err
		}
		select {
		case <-s.done:
		case <-ctx.Done():
			r.lock.release(false)
			return context.Cause(ctx)
		}
		if s.run != nil {
			r.lock.release(false)
			r.adopt(s.run)
			return nil
		}
	}
}

// attempt measures with twins of this run's own, and removes them.
func (r *run) attempt(ctx context.Context) error {
	err := r.measure(ctx)
	r.left = r.clean(ctx)
	if err == nil && r.left == nil && ctx.Err() == nil {
		r.remember()
	}
	r.lock.release(r.left != nil)
	return err
}

// key tells twins apart: what would be asked of the engine for each, without
// what names them. "" means that the engine cannot say, and nothing is shared.
func (r *run) key() (string, error) {
	copier, ok := r.eng.(engine.Copier)
	if !ok || r.opts.Weaken != nil {
		return "", nil
	}
	hash := sha256.New()
	for _, t := range []check.Twin{check.Main, check.Isolate, check.Exhaust} {
		c := r.settings(t)
		c.Labels = nil
		for i := range c.Mounts {
			c.Mounts[i].Source = strings.Replace(c.Mounts[i].Source, r.prefix(), "tightship", 1)
		}
		asked, err := copier.Request(c)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(hash, "%d %s\n", len(asked), asked)
	}
	var places []spec.Mount
	owners := []int64{}
	for _, s := range r.standIns {
		places = append(places, spec.Mount{Target: s.target})
		owners = append(owners, s.uid, s.gid, s.mode)
	}
	ask := r.original != nil && r.original.ask
	err := json.NewEncoder(hash).Encode([]any{r.image.ID, r.opts.Policy.Digest(), r.todo, places, owners, ask, r.opts.FullScale})
	return fmt.Sprintf("%x", hash.Sum(nil)), err
}

// adopt takes over what another run saw. The twins' names, in run IDs and in what
// they said, stay that run's.
func (r *run) adopt(from *run) {
	r.locked(func() {
		r.hashKey, r.exits, r.cleaned, r.ended, r.looked = from.hashKey, from.exits, true, from.ended, from.looked
		r.lock = from.lock
		r.doomed = from.doomed
		r.states = map[check.Twin]*check.TwinState{}
		for t, state := range from.states {
			mine := *state
			r.states[t] = &mine
		}
		if r.original != nil {
			r.opts.Policy.User = from.opts.Policy.User
			r.judgeOriginal(r.states[check.Main])
		}
	})
}

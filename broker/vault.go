package broker

import (
	"context"
	"errors"
	"sync"

	"github.com/tightship-dev/tightship/policy"
)

// Secret is where a credential's value comes from; *secret.Keeper is one. Its errors
// must not hold the value.
type Secret interface {
	// Use lends the current value to f, which keeps nothing of it, and fetches one
	// where there is none that is good.
	Use(ctx context.Context, f func(b []byte)) error
	// Values lends what Use gives now or is about to give, the newest first, and what
	// it gave a while ago, which answers may still echo.
	Values(f func(values ...[]byte))
	// Rotate fetches a value now. After an error the one before stays.
	Rotate(ctx context.Context) error
	Close()
}

// vault is a credential's value, which is lent only while every answer is searched
// for it. It outlives a change of the policy that leaves the source alone.
type vault struct {
	secret   Secret
	attach   policy.Attach
	redactor *redactor

	mu    sync.Mutex
	known bool  // whether answers are searched for its newest value
	err   error // why they are not, so that it must not be used
	used  bool  // whether an answer can hold a value of it
}

var errNotKnown = errors.New("it has no value yet")

// check says whether there is a value that can be used.
func (v *vault) check(ctx context.Context) error {
	if err := v.secret.Use(ctx, func([]byte) {}); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.unfit()
}

// use lends the value to f.
func (v *vault) use(ctx context.Context, f func(b []byte)) error {
	var unfit error
	err := v.secret.Use(ctx, func(b []byte) {
		v.mu.Lock()
		defer v.mu.Unlock()
		if unfit = v.unfit(); unfit == nil {
			v.used = true
			f(b)
		}
	})
	return errors.Join(err, unfit)
}

// unfit says why the newest value cannot be used. v.mu is held.
func (v *vault) unfit() error {
	if v.err == nil && !v.known {
		return errNotKnown
	}
	return v.err
}

// learned notes whether answers are searched for the newest value now.
func (v *vault) learned(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.known, v.err = err == nil, err
}

func (v *vault) wasUsed() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.used
}

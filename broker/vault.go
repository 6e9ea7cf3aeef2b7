package broker

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/redact"
)

// Secret is where a credential's value comes from; *secret.Keeper is one. Its errors
// must not hold the value.
type Secret interface {
	// Use lends the current value to f, which keeps nothing of it, and fetches one
	// where there is none that is good.
	Use(ctx context.Context, f func(b []byte)) error
	// Values lends what Use gives now or is about to give, and what it gave a while
	// ago, which answers may still echo.
	Values(f func(values ...[]byte))
	// Rotate fetches a value now. After an error the one before stays.
	Rotate(ctx context.Context) error
	Close()
}

// vault is a credential's value with what looks for it in answers. It outlives a
// change of the policy that leaves the source alone.
type vault struct {
	secret Secret
	attach policy.Attach

	mu     sync.Mutex
	scan   *scan
	err    error // why the newest value can't be looked for, so must not be used
	closed bool
}

// changed is called for each new value, before anybody can use it: what is not known
// how to redact is never sent.
func (v *vault) changed() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed || v.secret == nil {
		return
	}
	var set *redact.Set
	v.secret.Values(func(values ...[]byte) { set, v.err = v.compile(values) })
	if v.err != nil {
		return
	}
	if v.scan != nil {
		v.scan.release()
	}
	v.scan = &scan{Set: set, uses: 1}
}

// compile makes what looks for the values. A password is sent in base64, so that an
// upstream which encodes what it was sent encodes it for the second time: what was
// sent is looked for as well.
func (v *vault) compile(values [][]byte) (*redact.Set, error) {
	values = fit(values)
	if v.attach.Style != policy.AttachBasic {
		return redact.Compile(values...)
	}
	all := slices.Clone(values)
	for _, value := range values {
		sent := basic(v.attach.Name, value)
		defer clear(sent)
		all = append(all, sent)
	}
	return redact.Compile(all...)
}

// fit is the newest value, which comes first, and those before it that can be looked
// for. Another one was never sent, so that no answer holds it, and must not keep the
// newest from being used.
func fit(values [][]byte) [][]byte {
	out := slices.Clone(values[:min(1, len(values))])
	for _, b := range values[len(out):] {
		if one, err := redact.Compile(b); err == nil {
			_ = one.Close() // it only overwrites
			out = append(out, b)
		}
	}
	return out
}

var errNoScan = errors.New("it has no value yet")

// check says whether there is a value that can be used.
func (v *vault) check(ctx context.Context) error {
	if err := v.secret.Use(ctx, func([]byte) {}); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err == nil && v.scan == nil {
		return errNoScan
	}
	return v.err
}

// use lends the value to f, and returns what looks for it, which is to be released.
func (v *vault) use(ctx context.Context, f func(b []byte)) (*scan, error) {
	var s *scan
	var unfit error
	err := v.secret.Use(ctx, func(b []byte) {
		v.mu.Lock()
		defer v.mu.Unlock()
		if unfit = v.err; unfit == nil && v.scan == nil {
			unfit = errNoScan
		}
		if unfit == nil {
			s = v.scan.acquire()
			f(b)
		}
	})
	return s, errors.Join(err, unfit)
}

func (v *vault) close() {
	v.mu.Lock()
	v.closed = true
	if v.scan != nil {
		v.scan.release()
		v.scan = nil
	}
	v.mu.Unlock()
	v.secret.Close()
}

// scan is a redactor that is overwritten when the last answer that it is needed for
// was read.
type scan struct {
	*redact.Set

	mu   sync.Mutex
	uses int // of answers, and one of the vault
}

func (s *scan) acquire() *scan {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uses++
	return s
}

func (s *scan) release() {
	s.mu.Lock()
	s.uses--
	last := s.uses == 0
	s.mu.Unlock()
	if last {
		_ = s.Close() // it only overwrites
	}
}

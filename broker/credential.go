package broker

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/redact"
)

// live is a credential at work: its rule, where its value comes from, and what sends
// its requests. One that a change of the policy leaves alone lives on, with its
// connections.
type live struct {
	*rule
	base      *url.URL
	transport http.RoundTripper
	secret    Secret

	mu   sync.Mutex
	scan *scan
}

// newLive opens what a credential needs. Dir is what a relative CA file is below.
func newLive(r *rule, o *Options, p *policy.Policy) (*live, error) {
	base, err := url.Parse(r.Route.Upstream)
	if err != nil {
		return nil, fmt.Errorf("credential %s: %w", r.Name, err)
	}
	ca := r.Route.CA
	if ca != "" {
		if ca, err = p.HostPath(ca); err != nil {
			return nil, fmt.Errorf("credential %s: %w", r.Name, err)
		}
	}
	t, err := newTransport(r.Route, ca)
	if err != nil {
		return nil, fmt.Errorf("credential %s: %w", r.Name, err)
	}
	s, err := o.Open(*r.Credential)
	if err != nil {
		return nil, fmt.Errorf("credential %s: %w", r.Name, err)
	}
	return &live{rule: r, base: base, transport: t, secret: s}, nil
}

// same says whether a credential needs nothing that this one does not have.
func (l *live) same(r *rule) bool {
	a, b := l.Route, r.Route
	if a.Upstream != b.Upstream || a.CA != b.CA || len(a.Networks) != len(b.Networks) || l.From != r.From {
		return false
	}
	for i := range a.Networks {
		if a.Networks[i] != b.Networks[i] {
			return false
		}
	}
	return true
}

// close gives up what the credential holds. Answers that are under way are read to
// their end.
func (l *live) close() error {
	if t, ok := l.transport.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
	l.mu.Lock()
	if l.scan != nil {
		l.scan.release()
		l.scan = nil
	}
	l.mu.Unlock()
	return l.secret.Close()
}

// scan is what looks for one value, and for the one before it, in answers.
type scan struct {
	*redact.Set
	value Value

	mu   sync.Mutex
	uses int // of answers, and one of the credential
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

// value is the credential's value with what looks for it. The scan is to be released.
func (l *live) value(ctx context.Context) (Value, *scan, error) {
	v, err := l.secret.Value(ctx)
	if err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.scan != nil && l.scan.value == v {
		return v, l.scan.acquire(), nil
	}
	set, err := compile(v, l.scan)
	if err != nil {
		return nil, nil, err
	}
	if l.scan != nil {
		l.scan.release()
	}
	l.scan = &scan{Set: set, value: v, uses: 1}
	return v, l.scan.acquire(), nil
}

// compile also looks for the value before, which answers may still echo for a while.
func compile(v Value, before *scan) (set *redact.Set, err error) {
	err = errors.New("the value is gone")
	v.Use(func(b []byte) {
		if before == nil {
			set, err = redact.Compile(b)
			return
		}
		used := false
		before.value.Use(func(old []byte) {
			used = true
			set, err = redact.Compile(b, old)
		})
		if !used || err != nil { // wiped, or unfit
			set, err = redact.Compile(b)
		}
	})
	return set, err
}

package secret

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

func TestKeeperRevokeAndRestore(t *testing.T) {
	k, f, _ := newKeeper(t, KeeperOptions{})
	want(t, k, "first")
	k.Revoke()
	if s, err := use(t, k); !errors.Is(err, ErrRevokedByUser) || !k.Status().Revoked {
		t.Errorf("got %q, %v", s, err)
	}
	k.Restore()
	want(t, k, "first")
	k.Revoke()
	f.set(func() { f.err = ErrTemporary })
	if err := k.Rotate(t.Context()); !errors.Is(err, ErrTemporary) {
		t.Error(err)
	}
	if _, err := use(t, k); !errors.Is(err, ErrRevokedByUser) {
		t.Errorf("a failed Rotate restored: %v", err)
	}
	f.set(func() { f.err, f.value = nil, "second" })
	if err := k.Rotate(t.Context()); err != nil {
		t.Error(err)
	}
	want(t, k, "second")
	// Revoked while Rotate was at it: that word is the later one.
	gate := make(chan struct{})
	f.set(func() { f.gate = gate })
	done := make(chan error)
	go func() { done <- k.Rotate(context.Background()) }()
	for f.count() < 4 {
		time.Sleep(time.Millisecond)
	}
	k.Revoke()
	close(gate)
	<-done
	if _, err := use(t, k); !errors.Is(err, ErrRevokedByUser) {
		t.Errorf("got %v", err)
	}
}

// A Rotate during a fetch does not take that fetch's word: it may have read what
// was there before. Many of them share one.
func TestKeeperRotateFetchesAnew(t *testing.T) {
	k, f, _ := newKeeper(t, KeeperOptions{})
	gate := make(chan struct{})
	f.gate = gate
	go k.Use(context.Background(), func([]byte) {})
	for f.count() < 1 {
		time.Sleep(time.Millisecond)
	}
	var all sync.WaitGroup
	began := make(chan struct{}, 10)
	for range 10 {
		all.Go(func() {
			began <- struct{}{}
			if err := k.Rotate(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	for range 10 {
		<-began
	}
	close(gate)
	all.Wait()
	if n := f.count(); n < 2 || n > 11 {
		t.Errorf("%d fetches", n)
	}
	short, cancel := context.WithCancel(t.Context())
	cancel()
	f.set(func() { f.gate = make(chan struct{}) })
	if err := k.Rotate(short); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(f.gate)
}

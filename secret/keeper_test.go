package secret

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is a Source that gives what the test says.
type fake struct {
	mu      sync.Mutex
	value   string
	expiry  time.Time
	err     error
	fetched int
	renewed int
	mark    string
	gate    chan struct{} // fetches wait for it to be closed, if there is one
}

func (f *fake) Fetch(ctx context.Context) (*Value, time.Time, error) {
	f.mu.Lock()
	f.fetched++
	gate := f.gate
	f.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, time.Time{}, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, time.Time{}, f.err
	}
	v, err := New([]byte(f.value))
	return v, f.expiry, err
}

func (f *fake) Renew(ctx context.Context, old *Value) (*Value, time.Time, error) {
	f.mu.Lock()
	f.renewed++
	f.mu.Unlock()
	return f.Fetch(ctx)
}

func (f *fake) stamp() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mark
}

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fetched
}

// clock is a clock that stands still.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func newKeeper(t *testing.T, o KeeperOptions) (*Keeper, *fake, *clock) {
	c := &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	f := &fake{value: "first"}
	o.Now = c.now
	k := NewKeeper(f, o)
	t.Cleanup(k.Close)
	return k, f, c
}

func use(t *testing.T, k *Keeper) (string, error) {
	t.Helper()
	var s string
	err := k.Use(t.Context(), func(b []byte) { s = string(b) })
	return s, err
}

func want(t *testing.T, k *Keeper, value string) {
	t.Helper()
	if got, err := use(t, k); got != value || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, value)
	}
}

// settle waits for what is in the air.
func (k *Keeper) settle() {
	k.mu.Lock()
	fl := k.flight
	k.mu.Unlock()
	if fl != nil {
		<-fl.done
	}
}

func known(k *Keeper) string {
	var all []string
	k.Values(func(values ...[]byte) {
		for _, v := range values {
			all = append(all, string(v))
		}
	})
	return strings.Join(all, " ")
}

func TestKeeperFetchesOnce(t *testing.T) {
	k, f, _ := newKeeper(t, KeeperOptions{})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { want(t, k, "first") })
	}
	all.Wait()
	if f.count() != 1 {
		t.Errorf("%d fetches", f.count())
	}
}

func TestKeeperRenewsBeforeExpiry(t *testing.T) {
	for _, tt := range []struct {
		life, not, due time.Duration
	}{
		{10 * time.Hour, 8*time.Hour - time.Second, 8 * time.Hour},
		{3 * time.Minute, 2*time.Minute - time.Second, 2 * time.Minute},
		{100 * time.Second, 79 * time.Second, 80 * time.Second},
	} {
		t.Run(tt.life.String(), func(t *testing.T) {
			k, f, c := newKeeper(t, KeeperOptions{})
			f.expiry = c.now().Add(tt.life)
			want(t, k, "first")
			c.forward(tt.not)
			want(t, k, "first")
			k.settle()
			if f.renewed != 0 {
				t.Fatal("renewed too early")
			}
			c.forward(tt.due - tt.not)
			gate := make(chan struct{})
			f.set(func() { f.value, f.expiry, f.gate = "second", c.now().Add(tt.life), gate })
			want(t, k, "first") // nobody waits
			want(t, k, "first")
			close(gate)
			k.settle()
			want(t, k, "second")
			if f.renewed != 1 {
				t.Errorf("renewed %d times", f.renewed)
			}
		})
	}
}

func TestKeeperServesTheOldWhileItIsGood(t *testing.T) {
	k, f, c := newKeeper(t, KeeperOptions{})
	f.expiry = c.now().Add(time.Hour)
	want(t, k, "first")
	c.forward(50 * time.Minute)
	down := fmt.Errorf("down: %w", ErrTemporary)
	f.set(func() { f.err = down })
	for range 5 {
		want(t, k, "first")
		k.settle()
	}
	// Once, and then not before a second has passed, and then two.
	if f.count() != 2 || !errors.Is(k.Status().Err, ErrTemporary) {
		t.Errorf("%d fetches, %v", f.count(), k.Status().Err)
	}
	for _, s := range []struct {
		d time.Duration
		n int
	}{{999 * time.Millisecond, 2}, {time.Millisecond, 3}, {1999 * time.Millisecond, 3}, {time.Millisecond, 4}} {
		c.forward(s.d)
		want(t, k, "first")
		k.settle()
		if f.count() != s.n {
			t.Errorf("after %s: %d fetches, want %d", s.d, f.count(), s.n)
		}
	}
	c.forward(10 * time.Minute)
	if s, err := use(t, k); !errors.Is(err, ErrTemporary) {
		t.Errorf("expired, and still lent: %q, %v", s, err)
	}
	f.set(func() { f.err, f.value, f.expiry = nil, "second", c.now().Add(time.Hour) })
	c.forward(time.Minute)
	want(t, k, "second")
	if err := k.Status().Err; err != nil {
		t.Error(err)
	}
}

func TestKeeperRefusesWhatHasExpired(t *testing.T) {
	k, f, c := newKeeper(t, KeeperOptions{})
	f.expiry = c.now()
	if s, err := use(t, k); err == nil {
		t.Errorf("lent %q", s)
	}
}

func TestKeeperSeesAChangedFile(t *testing.T) {
	k, f, c := newKeeper(t, KeeperOptions{})
	want(t, k, "first")
	f.set(func() { f.value, f.mark = "second", "changed" })
	want(t, k, "first") // it looked just now
	c.forward(time.Second)
	want(t, k, "second")
	// A file that cannot be read leaves the old value, and is not read every second.
	f.set(func() { f.err, f.mark = ErrPermissions, "again" })
	for range 3 {
		c.forward(time.Second)
		want(t, k, "second")
	}
	if f.count() != 3 {
		t.Errorf("%d fetches", f.count())
	}
}

func TestKeeperTellsTheRedactorFirst(t *testing.T) {
	var k *Keeper
	var told []string
	k, f, c := newKeeper(t, KeeperOptions{Retain: time.Minute, Changed: func() {
		k.mu.Lock()
		current := "-"
		if k.current != nil {
			k.current.v.Use(func(b []byte) { current = string(b) })
		}
		k.mu.Unlock()
		told = append(told, known(k)+"/"+current)
	}})
	want(t, k, "first")
	for _, s := range []string{"second", "second", "third"} {
		f.set(func() { f.value = s })
		if err := k.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(told, ", "); got != "first/-, second first/first, third second first/second" {
		t.Errorf("told %s", got)
	}
	old := k.previous[0].v
	c.forward(time.Minute)
	want(t, k, "third")
	if got := known(k); got != "third" {
		t.Errorf("after a minute: %s", got)
	}
	if old.hold() {
		t.Error("an old value was not wiped")
	}
	for i := range 20 {
		f.set(func() { f.value = fmt.Sprint(i) })
		k.Rotate(t.Context())
	}
	if got := known(k); got != "19 18 17 16 15 14 13 12 11" {
		t.Errorf("known: %s", got)
	}
}

// A value in use stays, however often it is replaced meanwhile.
func TestKeeperKeepsWhatIsInUse(t *testing.T) {
	k, f, _ := newKeeper(t, KeeperOptions{Retain: time.Nanosecond})
	k.Use(t.Context(), func(b []byte) {
		for i := range 20 {
			f.set(func() { f.value = fmt.Sprint(i) })
			if err := k.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		k.Close()
		if string(b) != "first" {
			t.Errorf("it is %q now", b)
		}
	})
	if _, err := use(t, k); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := k.Rotate(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestKeeperUnderLoad(t *testing.T) {
	k, f, _ := newKeeper(t, KeeperOptions{Retain: time.Nanosecond})
	k.now = time.Now
	ctx, cancel := context.WithCancel(t.Context())
	var users sync.WaitGroup
	for range 8 {
		users.Go(func() {
			for ctx.Err() == nil {
				err := k.Use(context.Background(), func(b []byte) {
					if !strings.HasPrefix(string(b), "value-") && string(b) != "first" {
						t.Errorf("got %q", b)
					}
				})
				if err != nil {
					t.Error(err)
				}
				k.Values(func(...[]byte) {})
				k.Status()
			}
		})
	}
	for i := range 50 {
		f.set(func() { f.value = fmt.Sprint("value-", i) })
		if err := k.Rotate(ctx); err != nil {
			t.Error(err)
		}
	}
	cancel()
	users.Wait()
}

func TestKeeperCallerGivesUp(t *testing.T) {
	k, f, _ := newKeeper(t, KeeperOptions{})
	f.gate = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.Use(ctx, func([]byte) { t.Error("lent") }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(f.gate)
	want(t, k, "first")
}

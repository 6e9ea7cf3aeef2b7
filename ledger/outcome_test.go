package ledger

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// later records an outcome that nobody waits for, and returns when it has its place.
func later(t *testing.T, l *Log, of uint64) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := l.Append(context.Background(), outcome(of))
		done <- err
	}()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		_, open := l.intents[of]
		l.mu.Unlock()
		if !open {
			return done
		}
		if time.Now().After(end) {
			t.Fatal("the outcome has no place")
		}
	}
}

// An outcome shares the next intent's sync, and has none of its own.
func TestOutcomeSharesASync(t *testing.T) {
	counted := &counting{layer: system{}}
	o := quiet(counted)
	o.SegmentBytes, o.lag = defaultSegment, time.Hour
	l := open(t, filepath.Join(t.TempDir(), "ledger"), o)
	seq := add(t, l, intent(0))
	before := counted.writes
	done := later(t, l, seq)
	add(t, l, intent(1))
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := counted.writes - before; n != 1 {
		t.Errorf("an outcome and the intent after it took %d writes", n)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// Where no intent comes, an outcome is recorded by itself, and by Close at the latest.
func TestOutcomeAlone(t *testing.T) {
	for name, lag := range map[string]time.Duration{"after a while": time.Millisecond, "at the end": time.Hour} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "ledger")
			o := quiet(nil)
			o.lag = lag
			l := open(t, dir, o)
			done := later(t, l, add(t, l, intent(0)))
			if lag == time.Hour {
				go l.Close()
			}
			select {
			case err := <-done:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(time.Minute):
				t.Fatal("the outcome is not recorded")
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if r := intact(t, dir, VerifyOptions{Key: l.VerifierKey()}); len(r.Notes) != 0 {
				t.Error(r.Notes)
			}
		})
	}
}

// What is posted gets its place at once, and is written without anybody who waits.
func TestPost(t *testing.T) {
	d := newDisk()
	l := open(t, onDisk, quiet(d))
	denied := Entry{Kind: Denied, Sandbox: "box", Reason: "first"}
	if err := l.Post(denied); err != nil {
		t.Fatal(err)
	}
	first := l.next - 1
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		written := l.durable.n > first
		l.mu.Unlock()
		if written {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it is not written")
		}
	}
	in := add(t, l, intent(1))
	if in != first+1 {
		t.Errorf("the intent is record %d, and the one before it %d", in, first)
	}
	if err := l.Post(outcome(in)); err != nil {
		t.Error(err)
	}
	if err := l.Post(outcome(in)); !errors.Is(err, ErrEntry) {
		t.Errorf("a second outcome: %v", err)
	}
	if err := l.Post(Entry{Kind: "nothing"}); !errors.Is(err, ErrEntry) {
		t.Errorf("no kind: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Post(denied); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	intact(t, onDisk, VerifyOptions{Key: l.VerifierKey(), layer: d})
}

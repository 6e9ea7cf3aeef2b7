package ledger

import (
	"context"
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

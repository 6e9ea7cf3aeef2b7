package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/tightship-dev/tightship/report"
)

func subjects(n int) []Subject {
	var all []Subject
	for i := range n {
		all = append(all, Subject{Container: fmt.Sprint(i)})
	}
	return all
}

// Results come in the order of the subjects, however they finish, and no more
// than the given number run at once.
func TestEachKeepsOrderAndBound(t *testing.T) {
	const n, parallel = 30, 3
	var running, most atomic.Int32
	release := make(chan struct{}, n)
	for range n {
		release <- struct{}{}
	}
	var got []string
	Each(t.Context(), subjects(n), parallel, func(_ context.Context, s Subject) (report.Result, error) {
		most.Store(max(most.Load(), running.Add(1)))
		<-release
		running.Add(-1)
		if s.Container == "7" {
			return report.Result{}, errors.New("gone")
		}
		return report.Result{RunID: s.Container}, nil
	}, func(s Subject, r report.Result, err error) {
		if (err != nil) != (s.Container == "7") || err == nil && r.RunID != s.Container {
			t.Errorf("%v: %v, %v", s, r.RunID, err)
		}
		got = append(got, s.Container)
	})
	if len(got) != n || !slices.IsSortedFunc(got, func(a, b string) int { return len(a) - len(b) }) || got[0] != "0" || got[n-1] != "29" {
		t.Errorf("order %v", got)
	}
	if most.Load() > parallel {
		t.Errorf("%d at once", most.Load())
	}
}

// Once ctx has ended nothing more is started, and every subject still gets its
// answer.
func TestEachStops(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	started, answered := 0, 0
	Each(ctx, subjects(5), 1, func(context.Context, Subject) (report.Result, error) {
		started++
		cancel(why)
		return report.Result{}, nil
	}, func(_ Subject, _ report.Result, err error) {
		answered++
		if answered > 1 && !errors.Is(err, why) {
			t.Errorf("answer %d: %v", answered, err)
		}
	})
	if started != 1 || answered != 5 {
		t.Errorf("%d started, %d answered", started, answered)
	}
}

package verify

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tightship-dev/tightship/report"
)

// creations counts the twins that an engine made.
func (c *copier) creations() int {
	n := 0
	c.locked(func() {
		for name := range c.specs {
			if strings.HasSuffix(name, "-main") {
				n++
			}
		}
	})
	return n
}

// Containers with the same settings share their twins, each with a report of
// its own; with other settings, or measured apart, they do not.
func TestTwinsAreShared(t *testing.T) {
	for _, row := range []struct {
		name   string
		edit   func(o *Options, i int)
		shared bool
	}{
		{"alike", func(*Options, int) {}, true},
		{"other checks", func(o *Options, i int) { o.Only = [][]string{{"user.*"}, {"fs.*"}, {"caps.*"}, {"net.*"}}[i] }, false},
		{"not asked for", func(o *Options, _ int) { o.Twins = nil }, false},
		{"full scale", func(o *Options, i int) { o.FullScale = i%2 == 0 }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newCopier(t)
			shared := &Twins{}
			var group sync.WaitGroup
			results := make([]report.Result, 4)
			for i := range results {
				group.Go(func() {
					o := c.options()
					o.Twins = shared
					row.edit(&o, i)
					r, err := Container(t.Context(), c, "theirs", o)
					if err != nil {
						t.Error(err)
					}
					results[i] = r
				})
			}
			group.Wait()
			if n := c.creations(); (n == 1) != row.shared {
				t.Errorf("%d sets of twins", n)
			}
			for _, r := range results {
				if r.Summary.Fail > 0 || r.Summary.Pass == 0 {
					t.Errorf("%+v", r.Summary)
				}
			}
			if left := c.left(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// A container with other settings gets twins of its own.
func TestTwinsOfOtherSettings(t *testing.T) {
	c := newCopier(t)
	o := c.options()
	o.Twins = &Twins{}
	for range 2 {
		c.theirs.Declared.PIDs++
		c.theirs.Record = append(slices.Clone(c.theirs.Record), ' ')
		if _, err := Container(t.Context(), c, "theirs", o); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.creations(); n != 2 {
		t.Errorf("%d sets of twins", n)
	}
}

// Who waits for a measurement that comes to nothing makes it himself, and who
// is interrupted while he waits goes.
func TestTwinsAfterAFailure(t *testing.T) {
	twins := &Twins{}
	s, first := twins.claim("k")
	if !first {
		t.Fatal("not the first")
	}
	c := newCopier(t)
	r, err := prepare(t.Context(), c, "theirs", c.options())
	if err != nil {
		t.Fatal(err)
	}
	defer r.lock.release(false)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	key, err := r.key()
	if err != nil || key == "" {
		t.Fatalf("key %q: %v", key, err)
	}
	r.opts.Twins = &Twins{}
	r.opts.Twins.claim(key)
	if err := r.measured(ctx); !errors.Is(err, why) {
		t.Errorf("waited on: %v", err)
	}
	twins.settle(s, nil)
	if _, first := twins.claim("k"); !first {
		t.Error("nobody measures after the failure")
	}
	for i := range 3 * shotsKept {
		twins.claim(strings.Repeat("x", i))
	}
	if len(twins.shots) > shotsKept {
		t.Errorf("%d are kept", len(twins.shots))
	}
}

package verify

import (
	"context"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/report"
)

// Subject is what one verification is about: an image by its reference, or a
// container by its name or ID.
type Subject struct{ Image, Container string }

// String names it for messages.
func (s Subject) String() string {
	if s.Container != "" {
		return "container " + s.Container
	}
	return "image " + s.Image
}

// One verifies a subject. An image is verified under the policy in o, a
// container under it or, where o has none, under one derived from it.
func One(ctx context.Context, eng engine.Engine, s Subject, o Options) (report.Result, error) {
	if s.Container != "" {
		return Container(ctx, eng, s.Container, o)
	}
	p := *o.Policy
	p.Image = s.Image
	o.Policy = &p
	return Image(ctx, eng, o)
}

// Each runs one for every subject, at most parallel of them at once, and hands
// what came of each to done: one call at a time, in the order of the subjects,
// as soon as it and those before it are there. It starts none once ctx has
// ended, and returns when all that were started are done.
func Each(ctx context.Context, subjects []Subject, parallel int,
	one func(context.Context, Subject) (report.Result, error), done func(Subject, report.Result, error)) {
	type outcome struct {
		result report.Result
		err    error
	}
	slots := make(chan struct{}, max(parallel, 1))
	waiting := make([]chan outcome, len(subjects))
	for i := range subjects {
		waiting[i] = make(chan outcome, 1)
	}
	go func() {
		for i, s := range subjects {
			slots <- struct{}{}
			if ctx.Err() != nil {
				waiting[i] <- outcome{err: context.Cause(ctx)}
				<-slots
				continue
			}
			go func() {
				r, err := one(ctx, s)
				waiting[i] <- outcome{r, err}
				<-slots
			}()
		}
	}()
	for i, s := range subjects {
		o := <-waiting[i]
		done(s, o.result, o.err)
	}
}

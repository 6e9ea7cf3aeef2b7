package mutate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/spec"
)

// ErrNotDemonstrable says that a weakening cannot be expressed on this engine.
var ErrNotDemonstrable = errors.New("not demonstrable here")

// Where what a mutation found or made on the host is mounted: the socket in
// Docker's own place.
const (
	SocketTarget = "/run/docker.sock"
	SharedTarget = "/mnt/shared"
	DirTarget    = "/mnt/home"
)

// cleanTime bounds the removal of what a mutation needed.
const cleanTime = time.Minute

// Readied is a mutation that can be launched, with what it needs outside the
// container's settings.
type Readied struct {
	Image  string // to launch in place of the one it was made ready for
	Weaken func(*spec.Container)
	// Undo removes what was made. It is never nil and may be called once.
	Undo func() error
}

// Ready makes what a mutation needs: a socket on this host, an image. The error
// wraps ErrNotDemonstrable where the engine cannot have it.
func (m Mutation) Ready(ctx context.Context, eng engine.Engine, image string, labels map[string]string) (Readied, error) {
	r := Readied{Image: image, Weaken: m.Apply, Undo: func() error { return nil }}
	if m.Image != nil {
		deriver, ok := eng.(engine.Deriver)
		if !ok {
			return r, fmt.Errorf("%w: this engine cannot derive an image from another one", ErrNotDemonstrable)
		}
		ref, err := deriver.Derive(ctx, image, *m.Image, labels)
		if errors.Is(err, engine.ErrNoDerive) {
			return r, fmt.Errorf("%w: %w", ErrNotDemonstrable, err)
		}
		if err != nil {
			return r, fmt.Errorf("deriving an image: %w", err)
		}
		r.Image = ref
		r.Undo = func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
			defer cancel()
			return deriver.RemoveImage(ctx, ref)
		}
	}
	if !m.Local && !m.Socket && !m.Abstract && !m.Dir && !m.Shared {
		return r, nil
	}
	source, stop, err := m.onHost(ctx, eng)
	undo, weaken := r.Undo, r.Weaken
	if err != nil {
		return r, errors.Join(err, undo())
	}
	r.Undo = func() error { return errors.Join(stop(), undo()) }
	r.Weaken = func(c *spec.Container) {
		weaken(c)
		for i, at := range c.Mounts {
			if source != "" && slices.Contains([]string{SocketTarget, SharedTarget, DirTarget}, at.Target) {
				c.Mounts[i].Source = source
			}
		}
	}
	return r, nil
}

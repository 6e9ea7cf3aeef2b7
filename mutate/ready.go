package mutate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/spec"
)

// ErrNotDemonstrable says that a weakening cannot be expressed on this engine.
var ErrNotDemonstrable = errors.New("not demonstrable here")

// SocketTarget is where a mutation's socket is mounted: Docker's own place.
const SocketTarget = "/run/docker.sock"

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
	if m.Local || m.Socket {
		info, err := eng.Info(ctx)
		if err == nil && !info.Local {
			err = fmt.Errorf("%w: the engine runs on another host", ErrNotDemonstrable)
		}
		if err != nil {
			return r, errors.Join(err, r.Undo())
		}
	}
	if m.Socket {
		path, stop, err := listen()
		undo, weaken := r.Undo, r.Weaken
		if err != nil {
			return r, errors.Join(err, undo())
		}
		r.Undo = func() error { return errors.Join(stop(), undo()) }
		r.Weaken = func(c *spec.Container) {
			weaken(c)
			c.Mounts = append(c.Mounts, spec.Mount{Kind: spec.Bind, Source: path, Target: SocketTarget})
		}
	}
	return r, nil
}

// listen is a socket that accepts whoever connects, and hangs up.
func listen() (path string, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "tightship-")
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(dir, "s") // sun_path holds 108 bytes
	l, err := net.Listen("unix", path)
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), os.Chmod(path, 0o666))
	}
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return path, func() error {
		err := l.Close()
		<-done
		return errors.Join(err, os.RemoveAll(dir))
	}, nil
}

package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
)

// Start starts a created container.
func (e *Engine) Start(ctx context.Context, id string) error {
	if err := checkName(id, engine.ErrNoContainer); err != nil {
		return err
	}
	return e.do(ctx, "start", engine.ErrNoContainer, func(ctx context.Context) error {
		_, err := e.cli.ContainerStart(ctx, id, client.ContainerStartOptions{})
		return err
	})
}

// Kill sends a signal to a container's first process.
func (e *Engine) Kill(ctx context.Context, id, signal string) error {
	if err := checkName(id, engine.ErrNoContainer); err != nil {
		return err
	}
	return e.do(ctx, "kill", engine.ErrNoContainer, func(ctx context.Context) error {
		_, err := e.cli.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: signal})
		return err
	})
}

// Wait blocks until the container is not running, as long as ctx allows. A
// container that was never started is not running.
func (e *Engine) Wait(ctx context.Context, id string) (int, error) {
	if err := checkName(id, engine.ErrNoContainer); err != nil {
		return 0, err
	}
	var code int64
	err := e.doUnbounded(ctx, "wait", engine.ErrNoContainer, func(ctx context.Context) error {
		w := e.cli.ContainerWait(ctx, id, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
		select {
		case r := <-w.Result:
			code = r.StatusCode
			if r.Error != nil && r.Error.Message != "" {
				return fmt.Errorf("%w: %s", errWait, text.OneLine(r.Error.Message))
			}
			return nil
		case err := <-w.Error:
			return err
		case <-ctx.Done():
			go func() { // the library's goroutine must not wait for us forever
				select {
				case <-w.Result:
				case <-w.Error:
				}
			}()
			return ctx.Err()
		}
	})
	if err == nil && (code < 0 || code > 255) {
		return 0, fmt.Errorf("docker: wait: %w: exit code %d", engine.ErrBadAnswer, code)
	}
	return int(code), err
}

// Remove removes a container by force with its anonymous volumes, and returns
// when it is gone.
func (e *Engine) Remove(ctx context.Context, id string) error {
	if err := checkName(id, engine.ErrNoContainer); err != nil {
		return err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.timeout)
		defer cancel()
	}
	err := e.do(ctx, "remove", nil, func(ctx context.Context) error {
		_, err := e.cli.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		return err
	})
	for statusOf(err) == http.StatusConflict {
		// Someone else is removing it: wait until that is done.
		var gone error
		if _, gone = e.Inspect(ctx, id); errors.Is(gone, engine.ErrNoContainer) {
			err = nil
			break
		} else if gone != nil {
			return gone
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", err, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
	if err != nil && statusOf(err) != http.StatusNotFound {
		return err
	}
	e.warnings.Delete(id)
	return nil
}

// CopyTo unpacks a tar stream at the container's "/". Owners stay as the stream
// has them. Volumes of the container are mounted while that happens, so that a
// path below one is written to the volume; Docker refuses a read-only root.
func (e *Engine) CopyTo(ctx context.Context, id string, tar io.Reader) error {
	if err := checkName(id, engine.ErrNoContainer); err != nil {
		return err
	}
	if e.podman {
		return e.podmanCopy(ctx, id, tar)
	}
	return e.unpack(ctx, id, "/", tar)
}

// unpack unpacks a tar stream at one place of a container.
func (e *Engine) unpack(ctx context.Context, id, dir string, tar io.Reader) error {
	source := &source{r: tar}
	return e.do(ctx, "copy", engine.ErrNoContainer, func(ctx context.Context) error {
		_, err := e.cli.CopyToContainer(ctx, id, client.CopyToContainerOptions{
			DestinationPath: dir, Content: source, AllowOverwriteDirWithFile: false, CopyUIDGID: false,
		})
		if own := source.failed(); err != nil && own != nil {
			return fmt.Errorf("%w: %w", errSource, own)
		}
		return err
	})
}

// source remembers that it was the reader that failed, not the engine. The
// transport reads it in a goroutine of its own.
type source struct {
	r   io.Reader
	mu  sync.Mutex
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
	return n, err
}

func (s *source) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

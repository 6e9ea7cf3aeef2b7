package docker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
	"github.com/tightship-dev/tightship/spec"
)

// removeTime bounds the removal of the container that Derive needs.
const removeTime = 30 * time.Second

// Derive commits a container that is never started. That needs no builder, no
// network and nothing in the image that could run, the engine keeps only what
// was added, and every engine that speaks the API has it. The container's
// environment, labels and user become the image's, so that nothing has to be
// quoted for a Dockerfile.
func (e *Engine) Derive(ctx context.Context, image string, change spec.ImageChange, labels map[string]string) (ref string, err error) {
	base, err := e.Image(ctx, image)
	if err != nil {
		return "", err
	}
	for _, f := range change.Files {
		for _, v := range base.Volumes {
			if f.Path == v || strings.HasPrefix(f.Path, path.Clean(v)+"/") {
				return "", fmt.Errorf("docker: derive: %w: the image has a volume at %s, and what is put there would be lost", engine.ErrNoDerive, text.OneLine(v))
			}
		}
	}
	layer, err := engine.Layer(change.Files)
	if err != nil {
		return "", fmt.Errorf("docker: derive: %w: %w", errInput, err)
	}
	all := maps.Clone(labels)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, change.Labels)
	all[engine.DerivedLabel] = base.ID
	// Its ID is known only when it is there: by its name it is found also after an
	// answer that never came.
	name := fmt.Sprintf("%s-%s-derive-%s", engine.Label, text.OneLine(labels[engine.Label]), strings.ToLower(rand.Text()[:8]))
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
		defer cancel()
		if rerr := e.Remove(ctx, name); rerr != nil {
			err = errors.Join(err, rerr)
		}
	}()
	id, err := e.Create(ctx, name, spec.Container{
		Image: base.ID, Cmd: []string{"tightship"}, Env: change.Env, Labels: all, User: change.User, Network: "none",
	})
	if err != nil {
		return "", err
	}
	if len(change.Files) > 0 {
		if err := e.CopyTo(ctx, id, layer); err != nil {
			return "", err
		}
	}
	err = e.do(ctx, "commit", engine.ErrNoContainer, func(ctx context.Context) error {
		// Podman wants a configuration to be sent, if an empty one.
		made, err := e.cli.ContainerCommit(ctx, id, client.ContainerCommitOptions{Comment: change.Comment, NoPause: true, Config: &container.Config{}})
		if err != nil {
			return err
		}
		ref = "sha256:" + strings.TrimPrefix(strings.TrimSpace(made.ID), "sha256:")
		return checkID(strings.TrimPrefix(ref, "sha256:"))
	})
	if err != nil || change.Comment == "" {
		return ref, err
	}
	// Podman drops it without a word (4.3).
	lines, err := e.history(ctx, ref)
	if err == nil && !slices.Contains(lines, change.Comment) {
		err = fmt.Errorf("docker: derive: %w: the engine keeps no comment in an image's history", engine.ErrNoDerive)
	}
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
		defer cancel()
		return "", errors.Join(err, e.RemoveImage(ctx, ref))
	}
	return ref, nil
}

// RemoveImage removes a derived image and leaves what it was made from, which
// may have no name either.
func (e *Engine) RemoveImage(ctx context.Context, ref string) error {
	img, err := e.Image(ctx, ref)
	if errors.Is(err, engine.ErrNoImage) {
		return nil
	}
	if err != nil {
		return err
	}
	if img.Labels[engine.DerivedLabel] == "" {
		return fmt.Errorf("docker: remove image: %w: %s was not made here", errInput, text.OneLine(ref))
	}
	err = e.do(ctx, "remove image", nil, func(ctx context.Context) error {
		_, err := e.cli.ImageRemove(ctx, img.ID, client.ImageRemoveOptions{PruneChildren: false})
		return err
	})
	if statusOf(err) == http.StatusNotFound {
		return nil
	}
	return err
}

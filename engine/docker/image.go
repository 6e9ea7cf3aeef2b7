package docker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
)

// Image looks up an image that the engine already has. It never pulls.
func (e *Engine) Image(ctx context.Context, ref string) (engine.Image, error) {
	if err := checkRef(ref); err != nil {
		return engine.Image{}, err
	}
	var img client.ImageInspectResult
	err := e.do(ctx, "image "+ref, engine.ErrNoImage, func(ctx context.Context) (err error) {
		img, err = e.cli.ImageInspect(ctx, ref)
		if err == nil && (img.ID == "" || img.Os == "" || img.Architecture == "") {
			err = fmt.Errorf("%w: no ID or no platform", engine.ErrBadAnswer)
		}
		return err
	})
	if err != nil {
		return engine.Image{}, err
	}
	history, err := e.history(ctx, ref)
	if err != nil {
		return engine.Image{}, err
	}
	out := engine.Image{ID: img.ID, Digest: img.ID, OS: img.Os, Arch: img.Architecture, History: history}
	if len(img.RepoDigests) > 0 {
		if _, digest, ok := strings.Cut(img.RepoDigests[0], "@"); ok {
			out.Digest = digest
		}
	}
	if c := img.Config; c != nil {
		out.Env, out.User, out.Labels = c.Env, c.User, c.Labels
		out.Volumes = slices.Sorted(maps.Keys(c.Volumes))
	}
	return out, nil
}

// history is what an image's layers say of how they were made.
func (e *Engine) history(ctx context.Context, ref string) (lines []string, err error) {
	err = e.do(ctx, "history of image "+ref, engine.ErrNoImage, func(ctx context.Context) error {
		h, err := e.cli.ImageHistory(ctx, ref)
		for _, item := range h.Items {
			for _, line := range []string{item.CreatedBy, item.Comment} {
				if line != "" {
					lines = append(lines, line)
				}
			}
		}
		return err
	})
	return lines, err
}

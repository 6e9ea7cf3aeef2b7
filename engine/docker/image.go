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
	out := engine.Image{ID: img.ID, Digest: img.ID, OS: img.Os, Arch: img.Architecture}
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

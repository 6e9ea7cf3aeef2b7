package docker

import (
	"archive/tar"
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
)

var _ engine.Copier = (*Engine)(nil)

// Containers lists the containers that are not ours.
func (e *Engine) Containers(ctx context.Context, labels []string) ([]engine.Reference, error) {
	filters := client.Filters{}
	for _, l := range labels {
		filters.Add("label", l)
	}
	var out []engine.Reference
	err := e.do(ctx, "list", nil, func(ctx context.Context) error {
		r, err := e.cli.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters})
		if err != nil {
			return err
		}
		for _, c := range r.Items {
			if err := checkID(c.ID); err != nil {
				return err
			}
			name := c.ID[:12]
			for _, n := range c.Names {
				// A link gives a container names below another's: /other/alias.
				if n = strings.TrimPrefix(n, "/"); nameRE.MatchString(n) {
					name = n
				}
			}
			if engine.Ours(name, c.Labels) {
				continue
			}
			out = append(out, engine.Reference{ID: c.ID, Name: name})
		}
		return nil
	})
	slices.SortFunc(out, func(a, b engine.Reference) int { return cmp.Compare(a.Name, b.Name) })
	return out, err
}

// maxRead bounds a file that ReadFile returns.
const maxRead = 1 << 20

// ReadFile reads a file of a container, which need not run.
func (e *Engine) ReadFile(ctx context.Context, id, path string) ([]byte, error) {
	if err := checkName(id, engine.ErrNoContainer); err != nil {
		return nil, err
	}
	var data []byte
	err := e.do(ctx, "read "+path, nil, func(ctx context.Context) error {
		r, err := e.cli.CopyFromContainer(ctx, id, client.CopyFromContainerOptions{SourcePath: path})
		if err != nil {
			return err
		}
		defer r.Content.Close()
		archive := tar.NewReader(r.Content)
		h, err := archive.Next()
		if err != nil {
			return fmt.Errorf("%w: %s comes in no archive: %w", engine.ErrBadAnswer, path, err)
		}
		if h.Typeflag != tar.TypeReg {
			return fmt.Errorf("%s is no regular file: %w", path, fs.ErrNotExist)
		}
		if data, err = io.ReadAll(io.LimitReader(archive, maxRead+1)); err == nil && len(data) > maxRead {
			err = fmt.Errorf("%w: %s is longer than %d bytes", engine.ErrBadAnswer, path, maxRead)
		}
		return err
	})
	if statusOf(err) == http.StatusNotFound {
		return nil, fmt.Errorf("docker: %s: %w", path, fs.ErrNotExist)
	}
	return data, err
}

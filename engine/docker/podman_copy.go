package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/tightship-dev/tightship/internal/text"
	"github.com/tightship-dev/tightship/spec"
)

// maxPodmanCopy is how much CopyTo holds in memory for Podman; a guest and its
// helpers are a few MiB.
const maxPodmanCopy = 64 << 20

// podmanCopy unpacks a tar stream volume by volume. Podman finds the volume that
// a request's own path leads into, but mounts none below it: what is unpacked at
// "/" for a volume would end in the container's layer, hidden by that volume.
func (e *Engine) podmanCopy(ctx context.Context, id string, content io.Reader) error {
	st, err := e.Inspect(ctx, id)
	if err != nil {
		return err
	}
	var volumes []string
	for _, m := range st.Declared.Mounts {
		if m.Kind == spec.Volume {
			volumes = append(volumes, path.Clean(m.Target))
		}
	}
	parts, err := splitTar(content, volumes)
	if err != nil {
		return fmt.Errorf("docker: copy: %w", err)
	}
	for _, p := range parts {
		if err := e.unpack(ctx, id, p.dir, &p.content); err != nil {
			return err
		}
	}
	return nil
}

// part is what of a tar stream goes below one directory.
type part struct {
	dir     string
	content bytes.Buffer
}

// splitTar sorts a tar stream's entries by the innermost of dirs that they lie
// in, "/" for those in none, with names relative to it. The order within each
// part stays.
func splitTar(content io.Reader, dirs []string) ([]*part, error) {
	var parts []*part
	var writers []*tar.Writer
	in := tar.NewReader(io.LimitReader(content, maxPodmanCopy+1))
	for left := int64(maxPodmanCopy); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errSource, err)
		}
		if left -= h.Size; left < 0 {
			return nil, fmt.Errorf("%w: more than %d bytes for Podman", errInput, maxPodmanCopy)
		}
		name := path.Join("/", h.Name)
		dir := "/"
		for _, d := range dirs {
			if (name == d || strings.HasPrefix(name, d+"/")) && len(d) > len(dir) {
				dir = d
			}
		}
		if h.Typeflag == tar.TypeLink {
			return nil, fmt.Errorf("%w: a hard link, %s, for Podman", errInput, text.OneLine(h.Name))
		}
		i := slices.IndexFunc(parts, func(p *part) bool { return p.dir == dir })
		if i < 0 {
			i = len(parts)
			parts = append(parts, &part{dir: dir})
			writers = append(writers, tar.NewWriter(&parts[i].content))
		}
		h.Name = "." + strings.TrimPrefix(name, strings.TrimSuffix(dir, "/"))
		if h.Typeflag == tar.TypeDir {
			h.Name += "/"
		}
		if err := writers[i].WriteHeader(h); err != nil {
			return nil, fmt.Errorf("%w: %w", errSource, err)
		}
		if _, err := io.Copy(writers[i], in); err != nil {
			return nil, fmt.Errorf("%w: %w", errSource, err)
		}
	}
	for _, w := range writers {
		if err := w.Close(); err != nil {
			return nil, fmt.Errorf("%w: %w", errSource, err)
		}
	}
	return parts, nil
}

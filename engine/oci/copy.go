//go:build linux

package oci

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
)

// copyBudget bounds what CopyTo accepts.
func copyBudget() *budget { return &budget{bytes: 4 << 30, entries: 100_000} }

// CopyTo unpacks a tar stream into the container's volumes, each entry into the
// one that is mounted above it. Anything else is an error: a container's root
// file system is not there before it runs.
//
// An ordinary user cannot give files away. What should be another's is then
// open to everybody, so that its owner in the container can use it.
func (e *Engine) CopyTo(ctx context.Context, id string, r io.Reader) error {
	rec, err := e.store.find(id)
	if err != nil {
		return err
	}
	var bundle specs.Spec
	if err := readJSON(filepath.Join(e.store.container(rec.ID), "config.json"), &bundle); err != nil {
		return fmt.Errorf("oci: copy: %w", err)
	}
	open := map[string]*unpacker{}
	defer func() {
		for _, u := range open {
			u.close()
		}
	}()
	left := copyBudget()
	t := tar.NewReader(reader{ctx, r})
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("oci: copy: reading the archive: %w", err)
		}
		data, rest := e.volumeOf(bundle.Mounts, path.Clean("/"+h.Name))
		if data == "" {
			return fmt.Errorf("oci: copy: %w: %s is in no volume of the container", ErrInput, text.OneLine(h.Name))
		}
		u := open[data]
		if u == nil {
			root, err := os.OpenRoot(data)
			if err != nil {
				return fmt.Errorf("oci: copy: %w", err)
			}
			u = &unpacker{root: root, left: left, owners: e.root}
			open[data] = u
		}
		// The names above count: the header's is relative to the volume from here.
		h.Name = rest
		if !e.root && (h.Uid != 0 || h.Gid != 0) {
			h.Mode |= h.Mode >> 6 & 7
		}
		if err := u.entry(h, t); err != nil {
			return fmt.Errorf("oci: copy: %w", err)
		}
	}
}

// volumeOf finds the volume whose mount point is the nearest above name, as a
// directory here and the rest of the name.
func (e *Engine) volumeOf(mounts []specs.Mount, name string) (data, rest string) {
	at := ""
	for _, m := range mounts {
		target := path.Clean(m.Destination)
		inside := name == target || strings.HasPrefix(name, strings.TrimSuffix(target, "/")+"/")
		if !inside || len(target) < len(at) {
			continue
		}
		// A mount that hides the volume is no place to copy to.
		at, data = target, ""
		if e.store.isVolume(m.Source) {
			data, rest = m.Source, "/"+strings.TrimPrefix(name, target)
		}
	}
	return data, rest
}

// isVolume says whether a bind mount's source is the content of a volume.
func (s store) isVolume(source string) bool {
	dir, base := filepath.Split(source)
	return base == "data" && filepath.Dir(filepath.Clean(dir)) == filepath.Join(s.dir, "volumes")
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// CreateVolume makes an empty volume, or finds the one of that name.
func (e *Engine) CreateVolume(ctx context.Context, name string, labels map[string]string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("oci: create volume: %w: the name %q", ErrInput, text.OneLine(name))
	}
	g, err := e.store.stage()
	if err != nil {
		return fmt.Errorf("oci: create volume: %w", err)
	}
	if err := errors.Join(
		os.Mkdir(filepath.Join(g.path, "data"), 0o755),
		writeJSON(filepath.Join(g.path, "volume.json"), volumeInfo{labels}),
	); err != nil {
		g.discard()
		return fmt.Errorf("oci: create volume: %w", err)
	}
	if err := g.publish(e.store.volume(name)); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("oci: create volume: %w", err)
	}
	return nil
}

// RemoveVolume removes a volume; one that is not there is no error. One that a
// container mounts stays.
func (e *Engine) RemoveVolume(ctx context.Context, name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("oci: remove volume: %w: the name %q", ErrInput, text.OneLine(name))
	}
	all, err := e.List(ctx, "")
	if err != nil {
		return err
	}
	data := e.store.volumeData(name)
	for _, r := range all {
		if r.Kind != "container" {
			continue
		}
		var bundle specs.Spec
		if readJSON(filepath.Join(e.store.container(r.ID), "config.json"), &bundle) != nil {
			continue
		}
		for _, m := range bundle.Mounts {
			if m.Source == data {
				return fmt.Errorf("oci: remove volume: %s is in use by container %s", name, text.OneLine(r.Name))
			}
		}
	}
	if err := e.store.drop(e.store.volume(name)); err != nil {
		return fmt.Errorf("oci: remove volume: %w", err)
	}
	return nil
}

// List returns the containers and volumes under our label, containers first.
func (e *Engine) List(ctx context.Context, runID string) ([]engine.Resource, error) {
	var out []engine.Resource
	add := func(kind, id, name string, labels map[string]string) {
		if run, ours := labels[engine.Label]; ours && (runID == "" || run == runID) {
			out = append(out, engine.Resource{Kind: kind, ID: id, Name: name, RunID: run})
		}
	}
	containers, err := os.ReadDir(filepath.Join(e.store.dir, "containers"))
	if err != nil {
		return nil, fmt.Errorf("oci: list: %w", err)
	}
	for _, c := range containers {
		r, err := e.store.find(c.Name())
		if errors.Is(err, engine.ErrNoContainer) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		add("container", r.ID, r.Name, r.Labels)
	}
	volumes, err := os.ReadDir(filepath.Join(e.store.dir, "volumes"))
	if err != nil {
		return nil, fmt.Errorf("oci: list: %w", err)
	}
	for _, v := range volumes {
		var info volumeInfo
		err := readJSON(e.store.volumeRecord(v.Name()), &info)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("oci: list: volume %s: %w: %w", v.Name(), engine.ErrBadAnswer, err)
		}
		add("volume", v.Name(), v.Name(), info.Labels)
	}
	return out, e.derived(add)
}

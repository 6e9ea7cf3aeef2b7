//go:build linux

package oci

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
)

// maxManifest bounds what is read of an image before its layers.
const maxManifest = 4 << 20

// splitRef takes PATH:REF apart. A path that is there may have colons itself.
func splitRef(rest string) (path, ref string) {
	if _, err := os.Lstat(rest); err == nil {
		return rest, ""
	}
	for i := len(rest) - 1; i > 0; i-- {
		if rest[i] != ':' {
			continue
		}
		if _, err := os.Lstat(rest[:i]); err == nil {
			return rest[:i], rest[i+1:]
		}
	}
	return rest, ""
}

// openArchive opens an image in what `docker save` writes.
func openArchive(rest string) (source, error) {
	path, ref := splitRef(rest)
	if err := regular(path, -1); err != nil {
		return source{}, err
	}
	sizes, err := tarSizes(path)
	if err != nil {
		return source{}, err
	}
	if n := sizes["manifest.json"]; n == 0 || n > maxManifest {
		return source{}, hinted{fmt.Errorf("%w: %s is no archive of `docker save`", engine.ErrNoImage, path), "docker save IMAGE -o " + path}
	}
	open := func() (io.ReadCloser, error) { return os.Open(path) }
	manifest, err := tarball.LoadManifest(open)
	if err != nil {
		return source{}, fmt.Errorf("%w: %s: manifest.json: %w", engine.ErrNoImage, path, err)
	}
	var tags []string
	for _, m := range manifest {
		if sizes[m.Config] > maxManifest {
			return source{}, fmt.Errorf("%w: %s: a configuration of %d bytes", errHostile, path, sizes[m.Config])
		}
		tags = append(tags, m.RepoTags...)
	}
	var tag *name.Tag
	switch {
	case ref != "":
		t, err := name.NewTag(ref)
		if err != nil {
			return source{}, fmt.Errorf("%w: %w", engine.ErrNoImage, err)
		}
		tag = &t
	case len(manifest) != 1:
		return source{}, hinted{fmt.Errorf("%w: %s holds %d images", engine.ErrNoImage, path, len(manifest)),
			fmt.Sprintf("name one: docker-archive:%s:REF, of %s", path, text.OneLine(strings.Join(tags, ", ")))}
	}
	img, err := tarball.Image(open, tag)
	if err != nil {
		return source{}, hinted{fmt.Errorf("%w: %s: %s", engine.ErrNoImage, path, text.OneLine(err.Error())), "it holds " + text.OneLine(strings.Join(tags, ", "))}
	}
	return source{image: img}, nil
}

// tarSizes lists an archive's files.
func tarSizes(path string) (map[string]int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	whole, err := f.Stat()
	if err != nil {
		return nil, err
	}
	sizes := map[string]int64{}
	t := tar.NewReader(f)
	for range 100_000 {
		h, err := t.Next()
		if err == io.EOF {
			return sizes, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s is no tar archive: %w", engine.ErrNoImage, path, err)
		}
		// A sparse file could be read for ever.
		if h.Size > whole.Size() {
			return nil, fmt.Errorf("%w: %s: an entry that is larger than the archive", errHostile, path)
		}
		// Of two with one name the larger counts, whichever is read.
		sizes[h.Name] = max(sizes[h.Name], h.Size)
	}
	return nil, fmt.Errorf("%w: %s has too many entries", errHostile, path)
}

// openLayout opens an image in an OCI layout (image-spec, image-layout.md).
func openLayout(rest string) (source, error) {
	dir, tag := splitRef(rest)
	if err := regular(filepath.Join(dir, "index.json"), maxManifest); err != nil {
		return source{}, err
	}
	path, err := layout.FromPath(dir)
	if err != nil {
		return source{}, fmt.Errorf("%w: %s: %w", engine.ErrNoImage, dir, err)
	}
	index, err := path.ImageIndex()
	if err != nil {
		return source{}, fmt.Errorf("%w: %s: %w", engine.ErrNoImage, dir, err)
	}
	d, err := choose(dir, index, tag, 0)
	if err != nil {
		return source{}, err
	}
	raw, err := blob(dir, d.Digest)
	if err != nil {
		return source{}, err
	}
	manifest, err := v1.ParseManifest(strings.NewReader(string(raw)))
	if err != nil {
		return source{}, fmt.Errorf("%w: %s: its manifest: %w", engine.ErrNoImage, dir, err)
	}
	if _, err := blob(dir, manifest.Config.Digest); err != nil {
		return source{}, err
	}
	for _, l := range manifest.Layers {
		if err := regular(blobPath(dir, l.Digest), -1); err != nil {
			return source{}, err
		}
	}
	img, err := path.Image(d.Digest)
	if err != nil {
		return source{}, fmt.Errorf("%w: %s: %w", engine.ErrNoImage, dir, err)
	}
	return source{img, d.Digest.String()}, nil
}

// refName is the annotation that names an image in a layout.
const refName = "org.opencontainers.image.ref.name"

// choose picks the manifest for this machine, by tag where there is one. An
// index may lead to another.
func choose(dir string, index v1.ImageIndex, tag string, depth int) (v1.Descriptor, error) {
	m, err := index.IndexManifest()
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("%w: %s: index.json: %w", engine.ErrNoImage, dir, err)
	}
	var fit []v1.Descriptor
	var names []string
	for _, d := range m.Manifests {
		n := d.Annotations[refName]
		if n != "" {
			names = append(names, n)
		}
		if tag != "" && n != tag {
			continue
		}
		if p := d.Platform; p != nil && (p.OS != "linux" || p.Architecture != goruntime.GOARCH) {
			continue
		}
		fit = append(fit, d)
	}
	if len(fit) != 1 {
		return v1.Descriptor{}, hinted{fmt.Errorf("%w: %s has %d images for linux/%s", engine.ErrNoImage, dir, len(fit), goruntime.GOARCH),
			fmt.Sprintf("name one: oci:%s:TAG, of [%s]", dir, text.OneLine(strings.Join(names, ", ")))}
	}
	if _, err := blob(dir, fit[0].Digest); err != nil {
		return v1.Descriptor{}, err
	}
	if !fit[0].MediaType.IsIndex() {
		return fit[0], nil
	}
	if depth > 3 {
		return v1.Descriptor{}, fmt.Errorf("%w: %s: an index in an index in an index", errHostile, dir)
	}
	inner, err := index.ImageIndex(fit[0].Digest)
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("%w: %s: %w", engine.ErrNoImage, dir, err)
	}
	return choose(dir, inner, "", depth+1)
}

func blobPath(dir string, h v1.Hash) string { return filepath.Join(dir, "blobs", h.Algorithm, h.Hex) }

// blob reads a small blob and holds it against its digest.
func blob(dir string, h v1.Hash) ([]byte, error) {
	path := blobPath(dir, h)
	if err := regular(path, maxManifest); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); h.Algorithm != "sha256" || hex.EncodeToString(sum[:]) != h.Hex {
		return nil, fmt.Errorf("%w: %s does not have the digest in its name", errHostile, path)
	}
	return data, nil
}

// regular refuses what is no ordinary file, which reading might never end, or
// one that is larger than most; -1 is any size.
func regular(path string, most int64) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: %s is no ordinary file", engine.ErrNoImage, path)
	case most >= 0 && info.Size() > most:
		return fmt.Errorf("%w: %s has %d bytes", errHostile, path, info.Size())
	}
	return nil
}

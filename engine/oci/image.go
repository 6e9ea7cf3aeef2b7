//go:build linux

package oci

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
)

// rootImage is an image that is ready to run from.
type rootImage struct {
	id, digest string
	os, arch   string
	config     v1.Config
	rootfs     string // directory on this machine
	mounts     []specs.Mount
	notes      []string // lines for State.Other
	history    []string // as engine.Image.History
}

// imageInfo is what we remember of an unpacked image.
type imageInfo struct {
	ID, Digest, OS, Arch string
	Config               v1.Config
	History              []string
	Notes                []string
}

// Image unpacks an image, unless that was done before, and describes it.
func (e *Engine) Image(ctx context.Context, ref string) (engine.Image, error) {
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	img, err := e.resolve(ctx, ref)
	if err != nil {
		return engine.Image{}, fmt.Errorf("oci: image: %w", err)
	}
	out := engine.Image{
		ID: img.id, Digest: img.digest, OS: img.os, Arch: img.arch,
		Env: img.config.Env, User: img.config.User, Labels: img.config.Labels,
		History: img.history,
	}
	for v := range img.config.Volumes {
		out.Volumes = append(out.Volumes, v)
	}
	slices.Sort(out.Volumes)
	return out, nil
}

// resolve finds the image that a reference or an image's ID means.
func (e *Engine) resolve(ctx context.Context, ref string) (*rootImage, error) {
	kind, rest, _ := strings.Cut(ref, ":")
	switch {
	case ref == HostRootfs:
		return e.hostImage()
	case kind == "dir":
		return dirImage(rest)
	case kind == "oci":
		return e.unpacked(ctx, ref, func() (source, error) { return openLayout(rest) })
	case kind == "docker-archive":
		return e.unpacked(ctx, ref, func() (source, error) { return openArchive(rest) })
	case kind == "sha256" && validID.MatchString(rest):
		img, err := e.cached(rest)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %s", engine.ErrNoImage, ref)
		}
		return img, err
	}
	return nil, hinted{fmt.Errorf("%w: %q", engine.ErrNoImage, text.OneLine(ref)),
		"without a daemon an image is dir:PATH, oci:PATH[:TAG] or docker-archive:PATH[:REF] (`docker save`), or --rootfs host"}
}

// noFile puts a missing file in the words of a missing image.
func noFile(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return hinted{fmt.Errorf("%w: %w", engine.ErrNoImage, err), "check the path"}
	}
	return err
}

// dirImage is a directory that holds a whole root file system. It is never
// written to.
func dirImage(dir string) (*rootImage, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, noFile(err)
	}
	if info, err := os.Stat(dir); err != nil {
		return nil, noFile(err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%w: %s is no directory", engine.ErrNoImage, dir)
	}
	if dir == "/" {
		return nil, hinted{fmt.Errorf("%w: this machine's own root would be shown whole, with every home and secret", engine.ErrNoImage),
			"--rootfs host makes one of the system folders only"}
	}
	id := "dir:" + dir
	return &rootImage{id: id, digest: id, os: "linux", arch: goruntime.GOARCH, rootfs: dir}, nil
}

// source is an image in some archive.
type source struct {
	image  v1.Image
	digest string // the manifest's, "" where the format has none
}

// unpacked returns the image of a source, from the cache where it is there.
func (e *Engine) unpacked(ctx context.Context, ref string, open func() (source, error)) (*rootImage, error) {
	src, err := open()
	if err != nil {
		return nil, noFile(err)
	}
	raw, err := src.image.RawConfigFile()
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", engine.ErrNoImage, ref, err)
	}
	sum := sha256.Sum256(raw)
	digest := hex.EncodeToString(sum[:])
	img, err := e.cached(digest)
	if errors.Is(err, fs.ErrNotExist) {
		if err = e.unpackImage(ctx, src, digest); err == nil || errors.Is(err, fs.ErrExist) {
			img, err = e.cached(digest)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	if src.digest != "" {
		img.digest = src.digest
	}
	config, err := src.image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: its configuration: %w", ref, engine.ErrNoImage, err)
	}
	img.history = history(config) // an image that an older version unpacked has none beside it
	return img, nil
}

func (e *Engine) cached(digest string) (*rootImage, error) {
	var info imageInfo
	if err := readJSON(filepath.Join(e.store.image(digest), "image.json"), &info); err != nil {
		return nil, err
	}
	return &rootImage{
		id: info.ID, digest: info.Digest, os: info.OS, arch: info.Arch, config: info.Config, notes: info.Notes, history: info.History,
		rootfs: filepath.Join(e.store.image(digest), "rootfs"),
	}, nil
}

// history is what the configuration says of how the layers were made.
func history(config *v1.ConfigFile) []string {
	var lines []string
	for _, h := range config.History {
		for _, line := range []string{h.CreatedBy, h.Comment} {
			if line != "" {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// maxLayers is what Docker allows, about.
const maxLayers = 127

// unpackImage flattens an image's layers into the cache. Every layer must have
// the digest that the configuration names.
func (e *Engine) unpackImage(ctx context.Context, src source, digest string) error {
	config, err := src.image.ConfigFile()
	if err != nil {
		return fmt.Errorf("%w: its configuration: %w", engine.ErrNoImage, err)
	}
	layers, err := src.image.Layers()
	if err != nil {
		return fmt.Errorf("%w: its layers: %w", engine.ErrNoImage, err)
	}
	if len(layers) > maxLayers || len(layers) != len(config.RootFS.DiffIDs) {
		return fmt.Errorf("%w: %d layers where its configuration names %d", errHostile, len(layers), len(config.RootFS.DiffIDs))
	}
	g, err := e.store.stage()
	if err != nil {
		return err
	}
	info := imageInfo{ID: "sha256:" + digest, Digest: "sha256:" + digest, OS: config.OS, Arch: config.Architecture, Config: config.Config, History: history(config)}
	if info.Notes, err = e.flatten(ctx, layers, config.RootFS.DiffIDs, filepath.Join(g.path, "rootfs")); err == nil {
		for v := range config.Config.Volumes {
			info.Notes = append(info.Notes, "image-volume-not-made="+text.OneLine(v))
		}
		slices.Sort(info.Notes)
		err = writeJSON(filepath.Join(g.path, "image.json"), info)
	}
	if err != nil {
		g.discard()
		if errors.Is(err, unix.ENOSPC) {
			err = hinted{err, "free some space at " + e.store.dir + "; nothing of the image was kept"}
		}
		return err
	}
	return g.publish(e.store.image(digest))
}

func (e *Engine) flatten(ctx context.Context, layers []v1.Layer, diffs []v1.Hash, dir string) (notes []string, err error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	u := &unpacker{root: root, left: imageBudget(), owners: e.root, layer: true}
	defer u.close()
	for i, layer := range layers {
		if err := unpackLayer(ctx, u, layer, diffs[i]); err != nil {
			return nil, fmt.Errorf("layer %d of %d: %w", i+1, len(layers), err)
		}
	}
	for what, n := range u.skipped {
		notes = append(notes, fmt.Sprintf("image-left-out=%d %s", n, what))
	}
	if !e.root {
		notes = append(notes, "image-owners=not kept: an ordinary user cannot give files away")
	}
	return notes, nil
}

// maxTrailer bounds what may follow the end of a layer's archive: padding.
const maxTrailer = 1 << 20

func unpackLayer(ctx context.Context, u *unpacker, layer v1.Layer, diff v1.Hash) error {
	stream, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	defer stream.Close()
	sum := sha256.New()
	r := io.TeeReader(reader{ctx, stream}, sum)
	if err := u.unpack(r); err != nil {
		return err
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(r, maxTrailer+1)); err != nil {
		return err
	} else if n > maxTrailer {
		return fmt.Errorf("%w: there is something after its end", errHostile)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); diff.Algorithm != "sha256" || got != diff.Hex {
		return fmt.Errorf("%w: its digest is sha256:%s, and the image names %s", errHostile, got, text.OneLine(diff.String()))
	}
	return nil
}

// has says whether the image has a file of that name.
func (img *rootImage) has(name string) bool {
	root, err := os.OpenRoot(img.rootfs)
	if err != nil {
		return false
	}
	defer root.Close()
	_, err = root.Stat(strings.TrimPrefix(name, "/"))
	return err == nil
}

// etc reads a file of the image's /etc, "" where it has none that can be read.
func (img *rootImage) etc(name string) string {
	root, err := os.OpenRoot(img.rootfs)
	if err != nil {
		return ""
	}
	defer root.Close()
	// Nonblocking: an image may have put a FIFO there.
	f, err := root.OpenFile(filepath.Join("etc", name), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	data, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return ""
	}
	return string(data)
}

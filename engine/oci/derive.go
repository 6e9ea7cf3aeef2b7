//go:build linux

package oci

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
	"github.com/tightship-dev/tightship/spec"
)

// Derive unpacks the change over a tree of hard links to the image's files: an
// image that was unpacked is never written to, so that both can have them, and
// a file that the change replaces is made anew. The store keeps no layers that
// one could be appended to.
func (e *Engine) Derive(ctx context.Context, image string, change spec.ImageChange, labels map[string]string) (string, error) {
	ctx, cancel := e.bounded(ctx)
	defer cancel()
	base, err := e.resolve(ctx, image)
	if err != nil {
		return "", fmt.Errorf("oci: derive: %w", err)
	}
	if !strings.HasPrefix(base.id, "sha256:") {
		return "", fmt.Errorf("oci: derive: %w: %s is a directory of this machine's, of which no copy is made", engine.ErrNoDerive, text.OneLine(base.id))
	}
	layer, err := engine.Layer(change.Files)
	if err != nil {
		return "", fmt.Errorf("oci: derive: %w: %w", ErrInput, err)
	}
	content, err := io.ReadAll(layer)
	if err != nil {
		return "", err
	}
	info := imageInfo{OS: base.os, Arch: base.arch, Config: changed(base, change, labels), History: slices.Clone(base.history), Notes: base.notes}
	if change.Comment != "" {
		info.History = append(info.History, change.Comment)
	}
	sum := sha256.New()
	if err := json.NewEncoder(sum).Encode(info); err != nil {
		return "", err
	}
	sum.Write(content)
	digest := hex.EncodeToString(sum.Sum(nil))
	info.ID, info.Digest = "sha256:"+digest, "sha256:"+digest
	if err := e.publishDerived(ctx, base, info, digest, content); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("oci: derive: %w", err)
	}
	return info.ID, nil
}

// changed is the image's configuration with the change.
func changed(base *rootImage, change spec.ImageChange, labels map[string]string) v1.Config {
	c := base.config
	c.Env = slices.Clone(c.Env)
	for _, kv := range change.Env {
		name, _, _ := strings.Cut(kv, "=")
		c.Env = append(slices.DeleteFunc(c.Env, func(old string) bool { return strings.HasPrefix(old, name+"=") }), kv)
	}
	all := map[string]string{}
	for _, m := range []map[string]string{c.Labels, labels, change.Labels, {engine.DerivedLabel: base.id}} {
		maps.Copy(all, m)
	}
	c.Labels, c.Cmd, c.Entrypoint = all, nil, nil
	if change.User != "" {
		c.User = change.User
	}
	return c
}

func (e *Engine) publishDerived(ctx context.Context, base *rootImage, info imageInfo, digest string, content []byte) error {
	g, err := e.store.stage()
	if err != nil {
		return err
	}
	rootfs := filepath.Join(g.path, "rootfs")
	err = linkTree(ctx, base.rootfs, rootfs, e.root)
	if err == nil {
		err = e.lay(rootfs, content)
	}
	if err == nil {
		err = writeJSON(filepath.Join(g.path, "image.json"), info)
	}
	if err != nil {
		g.discard()
		return err
	}
	return g.publish(e.store.image(digest))
}

// lay unpacks a layer of ours.
func (e *Engine) lay(rootfs string, content []byte) error {
	root, err := os.OpenRoot(rootfs)
	if err != nil {
		return err
	}
	u := &unpacker{root: root, left: copyBudget(), owners: e.root, layer: true}
	defer u.close()
	return u.unpack(bytes.NewReader(content))
}

// linkTree makes directories like those below from, and links to the files.
func linkTree(ctx context.Context, from, to string, owners bool) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if !d.IsDir() {
			return os.Link(path, target) // of a symbolic link, too: it is not followed
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		if err := os.Mkdir(target, 0o700); err != nil {
			return err
		}
		if owners {
			if err := os.Lchown(target, int(st.Uid), int(st.Gid)); err != nil {
				return err
			}
		}
		return unix.Chmod(target, st.Mode&0o7777)
	})
}

// RemoveImage removes a derived image. One that was unpacked from an archive
// stays: it is the cache.
func (e *Engine) RemoveImage(ctx context.Context, ref string) error {
	digest, ok := strings.CutPrefix(ref, "sha256:")
	if !ok || !validID.MatchString(digest) {
		return fmt.Errorf("oci: remove image: %w: %q", engine.ErrNoImage, text.OneLine(ref))
	}
	img, err := e.cached(digest)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("oci: remove image: %w", err)
	case img.config.Labels[engine.DerivedLabel] == "":
		return fmt.Errorf("oci: remove image: %w: %s was not derived", ErrInput, ref)
	}
	if err := e.store.drop(e.store.image(digest)); err != nil {
		return fmt.Errorf("oci: remove image: %w", err)
	}
	return nil
}

// derived lists the images that Derive made.
func (e *Engine) derived(add func(kind, id, name string, labels map[string]string)) error {
	images, err := os.ReadDir(filepath.Join(e.store.dir, "images"))
	if err != nil {
		return fmt.Errorf("oci: list: %w", err)
	}
	for _, entry := range images {
		if !validID.MatchString(entry.Name()) {
			continue
		}
		img, err := e.cached(entry.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return fmt.Errorf("oci: list: image %s: %w: %w", entry.Name(), engine.ErrBadAnswer, err)
		}
		if img.config.Labels[engine.DerivedLabel] != "" {
			add("image", img.id, img.id, img.config.Labels)
		}
	}
	return nil
}

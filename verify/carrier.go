package verify

import (
	"archive/tar"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
)

// guestDir is where every twin has the guest, read-only.
const guestDir = "/.tightship"

// The guest comes in a volume rather than by a bind mount or a copy: a volume
// works on a remote daemon, needs nothing writable in the image, and keeps the
// setuid helper out of the host's own directories. The isolating twin fills it
// before it is started: an engine copies into a container only where its root
// file system is writable, which that twin can afford.

// makeVolumes makes the volumes. It comes before any container that mounts
// them: an engine makes a volume that is missing by itself, without our label.
func (r *run) makeVolumes(ctx context.Context) error {
	names := []string{r.guestVolume()}
	for _, s := range r.standIns {
		names = append(names, s.volume)
	}
	for _, name := range names {
		r.created(engine.Resource{Kind: "volume", ID: name, Name: name, RunID: r.lock.id})
		err := unhurried(ctx, func(ctx context.Context) error { return r.eng.CreateVolume(ctx, name, r.labels()) })
		if err != nil {
			return fmt.Errorf("creating the volume for the guest: %w", err)
		}
	}
	return nil
}

// load creates the isolating twin and fills the volumes through it.
func (r *run) load(ctx context.Context) (id string, err error) {
	if id, err = r.create(ctx, check.Isolate); err != nil {
		return "", err
	}
	if r.original != nil && r.original.ask {
		if err := r.resolve(ctx, id); err != nil {
			return "", err
		}
	}
	// As a stream: many runs side by side must not hold a copy of the guest each.
	out, in := io.Pipe()
	defer out.Close()
	go func() {
		in.CloseWithError(cargo(in, r.opts.Guest, r.info.Arch, r.home(), r.standIns, r.opts.Policy.User))
	}()
	if err := r.eng.CopyTo(ctx, id, out); err != nil {
		return "", fmt.Errorf("bringing in the guest: %w", err)
	}
	return id, nil
}

// cargo writes the tar that fills the volumes: the guest, the helper program plain,
// with a setuid bit and with a file capability, what is planted for the guests
// to find, and the stand-ins' owners, u where none is known.
func cargo(out io.Writer, guest []byte, arch string, home []planting, standIns []standIn, u policy.User) error {
	helper, err := probe.HelperELF(arch)
	if err != nil {
		return err
	}
	w := tar.NewWriter(out)
	dir := strings.TrimPrefix(guestDir, "/")
	for _, f := range []struct {
		name   string
		data   []byte
		mode   int64
		xattrs map[string]string
	}{
		{"guest", guest, 0o755, nil},
		{"plain", helper, 0o755, nil},
		{"suid", helper, 0o4755, nil},
		{"filecap", helper, 0o755, map[string]string{"SCHILY.xattr.security.capability": fileCap(10 /* CAP_NET_BIND_SERVICE */)}},
	} {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: dir + "/" + f.name, Mode: f.mode, Size: int64(len(f.data)), PAXRecords: f.xattrs}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := w.Write(f.data); err != nil {
			return err
		}
	}
	for _, p := range home {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: dir + "/" + p.name, Mode: 0o644, Size: int64(len(p.content))}
		if strings.HasSuffix(p.name, "/") {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.WriteString(w, p.content); err != nil {
			return err
		}
	}
	for _, s := range standIns {
		if s.uid < 0 {
			s.uid, s.gid = u.UID, u.GID
		}
		h := &tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimPrefix(s.target, "/") + "/", Mode: s.mode, Uid: int(s.uid), Gid: int(s.gid), Format: tar.FormatPAX}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
	}
	return w.Close()
}

// fileCap encodes one capability as permitted and effective in the kernel's
// version 2 format (struct vfs_cap_data, capabilities(7)).
func fileCap(number int) string {
	b := make([]byte, 20)
	binary.LittleEndian.PutUint32(b, 0x02000001)
	binary.LittleEndian.PutUint32(b[4+8*(number/32):], 1<<(number%32))
	return string(b)
}

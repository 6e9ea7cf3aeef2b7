package verify

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/spec"
)

// reallyReadOnly is the mounts, those that are read-only by name only being
// writable: in most engines that is said of a directory of the host alone, and
// what the host has mounted below it comes along writable. A twin that shared
// it would write to the host.
func (r *run) reallyReadOnly(o *original) []spec.Mount {
	mounts := slices.Clone(o.state.Declared.Mounts)
	if deepReadOnly(r.info) && !bytes.Contains(o.state.Record, []byte(`"ReadOnlyNonRecursive":true`)) {
		return mounts
	}
	for i, m := range mounts {
		if m.Kind != spec.Bind || !m.ReadOnly {
			continue
		}
		if place := writableBelow(o.mounts, m.Source); place != "" {
			mounts[i].ReadOnly = false
			o.notShared = append(o.notShared, fmt.Sprintf("%s is not read-only as a whole: %s is a mount of its own, which stays writable", m.Source, place))
		}
	}
	return mounts
}

// deepReadOnly says whether read-only means also what is mounted below: so in
// Docker from 25 (API 1.44) on, on a kernel that can (mount_setattr(2), 5.12).
func deepReadOnly(info engine.Info) bool {
	atLeast := func(version string, major, minor int) bool {
		var x, y int
		_, err := fmt.Sscanf(version, "%d.%d", &x, &y)
		return err == nil && (x > major || x == major && y >= minor)
	}
	return info.Name == "docker" && atLeast(info.API, 1, 44) && atLeast(info.Kernel, 5, 12)
}

// writableBelow is the first writable mount below a directory, "" if there is
// none. Those of namespaces are files that nobody can write.
func writableBelow(mounts []kernel.Mount, dir string) string {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	for _, m := range mounts {
		if m.Target != dir && strings.HasPrefix(m.Target, strings.TrimSuffix(dir, "/")+"/") && !m.Has("ro") && m.FSType != "nsfs" {
			return m.Target
		}
	}
	return ""
}

// standIn is an empty volume in place of one that the twin must not share.
type standIn struct {
	volume, target string
	uid, gid       int64
	mode           int64
}

// launch derives what the twins are made from: the original's settings with
// nothing shared. The stand-ins' names hold the run's ID.
func (r *run) launch() spec.Container {
	o := r.original
	c := o.state.Declared.Clone()
	c.Record, c.Image = o.state.Record, r.image.ID
	for _, ns := range []struct {
		name  string
		mode  *string
		apart string
	}{{"network", &c.Network, "none"}, {"pid", &c.PIDMode, ""}, {"ipc", &c.IPCMode, "private"}} {
		if strings.HasPrefix(*ns.mode, "container:") {
			o.notShared = append(o.notShared, fmt.Sprintf("the %s namespace of %s is not joined", ns.name, *ns.mode))
			*ns.mode = ns.apart
		}
	}
	for _, line := range o.state.Other {
		// A limit that the two had together would be the original's to suffer from.
		if parent, ok := strings.CutPrefix(line, "cgroup-parent="); ok {
			o.notShared = append(o.notShared, "the twin is not in the cgroup "+parent)
		}
	}
	var mounts []spec.Mount
	for _, m := range c.Mounts {
		switch {
		// An engine makes a directory that is not there.
		case m.Kind == spec.Bind && m.ReadOnly && !r.vanished(m.Source):
			mounts = append(mounts, m)
		case m.Kind == spec.Bind && r.isFile(m.Source):
			o.notShared = append(o.notShared, fmt.Sprintf("the file %s is not mounted at %s", m.Source, m.Target))
		case m.Kind == spec.Bind, m.Kind == spec.Volume:
			s := r.standIn(m)
			r.standIns = append(r.standIns, s)
			o.notShared = append(o.notShared, fmt.Sprintf("an empty volume stands in for %s at %s", m.Source, m.Target))
			mounts = append(mounts, spec.Mount{Kind: spec.Volume, Source: s.volume, Target: m.Target, ReadOnly: m.ReadOnly})
		default:
			o.notShared = append(o.notShared, fmt.Sprintf("the %s at %s is not mounted", m.Kind, m.Target))
		}
	}
	c.Mounts = mounts
	return c
}

func (r *run) isFile(path string) bool {
	if !r.info.Local {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

func (r *run) vanished(path string) bool {
	if !r.info.Local {
		return false
	}
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// standIn has the owner and the mode of what it stands in for, where this host
// shows them.
func (r *run) standIn(m spec.Mount) standIn {
	s := standIn{volume: fmt.Sprintf("%s-standin-%d", r.prefix(), len(r.standIns)), target: m.Target, mode: 0o755}
	if m.Kind == spec.Bind && r.info.Local {
		var st unix.Stat_t
		if unix.Stat(m.Source, &st) == nil {
			s.uid, s.gid, s.mode = int64(st.Uid), int64(st.Gid), int64(st.Mode&0o777)
			return s
		}
	}
	if m.Target == r.workspace() {
		s.uid, s.gid = -1, -1 // the user's, who may not be known yet
	}
	return s
}

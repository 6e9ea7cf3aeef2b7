package check

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/spec"
)

// guarded are the mount options that protect.
var guarded = []string{"ro", "nosuid", "nodev", "noexec"}

func judgeDriftMounts(in *Input) Result {
	return in.drift("the twin's mounts", func(d *differences, o, t *kernel.State) {
		apart := in.apart(o, t)
		mine, twins := topmost(o.Mounts), topmost(t.Mounts)
		for _, target := range slices.Sorted(maps.Keys(mine)) {
			m := mine[target]
			tm, ok := twins[target]
			if n := stacked(o.Mounts, target); n > max(stacked(t.Mounts, target), 1) && !in.fromHost(m) {
				d.add(true, "%s mounted over what is at %s", m.FSType, target)
				continue
			}
			switch {
			case apart[target]:
			case !ok && (engineOwn(m) || in.fromHost(m) || in.again(o.Mounts, m)):
			case !ok:
				d.add(true, "%s mounted at %s", m.FSType, target)
			case m.FSType != tm.FSType:
				d.add(true, "%s at %s where the twin has %s", m.FSType, target, tm.FSType)
			default:
				for _, option := range guarded {
					if m.Has(option) != tm.Has(option) {
						d.add(tm.Has(option), "%s is %s", target, onOff(m.Has(option), option, "without "+option))
					}
				}
				if x, y := superSize(m), superSize(tm); x != y {
					d.add(true, "size of %s %s, the twin's %s", target, onOff(x == "", "unbounded", x), onOff(y == "", "unbounded", y))
				}
			}
		}
		for _, target := range slices.Sorted(maps.Keys(twins)) {
			if _, ok := mine[target]; !ok && !apart[target] && !in.fromHost(twins[target]) && !in.again(t.Mounts, twins[target]) {
				d.add(true, "nothing mounted at %s, where the twin has %s", target, twins[target].FSType)
			}
		}
	})
}

// apart is the places where the two differ on purpose: those of the stand-ins,
// of what is not mounted in the twin, and of the guest. An engine follows the
// image's symbolic links when it mounts, so that each is also looked for by what
// is mounted there.
func (in *Input) apart(o, t *kernel.State) map[string]bool {
	out := map[string]bool{}
	for _, side := range []struct {
		mounts []spec.Mount
		table  []kernel.Mount
	}{{in.Original.Declared.Mounts, o.Mounts}, {in.Twins[Main].Copied.Mounts, t.Mounts}} {
		for _, m := range side.mounts {
			if m.Kind != spec.Volume && m.ReadOnly {
				continue
			}
			out[path.Clean(m.Target)] = true
			for _, k := range side.table {
				named := m.Kind == spec.Volume && strings.Contains(k.Root, "/"+m.Source+"/")
				bound := m.Kind == spec.Bind && k.Root != "/" && strings.HasSuffix(m.Source, k.Root)
				if (named || bound) && path.Base(k.Target) == path.Base(m.Target) {
					out[k.Target] = true
				}
			}
		}
	}
	return out
}

// fromHost says whether a mount came along with a directory of the host that the
// engine was told to mount: it is below it, as it is on the host. Those of
// namespaces (nsfs) are files that come and go.
func (in *Input) fromHost(m kernel.Mount) bool {
	if m.FSType == "nsfs" {
		return true
	}
	for _, b := range in.Original.Declared.Mounts {
		base := path.Base(b.Target)
		at := strings.LastIndex(m.Target, "/"+base+"/")
		if b.Kind != spec.Bind || at < 0 {
			continue
		}
		there := path.Join(b.Source, m.Target[at+len(base)+1:])
		for _, h := range in.Original.HostMounts {
			if h.Target == there && h.FSType == m.FSType && h.Source == m.Source && h.Root == m.Root {
				return true
			}
		}
	}
	return false
}

// again says whether a mount below a directory of the host's shows a second time
// what the container has anyway: a directory that holds the engine's own shows
// the container's root file system there, with what was mounted in it by then.
func (in *Input) again(table []kernel.Mount, m kernel.Mount) bool {
	return in.belowBind(m.Target) && slices.ContainsFunc(table, func(k kernel.Mount) bool {
		return !in.belowBind(k.Target) && k.FSType == m.FSType && k.Source == m.Source && k.Root == m.Root &&
			slices.Equal(k.SuperOptions, m.SuperOptions) && (k.Target == "/" || strings.HasSuffix(m.Target, k.Target))
	})
}

// belowBind says whether a path lies below a directory of the host's.
func (in *Input) belowBind(target string) bool {
	return slices.ContainsFunc(in.Original.Declared.Mounts, func(b spec.Mount) bool {
		return b.Kind == spec.Bind && strings.HasPrefix(target, strings.TrimSuffix(b.Target, "/")+"/")
	})
}

// engineOwn says whether an engine mounts this for what a twin does not have: a
// terminal, and its own first process (--init).
func engineOwn(m kernel.Mount) bool {
	switch m.Target {
	case "/sbin/docker-init", "/usr/sbin/docker-init", "/run/podman-init":
		return m.Has("ro")
	case "/dev/console":
		return m.FSType == "devpts"
	}
	return false
}

func stacked(mounts []kernel.Mount, target string) int {
	n := 0
	for _, m := range mounts {
		if m.Target == target {
			n++
		}
	}
	return n
}

// topmost is what can be reached at each place: the last mount there.
func topmost(mounts []kernel.Mount) map[string]kernel.Mount {
	out := map[string]kernel.Mount{}
	for _, m := range mounts {
		out[m.Target] = m
	}
	return out
}

func superSize(m kernel.Mount) string {
	for _, o := range m.SuperOptions {
		if size, ok := strings.CutPrefix(o, "size="); ok {
			return size
		}
	}
	return ""
}

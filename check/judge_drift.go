package check

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/probe"
	"github.com/tightship-dev/tightship/spec"
)

// differences collects what sets a container apart from its twin.
type differences struct {
	looser, tighter []string
	unread          string // why something could not be compared
}

func (d *differences) add(looser bool, format string, args ...any) {
	if looser {
		d.looser = append(d.looser, fmt.Sprintf(format, args...))
	} else {
		d.tighter = append(d.tighter, fmt.Sprintf(format, args...))
	}
}

// drift judges one comparison of the kernel's two accounts.
func (in *Input) drift(wanted string, compare func(d *differences, original, twin *kernel.State)) Result {
	a := account{wanted: wanted, wantedIs: on, declared: "the same settings"}
	o, twin := in.Original, in.Twins[Main]
	switch {
	case o == nil || twin == nil:
		return a.unmeasured("there is no container to compare with")
	case !o.Running:
		a.kernel = "no process"
		return a.result(NotApplicable, NoGrade, "", "the container is not running, so there is nothing of it in the kernel that could have drifted")
	case o.Kernel == nil:
		a.kernel = "not read: " + o.KernelNote
		return a.unmeasured("the running container's state cannot be read: " + o.KernelNote)
	case twin.Process == nil:
		a.kernel = in.kernelNote()
		return a.unmeasured("the twin's state could not be read")
	}
	if _, why := in.see(Main, probe.User, "ids"); why != "" {
		return a.unmeasured(why)
	}
	var d differences
	compare(&d, o.Kernel, twin.Process)
	a.kernel = fmt.Sprintf("process %d against the twin's %d", o.Kernel.PID, twin.Process.PID)
	switch {
	case len(d.looser) > 0:
		return a.decide(off, Kernel, strings.Join(slices.Concat(d.looser, d.tighter), "; "), "the running container differs: "+few(d.looser))
	case d.unread != "":
		return a.unmeasured(d.unread)
	case len(d.tighter) > 0:
		return a.decide(on, Kernel, strings.Join(d.tighter, "; "), "no looser than the twin, and tighter: "+few(d.tighter))
	}
	return a.decide(on, Kernel, "no difference", "the kernel says the same of both")
}

func judgeDriftSettings(in *Input) Result {
	a := account{wanted: "the container's settings", wantedIs: on, declared: "what the engine says of both"}
	twin := in.Twins[Main]
	if in.Original == nil || twin == nil {
		return a.unmeasured("there is no container to compare with")
	}
	if _, why := in.see(Main, probe.User, "ids"); why != "" {
		return a.unmeasured(why)
	}
	apart := settingsApart(in.Original.Declared, twin.Copied)
	for _, s := range in.Original.Other {
		if !ownAffair(s) && !slices.Contains(twin.CopiedOther, s) {
			apart = append(apart, s+" only in the container")
		}
	}
	for _, s := range twin.CopiedOther {
		if !ownAffair(s) && !slices.Contains(in.Original.Other, s) {
			apart = append(apart, s+" only in the twin")
		}
	}
	seen := "not shared with the twin: " + onOff(len(in.Original.NotShared) == 0, "nothing", strings.Join(in.Original.NotShared, "; "))
	if want, have := in.Original.Runtime, in.Original.Declared.Runtime; want != "" && have != "" && want != have {
		apart = append(apart, fmt.Sprintf("runtime %s where the policy asks for %s", have, want))
	}
	if len(apart) > 0 {
		return a.decide(off, Declared, seen, "the two differ: "+few(apart))
	}
	return a.decide(on, Declared, seen, "the engine says the same of both")
}

// ownAffair says whether a line beside the settings is about what a twin never
// takes over: published ports, a terminal, the networks it is joined to, and
// what the engine said when it made one of them.
func ownAffair(line string) bool {
	for _, prefix := range []string{"publish", "tty", "network=", "link=", "volumes-from=", "cgroup-parent=", "oom-kill-disable", "engine warned:"} {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

// settingsApart names the fields in which two containers differ, leaving out
// those that the twin has of its own and the mounts and namespaces that it does
// not share.
func settingsApart(original, twin spec.Container) []string {
	normal := func(c spec.Container) spec.Container {
		c.Image, c.Entrypoint, c.Cmd, c.Labels, c.OpenStdin, c.Mounts, c.Record = "", nil, nil, nil, false, nil, nil
		for _, mode := range []*string{&c.PIDMode, &c.IPCMode, &c.Network} {
			if strings.HasPrefix(*mode, "container:") {
				*mode = "?"
			}
		}
		return c
	}
	a, b := normal(original), normal(twin)
	for _, m := range []struct{ a, b *string }{{&a.PIDMode, &b.PIDMode}, {&a.IPCMode, &b.IPCMode}, {&a.Network, &b.Network}} {
		if *m.a == "?" {
			*m.b = "?"
		}
	}
	var out []string
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range x.NumField() {
		// An empty list and none are the same setting.
		if isEmpty(x.Field(i)) && isEmpty(y.Field(i)) || reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			continue
		}
		out = append(out, strings.SplitN(x.Type().Field(i).Tag.Get("json"), ",", 2)[0])
	}
	return out
}

func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	}
	return v.IsZero()
}

func judgeDriftPrivileges(in *Input) Result {
	return in.drift("no more privileges than the twin", func(d *differences, o, t *kernel.State) {
		if o.UIDs != t.UIDs {
			// A process that began as root may have become somebody else.
			d.add(slices.Contains(o.UIDs[:], 0) || !slices.Contains(t.UIDs[:], 0), "uids %d, the twin's %d", o.UIDs, t.UIDs)
		}
		if o.GIDs != t.GIDs {
			d.add(slices.Contains(o.GIDs[:], 0) || !slices.Contains(t.GIDs[:], 0), "gids %d, the twin's %d", o.GIDs, t.GIDs)
		}
		for _, g := range o.Groups {
			if !slices.Contains(t.Groups, g) && g != o.GIDs[1] {
				d.add(true, "group %d", g)
			}
		}
		d.privileges("", o, t)
		if o.LSM != t.LSM {
			d.add(true, "security label %q, the twin's %q", o.LSM, t.LSM)
		}
		if in.Sandboxed() {
			return // the others are the runtime's own, its gofer for one
		}
		for _, m := range in.Original.Members {
			// In a user namespace of its own a process has every capability, over
			// nothing of the container's.
			if m.Namespaces["user"] == o.Namespaces["user"] {
				var its differences
				its.privileges(fmt.Sprintf("process %d: ", m.PID), m, t)
				d.looser = append(d.looser, its.looser...)
			}
		}
		d.unread = in.Original.MembersNote
	})
}

// privileges compares what a process may do with what the twin's may.
func (d *differences) privileges(who string, o, t *kernel.State) {
	for _, set := range []struct {
		name string
		o, t uint64
	}{
		{"inheritable", o.Caps.Inheritable, t.Caps.Inheritable}, {"permitted", o.Caps.Permitted, t.Caps.Permitted},
		{"effective", o.Caps.Effective, t.Caps.Effective}, {"bounding", o.Caps.Bounding, t.Caps.Bounding}, {"ambient", o.Caps.Ambient, t.Caps.Ambient},
	} {
		if more := set.o &^ set.t; more != 0 {
			d.add(true, "%s%s set also holds %s", who, set.name, few(kernel.CapNames(more)))
		}
		if less := set.t &^ set.o; less != 0 {
			d.add(false, "%s%s set lacks %s", who, set.name, few(kernel.CapNames(less)))
		}
	}
	if o.NoNewPrivs != nil && t.NoNewPrivs != nil && *o.NoNewPrivs != *t.NoNewPrivs {
		d.add(!*o.NoNewPrivs, "%sno-new-privileges %t", who, *o.NoNewPrivs)
	}
	if o.Seccomp != t.Seccomp {
		d.add(o.Seccomp < t.Seccomp, "%sSeccomp %d, the twin's %d", who, o.Seccomp, t.Seccomp)
	}
}

func judgeDriftLimits(in *Input) Result {
	return in.drift("the twin's limits", func(d *differences, o, t *kernel.State) {
		// Negative is no limit. What this host cannot say of either says nothing;
		// what it says of the twin alone is a process outside its own cgroup.
		bound := func(name string, o, t int64, text func(int64) string) {
			switch {
			case o == t, t == kernel.NotKnown:
				return
			case o == kernel.NotKnown:
				d.unread = "the container's limit on " + name + " cannot be read, and the twin's can"
				return
			}
			say := func(n int64) string { return onOff(n < 0, "unlimited", text(n)) }
			d.add(o < 0 || t >= 0 && o > t, "%s %s, the twin's %s", name, say(o), say(t))
		}
		bound("memory", o.Cgroup.Memory, t.Cgroup.Memory, bytesText)
		bound("memory+swap", o.Cgroup.Swap, t.Cgroup.Swap, bytesText)
		bound("pids", o.Cgroup.PIDs, t.Cgroup.PIDs, count)
		bound("cpu", cpuShare(o.Cgroup), cpuShare(t.Cgroup), func(n int64) string { return strconv.FormatFloat(float64(n)/1000, 'g', -1, 64) })
		for _, name := range slices.Sorted(maps.Keys(t.Limits)) {
			if l, ok := o.Limits[name]; ok {
				bound("limit on "+name, l.Hard, t.Limits[name].Hard, count)
			}
		}
	})
}

// cpuShare is the quota in thousandths of a CPU.
func cpuShare(c kernel.Cgroup) int64 {
	switch {
	case c.CPUQuota == kernel.NotKnown:
		return kernel.NotKnown
	case c.CPUQuota <= 0 || c.CPUPeriod <= 0:
		return kernel.NoLimit
	}
	return c.CPUQuota * 1000 / c.CPUPeriod
}

func judgeDriftNamespaces(in *Input) Result {
	return in.drift("no namespace of the host beyond the twin's", func(d *differences, o, t *kernel.State) {
		compared := 0
		for _, name := range slices.Sorted(maps.Keys(in.Original.Host)) {
			mine, ok := o.Namespaces[name]
			twins, both := t.Namespaces[name]
			if both && !ok {
				d.unread = "the container's " + name + " namespace could not be looked at"
			}
			if !ok || !both {
				continue
			}
			compared++
			host := in.Original.Host[name]
			if (mine == host) != (twins == host) {
				d.add(mine == host, "%s namespace %s", name, onOff(mine == host, "of the host", "of its own"))
			}
		}
		// A network that was added to one that has none; in the other modes there may
		// be more of them than the one that the twin is in.
		for _, name := range o.Interfaces {
			if in.Original.Declared.Network == "none" && !slices.Contains(t.Interfaces, name) {
				d.add(true, "network interface %s", name)
			}
		}
		if compared == 0 {
			d.unread = "no namespace could be looked at, which takes root"
		}
	})
}

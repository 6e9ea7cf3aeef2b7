package check

import (
	"slices"
	"strings"

	"github.com/tightship-dev/tightship/probe"
)

// deviceChecks are the rows about device nodes.
func deviceChecks() []*Check {
	return []*Check{{
		ID: "dev.allowlist", Section: MountSection,
		Title:    "There are no devices but the harmless defaults",
		Why:      "A block device is the host's disk with no permissions on its files; /dev/mem, /dev/kmsg and a GPU's node lead into the kernel.",
		Attempt:  "The user and uid 0 look at every device node in /dev and ask whether they may use it. uid 0 makes a node of a disk. Where it has the capability for it, in the isolating twin, it makes a node of every device that this kernel knows and asks whether it may use it. No device is opened on Linux: some act on being opened.",
		Control:  "/dev/null opens; and a node of the null device, made in the same way, may be used.",
		Settings: []string{}, Fix: Fix{
			Policy:     "nothing to set: a policy gives no devices",
			Docker:     "without --device, --device-cgroup-rule, --gpus and --privileged",
			Compose:    "no devices, no device_cgroup_rules, no privileged: true",
			Kubernetes: "no privileged: true, no hostPath volume of /dev, and no extended resource of a device plugin",
		}, Refs: []string{"CIS-Docker 5.18", "MITRE-ATTACK T1611"},
		Needs:     needs(need(Main, probe.User, "dev.list"), need(Main, probe.Auditor, "dev.list"), need(Main, probe.Auditor, "dev.make"), need(Isolate, probe.Auditor, "dev.make")),
		Mutations: []string{"device.added", "privileged"},
		Judge:     judgeDevices,
	}}
}

// engineNodes are the devices that every engine gives, as kind and number:
// null, zero, full, random, urandom, tty, console, ptmx (runtime-spec,
// config-linux.md, "Default Devices").
var engineNodes = []string{"c 1:3", "c 1:5", "c 1:7", "c 1:8", "c 1:9", "c 5:0", "c 5:1", "c 5:2"}

// sandboxNodes are fuse and tun, which gVisor shows in every /dev: its own.
var sandboxNodes = []string{"c 10:229", "c 10:200"}

// cgroupNodes is tun, which runtimes allow in the device cgroup, where nobody
// without CAP_MKNOD can make its node.
var cgroupNodes = []string{"c 10:200"}

// engineNode says whether a device is one of those, or a pseudo-terminal
// (majors 136 to 143, Documentation/admin-guide/devices.txt).
func engineNode(number string, more []string) bool {
	major, _, _ := strings.Cut(strings.TrimPrefix(number, "c "), ":")
	terminal := strings.HasPrefix(number, "c ") && len(major) == 3 && major >= "136" && major <= "143"
	return terminal || slices.Contains(engineNodes, number) || slices.Contains(more, number)
}

func judgeDevices(in *Input) Result {
	a := accountDevices(in)
	var sandbox []string
	if in.takes("dev.allowlist", SandboxDevices) {
		sandbox = sandboxNodes
	}
	var broken, seen []string
	nodes := 0
	for _, role := range []probe.Role{probe.User, probe.Auditor} {
		o, why := in.see(Main, role, "dev.list")
		if why != "" {
			return a.unmeasured(why)
		}
		if _, ok := control(o, "open"); !ok || o.Facts["truncated"] != "" {
			return a.decide(silent, NoGrade, show(o.Attempts...), "the control failed: /dev/null does not open, or there were too many nodes to look at")
		}
		for _, t := range pick(o, func(t probe.Attempt) bool { return !t.Control }) {
			nodes++
			if !engineNode(t.Note, sandbox) {
				broken = append(broken, t.On+" ("+t.Note+"), "+onOff(t.OK, "which "+string(role)+" may use", t.Errno+" for "+string(role)))
			}
		}
	}
	seen = append(seen, plural(nodes, "node", "nodes")+" looked at in /dev")
	refusedNodes := 0
	for _, twin := range []Twin{Main, Isolate} {
		o, why := in.see(twin, probe.Auditor, "dev.make")
		if why != "" {
			return a.unmeasured(why)
		}
		used := pick(o, func(t probe.Attempt) bool { return !t.Control && t.Act != "mknod" })
		for _, t := range used {
			switch {
			case !t.OK:
				refusedNodes++
			case !engineNode(t.On, cgroupNodes):
				broken = append(broken, "a node made of "+t.On+" in the "+string(twin)+" twin")
			}
		}
		disk, _ := attempt(o, "mknod", "")
		_, room := control(o, "create")
		_, null := control(o, "use a node")
		seen = append(seen, string(twin)+" twin: "+show(disk)+"; "+plural(len(used), "other node", "other nodes")+" made")
		switch {
		case len(broken) > 0:
		case !room:
			return a.decide(silent, NoGrade, strings.Join(seen, "; "), "the control failed: uid 0 could not create a file where it tries to make nodes")
		case twin == Isolate && disk.Errno != "EPERM" && (!null || refusedNodes == 0):
			return a.decide(silent, NoGrade, strings.Join(seen, "; "), "the control failed: a node of the null device, made in the same way, may not be used either, or no other was tried")
		}
	}
	text := strings.Join(seen, "; ")
	switch {
	case len(broken) > 0:
		return a.decide(off, Exercised, text, "there is "+few(broken))
	case refusedNodes == 0:
		return a.decide(on, Exercised, text, "only the defaults are there, and no node can be made, with CAP_MKNOD neither")
	}
	return a.decide(on, Exercised, text, "only the defaults are there; "+plural(refusedNodes, "node", "nodes")+" of other devices, made with the capability for it, may not be used")
}

func accountDevices(in *Input) account {
	d := in.declared()
	a := account{wanted: "no devices beside the engine's own", wantedIs: on, declared: "no device, not privileged", declaredIs: on}
	given := slices.Clone(d.Devices)
	if tw := in.Twins[Main]; tw != nil {
		for _, line := range tw.Other {
			if strings.HasPrefix(line, "device-request=") || strings.HasPrefix(line, "device-cgroup-rule=") {
				given = append(given, line)
			}
		}
	}
	switch {
	case d.Privileged:
		a.declared, a.declaredIs = "privileged", off
	case len(given) > 0:
		a.declared, a.declaredIs = "devices "+few(given), off
	}
	return a
}

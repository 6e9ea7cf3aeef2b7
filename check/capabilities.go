package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/probe"
)

// DefaultCaps are the 14 capabilities that Docker gives every container; each
// one added back is a mutation of caps.none.
var DefaultCaps = []string{
	"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
	"NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
}

// ActlessCaps are those of DefaultCaps that no harmless act can exercise: using
// CAP_AUDIT_WRITE writes to the host's audit log.
var ActlessCaps = []string{"AUDIT_WRITE"}

var fixCaps = Fix{
	Policy:     "capabilities: []",
	Docker:     "--cap-drop ALL",
	Compose:    "cap_drop: [ALL]",
	Kubernetes: "securityContext.capabilities: {drop: [ALL]}",
}

var fixNNP = Fix{
	Policy:     "no_new_privileges: true",
	Docker:     "--security-opt no-new-privileges",
	Compose:    "security_opt: [\"no-new-privileges:true\"]",
	Kubernetes: "securityContext.allowPrivilegeEscalation: false",
}

var refsCaps = []string{"CIS-Docker 5.4", "CIS-Docker 5.5", "PSS capabilities_restricted", "OWASP-Docker 3", "NSA-CISA 1.2"}
var refsNNP = []string{"CIS-Docker 5.26", "CIS-Docker 4.8", "PSS allowPrivilegeEscalation", "OWASP-Docker 4", "NSA-CISA 1.7", "MITRE-ATTACK T1548.001"}

// capMutations names the mutations that add back each default capability.
func capMutations(except ...string) []string {
	var all []string
	for _, c := range DefaultCaps {
		if !slices.Contains(except, c) {
			all = append(all, "caps."+c)
		}
	}
	return all
}

func capabilityChecks() []*Check {
	return []*Check{
		{
			ID: "caps.none", Section: Capabilities, Seeds: []string{"no_capabilities"},
			Title:    "No capability, in any of the five sets",
			Why:      "Docker empties the effective set of every non-root user even without --cap-drop. The bounding set is what root inside, or a setuid file, could get.",
			Attempt:  "The user and uid 0 each read their inheritable, permitted, effective, bounding and ambient sets by system call.",
			Control:  "The same reader finds capabilities in a twin that has some.",
			Settings: []string{"capabilities"}, Fix: fixCaps, Refs: refsCaps,
			Needs:     needs(need(Main, probe.User, "ids"), need(Main, probe.Auditor, "ids"), need(Isolate, probe.Auditor, "ids")),
			Mutations: append(capMutations(), "caps.NET_ADMIN", "nnp.off-capability", "caps.SYS_ADMIN", "caps.BPF", "caps.PERFMON", "caps.DAC_READ_SEARCH", "caps.SYS_BOOT", "caps.SYS_PTRACE"),
			Judge:     judgeCapsNone,
		},
		{
			ID: "caps.exercised", Section: Capabilities,
			Title:    "What capabilities allow is refused",
			Why:      "A set that reads as empty is a claim; a refused act is evidence.",
			Attempt:  "uid 0 without capabilities makes one harmless act per capability that has one: chown, mknod, raw socket, chroot, signal another user's process… Acts that could not be undone carry a bad argument, which the kernel sees only after the permission.",
			Control:  "The same acts succeed in a twin that has Docker's default capabilities. No-new-privileges alone would refuse them to uid 0 as well, so they are made once more in a twin without it.",
			Settings: []string{"capabilities"}, Fix: fixCaps, Refs: refsCaps,
			Needs: needs(need(Main, probe.User, "marker"), need(Main, probe.Auditor, "caps.acts"), need(Exhaust, probe.User, "marker"), need(Exhaust, probe.Auditor, "caps.acts"),
				need(Isolate, probe.User, "marker"), need(Isolate, probe.Auditor, "caps.acts")),
			Mutations: append(capMutations(ActlessCaps...), "nnp.off-capability", "caps.SYS_ADMIN", "caps.DAC_READ_SEARCH", "caps.SYS_BOOT", "caps.SYS_PTRACE"),
			Judge:     judgeCapsExercised,
		},
		{
			ID: "caps.no-network-admin", Section: Capabilities, Seeds: []string{"cannot_change_network_config"},
			Title:    "The network configuration cannot be changed",
			Why:      "Whoever can add a route or an address can undo the network isolation.",
			Attempt:  "uid 0 without capabilities sets the flags lo already has, adds a link of a kind that does not exist and an address to no interface: nothing would change even if allowed.",
			Control:  "Reading lo's flags succeeds. The attempts are made once more in a twin without no-new-privileges, which alone would refuse them.",
			Settings: []string{"capabilities"}, Fix: fixCaps, Refs: refsCaps,
			Needs: needs(need(Main, probe.Auditor, "net.admin"), need(Exhaust, probe.Auditor, "net.admin")), Mutations: []string{"caps.NET_ADMIN"},
			Judge: judgeNetAdmin,
		},
		{
			ID: "priv.no-new-privs", Section: Capabilities, Seeds: []string{"no_new_privileges"},
			Title:    "No process can gain privileges by executing a file",
			Why:      "It switches off every setuid file and file capability at once, also those that a later image brings.",
			Attempt:  "prctl(PR_GET_NO_NEW_PRIVS), and executing our setuid-root program.",
			Control:  "In a twin without the flag the same program gives root.",
			Settings: []string{"no_new_privileges"}, Fix: fixNNP, Refs: refsNNP,
			Needs:     needs(need(Main, probe.User, "ids", "escalate"), need(Isolate, probe.User, "escalate")),
			Mutations: []string{"nnp.off", "nnp.off-capability", "tmpfs.exec-suid-nnp-off"},
			Judge:     judgeNNP,
		},
		{
			ID: "priv.no-suid", Section: Capabilities, Seeds: []string{"no_suid_binaries_writable"},
			Title:    "A setuid file in a writable place gives nothing",
			Why:      "chmod u+s works everywhere, nosuid or not. What counts is whether executing the file changes who you are.",
			Attempt:  "uid 0 places a setuid-root program in every place it can write; the user executes each and watches its effective uid. Privileged files of the image are listed as inert or exploitable.",
			Control:  "The mode sticks, and the same program does give root in a twin without no-new-privileges.",
			Settings: []string{"no_new_privileges", "tmpfs./tmp.suid", "tmpfs./tmp.exec"}, Fix: fixNNP, Refs: refsNNP,
			Needs: needs(need(Main, probe.Auditor, "suid.plant", "fs.sweep"), need(Main, probe.User, "suid.run"),
				need(Isolate, probe.User, "suid.run")),
			Mutations: []string{"tmpfs.exec-suid-nnp-off"},
			Judge:     judgeNoSuid,
		},
	}
}

var capSets = []string{"inheritable", "permitted", "effective", "bounding", "ambient"}

// readSets parses the five sets of an ids observation.
func readSets(o probe.Observation) (map[string]uint64, bool) {
	sets := map[string]uint64{}
	for _, s := range capSets {
		n, err := strconv.ParseUint(o.Facts["cap:"+s], 16, 64)
		if err != nil {
			return nil, false
		}
		sets[s] = n
	}
	return sets, true
}

func accountCaps(in *Input) account {
	w, d := in.Policy.Capabilities, in.declared()
	a := account{
		wanted: "capabilities: [" + strings.Join(w, ", ") + "]", wantedIs: answerOf(len(w) == 0),
		declared:   fmt.Sprintf("drop %v, add %v%s", d.CapDrop, d.CapAdd, onOff(d.Privileged, ", privileged", "")),
		declaredIs: answerOf(slices.Contains(d.CapDrop, "ALL") && len(d.CapAdd) == 0 && !d.Privileged),
	}
	a.ask(in, func(k *kernel.State) (string, answer) {
		c := k.Caps
		all := c.Inheritable | c.Permitted | c.Effective | c.Bounding | c.Ambient
		return onOff(all == 0, "all five sets empty", "bounding set "+strings.Join(kernel.CapNames(c.Bounding), ", ")), answerOf(all == 0)
	})
	return a
}

func judgeCapsNone(in *Input) Result {
	a := accountCaps(in)
	var seen []string
	for _, role := range []probe.Role{probe.User, probe.Auditor} {
		o, why := in.see(Main, role, "ids")
		if why != "" {
			return a.unmeasured(why)
		}
		sets, ok := readSets(o)
		if !ok {
			return a.unmeasured("the capability sets could not be read as " + string(role))
		}
		for _, s := range capSets {
			if sets[s] != 0 {
				return a.decide(off, Exercised, fmt.Sprintf("%s as %s: %016x", s, role, sets[s]), fmt.Sprintf("the %s set holds %s", s, few(kernel.CapNames(sets[s]))))
			}
		}
		seen = append(seen, string(role)+": all five empty")
	}
	o, why := in.see(Isolate, probe.Auditor, "ids")
	if why != "" {
		return a.unmeasured(why)
	}
	sets, ok := readSets(o)
	text := strings.Join(seen, "; ")
	if !ok || sets["bounding"] == 0 {
		return a.decide(silent, NoGrade, text, "the control failed: the reader found nothing in a twin that has capabilities either")
	}
	return a.decide(on, Exercised, text, fmt.Sprintf("all sets are empty for both; the same reader finds %d in a twin that has some", len(kernel.CapNames(sets["bounding"]))))
}

// byActsAlone leaves the verdict to what was attempted: whether the set as a
// whole is what it should be is caps.none's affair, and one capability must not
// break the rows about others.
func (a *account) byActsAlone() { a.wantedIs, a.declaredIs, a.kernelIs = silent, silent, silent }

func judgeCapsExercised(in *Input) Result {
	a := accountCaps(in)
	a.byActsAlone()
	main, why := in.see(Main, probe.Auditor, "caps.acts")
	if why != "" {
		return a.unmeasured(why)
	}
	// Where no-new-privileges is off, only the capabilities decide.
	o, why := in.see(Exhaust, probe.Auditor, "caps.acts")
	if why != "" {
		return a.unmeasured(why)
	}
	iso, why := in.see(Isolate, probe.Auditor, "caps.acts")
	if why != "" {
		return a.unmeasured(why)
	}
	for _, t := range []Twin{Main, Exhaust, Isolate} {
		m, why := in.see(t, probe.User, "marker")
		if why != "" {
			return a.unmeasured(why)
		}
		if bad := pick(m, func(t probe.Attempt) bool { return !t.OK }); len(bad) > 0 {
			return a.unmeasured("the user's files to act on could not be made: " + show(bad...))
		}
	}
	var broken, shown, plain []string
	acts := func(t probe.Attempt) bool { return !t.Control }
	for _, t := range append(pick(main, acts), pick(o, acts)...) {
		if t.OK {
			broken = append(broken, fmt.Sprintf("%s (CAP_%s)", t.Act, t.On))
		}
	}
	for _, t := range pick(o, acts) {
		if refused(t.Errno) {
			if c, found := attempt(iso, t.Act, t.On); found && c.OK {
				shown = append(shown, t.On)
			} else {
				plain = append(plain, t.On)
			}
		}
	}
	seen := fmt.Sprintf("refused, and shown possible with the capability: %s; refused only: %s", few(shown), few(plain))
	switch {
	case len(broken) > 0:
		return a.decide(off, Exercised, strings.Join(broken, "; "), "this succeeded: "+few(broken))
	case len(shown) == 0:
		return a.decide(silent, NoGrade, seen, "no act was both refused here and possible in the twin with capabilities")
	}
	return a.decide(on, Exercised, seen, fmt.Sprintf("%d acts refused, %d of them shown to succeed with the capability", len(shown)+len(plain), len(shown)))
}

func judgeNetAdmin(in *Input) Result {
	a := accountCaps(in)
	a.byActsAlone()
	main, why := in.see(Main, probe.Auditor, "net.admin")
	if why != "" {
		return a.unmeasured(why)
	}
	o, why := in.see(Exhaust, probe.Auditor, "net.admin")
	if why != "" {
		return a.unmeasured(why)
	}
	acts := func(t probe.Attempt) bool { return !t.Control }
	tried := pick(o, acts)
	ctl, ok := control(o, "SIOCGIFFLAGS")
	seen := show(append(slices.Clone(tried), ctl)...)
	held := 0
	for _, t := range append(pick(main, acts), tried...) {
		if t.OK {
			return a.decide(off, Exercised, seen, t.Act+" was permitted")
		}
	}
	for _, t := range tried {
		if refused(t.Errno) {
			held++
		}
	}
	switch {
	case held == 0:
		return a.decide(silent, NoGrade, seen, "no attempt was refused for lack of permission")
	case !ok:
		return a.decide(silent, NoGrade, seen, "the control failed: lo's flags could not even be read")
	}
	return a.decide(on, Exercised, seen, "refused; reading lo's flags succeeded")
}

func accountNNP(in *Input) account {
	w, d := in.Policy.NoNewPrivileges, in.declared().NoNewPrivileges
	a := account{
		wanted: fmt.Sprintf("no_new_privileges: %t", w), wantedIs: answerOf(w),
		declared: onOff(d, "no-new-privileges", "no-new-privileges not set"), declaredIs: answerOf(d),
	}
	a.ask(in, func(k *kernel.State) (string, answer) {
		if k.NoNewPrivs == nil {
			return "no NoNewPrivs line", silent
		}
		return onOff(*k.NoNewPrivs, "NoNewPrivs 1", "NoNewPrivs 0"), answerOf(*k.NoNewPrivs)
	})
	return a
}

func judgeNNP(in *Input) Result {
	a := accountNNP(in)
	id, why := in.see(Main, probe.User, "ids")
	if why != "" {
		return a.unmeasured(why)
	}
	o, why := in.see(Main, probe.User, "escalate")
	if why != "" {
		return a.unmeasured(why)
	}
	iso, why := in.see(Isolate, probe.User, "escalate")
	if why != "" {
		return a.unmeasured(why)
	}
	t, found := attempt(o, "execve setuid-root helper", "")
	ctl, _ := attempt(iso, "execve setuid-root helper", "")
	kind := "setuid-root"
	if filecap, _ := attempt(iso, "execve file-capability helper", ""); !ctl.OK && in.takes("priv.no-new-privs", FileCapability) {
		kind, ctl = "file-capability", filecap
		t, found = attempt(o, "execve file-capability helper", "")
	}
	flag := id.Facts["no_new_privs"]
	seen := fmt.Sprintf("prctl says %s; %s; in the twin without it: %s", onOff(flag == "", "nothing", flag), show(t), show(ctl))
	switch {
	case found && t.OK:
		return a.decide(off, Exercised, seen, "a "+kind+" program gave its privilege")
	case flag == "0":
		return a.decide(off, Exercised, seen, "the flag is not set on the process")
	case flag != "1":
		return a.decide(silent, NoGrade, seen, "the flag could not be read")
	case !found || t.Errno != "unchanged":
		return a.decide(silent, NoGrade, seen, "our "+kind+" program could not be executed")
	case !ctl.OK:
		return a.decide(silent, NoGrade, seen, "the control failed: our "+kind+" program gave nothing without the flag either")
	}
	return a.decide(on, Exercised, seen, "the flag is set and a "+kind+" program changed nothing; without the flag it gives its privilege")
}

func judgeNoSuid(in *Input) Result {
	a := account{
		wanted:     fmt.Sprintf("no_new_privileges: %t, tmpfs nosuid", in.Policy.NoNewPrivileges),
		wantedIs:   on,
		declared:   onOff(in.declared().NoNewPrivileges, "no-new-privileges", "no-new-privileges not set"),
		declaredIs: silent,
	}
	plant, why := in.see(Main, probe.Auditor, "suid.plant")
	if why != "" {
		return a.unmeasured(why)
	}
	o, why := in.see(Main, probe.User, "suid.run")
	if why != "" {
		return a.unmeasured(why)
	}
	iso, why := in.see(Isolate, probe.User, "suid.run")
	if why != "" {
		return a.unmeasured(why)
	}
	sweep, why := in.see(Main, probe.Auditor, "fs.sweep")
	if why != "" {
		return a.unmeasured(why)
	}
	tried := pick(o, func(t probe.Attempt) bool { return t.Act == "execve setuid-root file" })
	ctl, _ := attempt(iso, "execve setuid-root helper", "")
	why = "although the mode stuck"
	if !ctl.OK && in.takes("priv.no-suid", FileCapability) {
		ctl, _ = attempt(iso, "execve file-capability helper", "")
		t, found := attempt(o, "execve file-capability helper", "")
		tried = append(tried, t)
		switch {
		case found && t.OK:
			return a.decide(off, Exercised, show(tried...), "a file-capability program gave its privilege")
		// Without no-new-privileges an empty bounding set refuses it (execve(2)).
		case t.Errno != "unchanged" && !refused(t.Errno):
			return a.decide(silent, NoGrade, show(tried...), "our file-capability program could not be executed")
		}
		why = "as this kernel ignores setuid; nor did a file-capability program, which it honours where no-new-privileges is off"
	}
	inert := "inert (no-new-privileges)"
	if !in.declared().NoNewPrivileges {
		inert = "exploitable, as no-new-privileges is off"
	}
	seen := show(tried...) + "; " + privilegedFiles(sweep)
	if sweep.Facts["privileged files"] == "" && !strings.HasPrefix(privilegedFiles(sweep), "no file") {
		seen += ", " + inert
	}
	placed := map[string]bool{}
	for _, t := range pick(plant, func(t probe.Attempt) bool { return t.OK && t.Act == "plant setuid file" }) {
		run, found := attempt(o, "execve setuid-root file", t.On)
		switch {
		case found && run.OK:
			return a.decide(off, Exercised, seen, "a setuid file in "+t.On+" gave root")
		case found && (run.Errno == "unchanged" || refused(run.Errno)):
			placed[t.On] = true
		}
	}
	missing := slices.DeleteFunc(tmpfsMounts(in), func(d string) bool { return placed[d] })
	switch {
	case len(placed) == 0:
		return a.decide(silent, NoGrade, seen, "no setuid file could be placed and executed anywhere")
	case len(missing) > 0:
		return a.decide(silent, NoGrade, seen, "no setuid file could be placed and executed in "+few(missing))
	case !ctl.OK:
		return a.decide(silent, NoGrade, seen, "the control failed: a setuid file gave no root without no-new-privileges either")
	}
	return a.decide(on, Exercised, seen, fmt.Sprintf("setuid files in %s gave nothing, %s", plural(len(placed), "place", "places"), why))
}

package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/probe"
)

var fixUser = Fix{
	Policy:     "user: {name: claude-agent, uid: 1000, gid: 100}",
	Docker:     "--user 1000:100",
	Compose:    "user: \"1000:100\"",
	Kubernetes: "securityContext: {runAsNonRoot: true, runAsUser: 1000, runAsGroup: 100}",
}

var refsUser = []string{"CIS-Docker 4.1", "PSS runAsNonRoot", "PSS runAsUser", "OWASP-Docker 2", "NSA-CISA 1.0", "NSA-CISA 1.6", "NIST-800-190 4.1.2"}

func userChecks() []*Check {
	fixPorts := Fix{
		Policy:     "sysctls: {net.ipv4.ip_unprivileged_port_start: \"1024\"}",
		Docker:     "--sysctl net.ipv4.ip_unprivileged_port_start=1024",
		Compose:    "sysctls: {net.ipv4.ip_unprivileged_port_start: 1024}",
		Kubernetes: "securityContext.sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: \"1024\"}]",
	}
	return []*Check{
		{
			ID: "user.non-root", Section: UserSection, Seeds: []string{"non_root_user"},
			Title:    "The agent is not root",
			Why:      "Root inside is root outside for the kernel: every kernel bug and every mistake in a mount is worth more to uid 0.",
			Attempt:  "The first process reads its real, effective, saved and file-system uid from system calls, and looks its name up in the image's passwd.",
			Control:  "The same reader run as uid 0 reports 0.",
			Settings: []string{"user.name", "user.uid"}, Fix: fixUser, Refs: refsUser,
			Needs: needs(need(Main, probe.User, "ids"), need(Main, probe.Auditor, "ids")), Mutations: []string{"user.root", "image.root-user"},
			Judge: judgeNonRoot,
		},
		{
			ID: "user.identity", Section: UserSection, Seeds: []string{"uid_gid"},
			Title:    "uid, gid and every supplementary group are the declared ones",
			Why:      "One stray group (docker, disk, root) is as good as root.",
			Attempt:  "The first process reads its uids, gids and the whole list of supplementary groups.",
			Control:  "None: the values must be equal.",
			Settings: []string{"user.uid", "user.gid", "user.groups"}, Fix: fixUser, Refs: refsUser,
			Needs: need(Main, probe.User, "ids"), Mutations: []string{"user.root", "image.root-user", "user.other-gid", "user.extra-group"},
			Judge: judgeIdentity,
		},
		{
			ID: "user.no-escalation", Section: UserSection, Seeds: []string{"no_sudo"},
			Title:    "The agent cannot become anyone else",
			Why:      "sudo is one way up; setuid files, file capabilities and the ID-changing calls are the others.",
			Attempt:  "The user calls setuid, setgid, setresuid, setresgid and setgroups for 0, and executes our own setuid-root and file-capability programs, watching what it became. Files of the image that carry privilege are listed, never executed.",
			Control:  "Changing to its own uid succeeds, and in a twin without no-new-privileges our setuid program does give root.",
			Settings: []string{"no_new_privileges", "user.uid"}, Fix: fixNNP, Refs: []string{"CIS-Docker 5.26", "CIS-Docker 4.8", "PSS allowPrivilegeEscalation", "OWASP-Docker 4", "MITRE-ATTACK T1548.001"},
			Needs:     needs(need(Main, probe.User, "escalate"), need(Main, probe.Auditor, "fs.sweep"), need(Isolate, probe.User, "escalate")),
			Mutations: []string{"nnp.off", "nnp.off-capability", "tmpfs.exec-suid-nnp-off", "user.root", "image.suid-nnp-off", "image.file-capability-nnp-off", "image.root-user"},
			Judge:     judgeEscalation,
		},
		{
			ID: "user.no-privileged-port", Section: UserSection, Seeds: []string{"no_privileged_port_bind"},
			Title:    "The agent cannot bind ports below 1024",
			Why:      "Whoever holds port 80 or 443 is believed to be the service. Docker since 20.10 lets every user bind them, whatever the capabilities.",
			Attempt:  "The user binds TCP and UDP on ports 1, 80, 443 and 1023, IPv4 and IPv6. Nothing listens and no packet is sent.",
			Control:  "Binding 1024 and 8080 succeeds. Only EACCES counts as refused.",
			Settings: []string{"sysctls.net.ipv4.ip_unprivileged_port_start"}, Fix: fixPorts, Refs: []string{"CIS-Docker 5.8"},
			Needs: need(Main, probe.User, "bind"), Mutations: []string{"sysctl.dropped", "ns.net-host"},
			Judge: judgePrivilegedPort,
		},
		{
			ID: "user.unprivileged-port", Section: UserSection, Seeds: []string{"can_bind_unprivileged_port"},
			Title:    "The agent can serve on an ordinary port",
			Why:      "Secure and usable: development servers and test suites listen on loopback.",
			Attempt:  "The user binds, listens on and connects to port 8080 and an ephemeral port on loopback.",
			Control:  "None: success is what is asked for.",
			Settings: []string{"network", "sysctls.net.ipv4.ip_unprivileged_port_start"}, Fix: fixPorts,
			Needs: need(Main, probe.User, "bind"), Mutations: []string{"sysctl.all-ports-privileged", "seccomp.no-listen"},
			Judge: judgeUnprivilegedPort,
		},
	}
}

// accountUser asks who the container runs as.
func accountUser(in *Input, match func(uid int64) bool) account {
	a := account{
		wanted:   fmt.Sprintf("user %d:%d", in.Policy.User.UID, in.Policy.User.GID),
		wantedIs: answerOf(in.Policy.User.UID != 0),
	}
	declared := in.declared().User
	a.declared = "user " + onOff(declared == "", "of the image", declared)
	uid, _, _ := strings.Cut(declared, ":")
	if n, err := strconv.ParseInt(uid, 10, 64); err == nil {
		a.declaredIs = answerOf(match(n))
	}
	a.ask(in, func(k *kernel.State) (string, answer) {
		ok := true
		for _, u := range k.UIDs {
			ok = ok && match(u)
		}
		return fmt.Sprintf("uids %d", k.UIDs), answerOf(ok)
	})
	return a
}

func judgeNonRoot(in *Input) Result {
	a := accountUser(in, func(uid int64) bool { return uid != 0 })
	o, why := in.see(Main, probe.User, "ids")
	if why != "" {
		return a.unmeasured(why)
	}
	root, why := in.see(Main, probe.Auditor, "ids")
	if why != "" {
		return a.unmeasured(why)
	}
	uids := append(strings.Fields(o.Facts["uids"]), o.Facts["fsuid"])
	seen := fmt.Sprintf("uids %s, name %q; the auditor reads %s", strings.Join(uids, " "), o.Facts["name"], root.Facts["uids"])
	switch {
	case len(uids) != 4 || slices.Contains(uids, ""):
		return a.decide(silent, NoGrade, seen, "the uids could not be read")
	case slices.Contains(uids, "0"):
		return a.decide(off, Exercised, seen, "the agent's process has uid 0")
	case root.Facts["uids"] != "0 0 0":
		return a.decide(silent, NoGrade, seen, "the control failed: the reader run as uid 0 did not report 0")
	}
	want := in.Policy.User.Name
	name := "the image has no passwd entry for it, so the uid decides"
	if o.Facts["passwd"] == "unreadable" {
		name = "the image's passwd cannot be read, so the uid decides"
	}
	if o.Facts["passwd"] == "entry" {
		name = "the image calls it " + o.Facts["name"]
		if want != "" && want != o.Facts["name"] {
			return a.result(Fail, Exercised, seen, fmt.Sprintf("the image's passwd calls uid %s %q, not %q", uids[0], o.Facts["name"], want))
		}
	}
	return a.decide(on, Exercised, seen, "no uid of the process is 0; "+name)
}

func judgeIdentity(in *Input) Result {
	u := in.Policy.User
	a := accountUser(in, func(uid int64) bool { return uid == u.UID })
	a.wanted += fmt.Sprintf(", groups %d", u.Groups)
	o, why := in.see(Main, probe.User, "ids")
	if why != "" {
		return a.unmeasured(why)
	}
	three := func(n int64) string { return fmt.Sprint(n, n, n) }
	var extra, missing []string
	got := strings.Fields(o.Facts["groups"])
	for _, g := range got {
		n, err := strconv.ParseInt(g, 10, 64)
		if err != nil || n != u.GID && !slices.Contains(u.Groups, n) {
			extra = append(extra, g)
		}
	}
	for _, g := range u.Groups {
		if !slices.Contains(got, fmt.Sprint(g)) {
			missing = append(missing, fmt.Sprint(g))
		}
	}
	seen := fmt.Sprintf("uids %s, gids %s, groups [%s]", o.Facts["uids"], o.Facts["gids"], o.Facts["groups"])
	_, said := o.Facts["groups"]
	switch {
	case o.Facts["uids"] == "" || o.Facts["gids"] == "" || !said:
		return a.decide(silent, NoGrade, seen, "the identity could not be read")
	case o.Facts["uids"] != three(u.UID):
		return a.decide(off, Exercised, seen, "the process has other uids")
	case o.Facts["gids"] != three(u.GID):
		return a.decide(off, Exercised, seen, "the process has other gids")
	case len(extra) > 0:
		return a.decide(off, Exercised, seen, "the process is in undeclared groups: "+strings.Join(extra, ", "))
	case len(missing) > 0:
		return a.decide(off, Exercised, seen, "the process is not in declared groups: "+strings.Join(missing, ", "))
	}
	return a.decide(on, Exercised, seen, "uid, gid and groups are exactly the declared ones")
}

func judgeEscalation(in *Input) Result {
	a := accountNNP(in)
	if in.Policy.User.UID == 0 {
		a.wanted, a.wantedIs = a.wanted+", user 0", off
	}
	o, why := in.see(Main, probe.User, "escalate")
	if why != "" {
		return a.unmeasured(why)
	}
	sweep, why := in.see(Main, probe.Auditor, "fs.sweep")
	if why != "" {
		return a.unmeasured(why)
	}
	iso, why := in.see(Isolate, probe.User, "escalate")
	if why != "" {
		return a.unmeasured(why)
	}
	tried := pick(o, func(t probe.Attempt) bool { return !t.Control })
	self, ok := control(o, "setresuid to itself")
	suid, _ := attempt(iso, "execve setuid-root helper", "")
	filecap, _ := attempt(iso, "execve file-capability helper", "")
	seen := show(append(slices.Clone(tried), self)...) + "; " + privilegedFiles(sweep)
	calls := 0
	for _, t := range tried {
		if t.OK {
			return a.decide(off, Exercised, seen, t.Act+" succeeded: the agent became somebody else. "+t.Note)
		}
		if refused(t.Errno) || t.Errno == "unchanged" {
			calls++
		}
	}
	helper := o.Facts["helper:suid"]
	switch {
	case calls < len(tried) || len(tried) < 7:
		return a.decide(silent, NoGrade, seen, "not every way up could be tried and refused")
	case !ok:
		return a.decide(silent, NoGrade, seen, "the control failed: changing to its own uid was refused too")
	case helper != "setuid root":
		return a.decide(silent, NoGrade, seen, "our setuid helper arrived without its privilege ("+helper+")")
	case o.Facts["helper:filecap"] != "file capabilities" || !filecap.OK:
		return a.decide(silent, NoGrade, seen, "the control failed: our file-capability helper arrived without its capability, or gave none even without no-new-privileges")
	case !suid.OK && in.takes("user.no-escalation", FileCapability):
		return a.decide(on, Exercised, seen, "every way up was refused; this kernel ignores setuid, and the same file-capability program gave its capability where no-new-privileges is off")
	case !suid.OK:
		return a.decide(silent, NoGrade, seen, "the control failed: our setuid helper gave no root even without no-new-privileges")
	}
	return a.decide(on, Exercised, seen, "every way up was refused; the same setuid program gave root where no-new-privileges is off")
}

// privilegedFiles summarises what the sweep found on the image.
func privilegedFiles(sweep probe.Observation) string {
	if note := sweep.Facts["privileged files"]; note != "" {
		return "files of the image that carry privilege: " + note
	}
	var files []string
	for k := range sweep.Facts {
		if f, ok := strings.CutPrefix(k, "privileged:"); ok {
			files = append(files, f)
		}
	}
	slices.Sort(files)
	if len(files) == 0 {
		return "no file of the image carries privilege"
	}
	return "files of the image that carry privilege: " + few(files)
}

func judgePrivilegedPort(in *Input) Result {
	const sysctl = "net.ipv4.ip_unprivileged_port_start"
	enough := func(v string) bool { n, err := strconv.Atoi(v); return err == nil && n >= 1024 }
	w, d := in.Policy.Sysctls[sysctl], in.declared().Sysctls[sysctl]
	a := account{
		wanted: sysctl + " = " + onOff(w == "", "the engine's default, 0", w), wantedIs: answerOf(enough(w)),
		declared: sysctl + onOff(d == "", " not set", " = "+d), declaredIs: answerOf(enough(d)),
	}
	if in.undeclared("sysctls") {
		a.declared, a.declaredIs = "not reported by the engine", silent
	}
	o, why := in.see(Main, probe.User, "bind")
	if why != "" {
		return a.unmeasured(why)
	}
	held := map[string]int{}
	var broken []probe.Attempt
	tried := pick(o, func(t probe.Attempt) bool {
		return !t.Control && strings.HasPrefix(t.Act, "bind ") && !strings.Contains(t.Act, ",")
	})
	for _, t := range tried {
		switch {
		case t.OK:
			broken = append(broken, t)
		case t.Errno == "EACCES":
			held[t.Act]++
		}
	}
	ctl := pick(o, func(t probe.Attempt) bool { return t.Control && t.OK && t.On != "0" })
	seen := show(tried...)
	switch {
	case len(broken) > 0:
		return a.decide(off, Exercised, show(broken...), "port "+broken[0].On+" could be bound")
	case held["bind tcp4"] == 0 || held["bind udp4"] == 0:
		return a.decide(silent, NoGrade, seen, "no IPv4 port was refused for the right reason")
	case len(ctl) == 0:
		return a.decide(silent, NoGrade, seen, "the control failed: an unprivileged port was refused too")
	}
	return a.decide(on, Exercised, seen, fmt.Sprintf("refused with EACCES; binding port %s succeeded", ctl[0].On))
}

func judgeUnprivilegedPort(in *Input) Result {
	a := account{wanted: "ports from 1024 up can be used on loopback", wantedIs: on, declared: "network " + in.declared().Network, declaredIs: silent}
	o, why := in.see(Main, probe.User, "bind")
	if why != "" {
		return a.unmeasured(why)
	}
	tried := pick(o, func(t probe.Attempt) bool { return t.Act == "bind, listen, connect to itself" })
	if len(tried) < 2 {
		return a.decide(silent, NoGrade, show(tried...), "no attempt was made")
	}
	for _, t := range tried {
		if !t.OK && t.Errno == "EADDRINUSE" {
			return a.decide(silent, NoGrade, show(tried...), "port "+t.On+" was taken by somebody else")
		}
		if !t.OK {
			return a.decide(off, Exercised, show(tried...), "the agent could not serve on port "+t.On)
		}
	}
	return a.decide(on, Exercised, show(tried...), "bound, listened and connected")
}

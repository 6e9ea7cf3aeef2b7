package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tightship-dev/tightship/probe"
)

func secretChecks() []*Check {
	return []*Check{{
		ID: "secrets.environment", Section: Secrets, Seeds: []string{"environment_variables_secure"},
		Title:    "No credential in the environment",
		Why:      "Every process the agent starts inherits its environment, prints it in crash reports and sends it to whoever asks nicely.",
		Attempt:  "Names and values of the container's declared environment and of every readable /proc/PID/environ are compared with the formats of known credentials, with names that announce one, and with the entropy of keys. A value is never shown: only its kind, its length and a keyed hash.",
		Control:  "Every variable the engine was told to set is seen inside.",
		Settings: []string{"credentials"}, Fix: Fix{
			Policy:     "keep credentials out of env; let a broker on the host attach them",
			Docker:     "no -e KEY=… and no ENV in the image",
			Compose:    "no environment: or env_file: with credentials",
			Kubernetes: "no env from a Secret",
		}, Refs: []string{"CIS-Docker 4.10", "OWASP-Docker 12", "NIST-800-190 4.1.4", "MITRE-ATTACK T1552.007"},
		Needs:     needs(need(Main, probe.User, "secrets.env"), need(Main, probe.Auditor, "secrets.env")),
		Mutations: []string{"env.anthropic-key", "env.github-token", "env.aws-key", "env.password", "env.private-key", "env.url-password", "env.jwt", "env.random"},
		Judge:     judgeEnvironmentSecrets,
	}}
}

func judgeEnvironmentSecrets(in *Input) Result {
	d := in.declared()
	a := account{wanted: "no credential in the environment", wantedIs: on}
	// The engine's list includes what the image sets.
	var found []string
	var names []string
	for _, kv := range append(slices.Clone(in.Image.Env), d.Env...) {
		name, value, _ := strings.Cut(kv, "=")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		f, bad := probe.InspectVariable(in.HashKey, name, value)
		if !bad {
			continue
		}
		text := fmt.Sprintf("%s (%s, %d bytes, hash %s)", f.Name, f.Kind, f.Length, f.Hash)
		if !slices.Contains(found, text) {
			found = append(found, text)
		}
	}
	a.declared = plural(len(names), "variable", "variables")
	if len(found) > 0 {
		return a.decide(off, Exercised, strings.Join(found, "; "), "the container's declared environment holds "+few(found))
	}
	var seen []string
	for _, role := range []probe.Role{probe.User, probe.Auditor} {
		o, why := in.see(Main, role, "secrets.env")
		if why != "" {
			return a.unmeasured(why)
		}
		for _, t := range pick(o, func(t probe.Attempt) bool { return t.Act == "found" }) {
			found = append(found, t.On+" ("+t.Note+")")
		}
		for _, name := range names {
			if o.Facts["variable:"+name] == "" {
				return a.decide(silent, NoGrade, "", fmt.Sprintf("the control failed: %s is set but was not seen inside as %s", name, role))
			}
		}
		n, _ := strconv.Atoi(o.Facts["processes"])
		seen = append(seen, fmt.Sprintf("%s: %s", role, plural(n, "process", "processes")))
	}
	if len(found) > 0 {
		return a.decide(off, Exercised, strings.Join(found, "; "), "a process holds "+few(found))
	}
	return a.decide(on, Exercised, strings.Join(seen, "; "), fmt.Sprintf("none of %d declared variables, and nothing in any process's environment, looks like a credential", len(names)))
}

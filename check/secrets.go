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
		Mutations: []string{"env.anthropic-key", "env.github-token", "env.aws-key", "env.password", "env.private-key", "env.url-password", "env.jwt", "env.random", "image.env"},
		Judge:     judgeEnvironmentSecrets,
	}, {
		ID: "secrets.files", Section: Secrets,
		Title:    "No credential in the files where they are kept",
		Why:      "A key file is copied into an image for one build, or mounted for one command, and every agent that runs there afterwards can read it.",
		Attempt:  "The user and uid 0 read what programs keep credentials in (ssh, git, cloud and registry clients, agents) below every home of the image's passwd and every mount, and walk the homes, /run, /etc and the usual places of applications for private keys, tokens and .env files. Of what is found the path, kind, length and a keyed hash are shown, never the value.",
		Control:  "Both find a key that was planted in a home of the guest's own.",
		Settings: []string{"credentials"}, Fix: Fix{
			Policy:     "keep credentials out of the image and the mounts; let a broker on the host attach them",
			Docker:     "no COPY of a key or a token, no -v of a home, no --secret at run time; in a build RUN --mount=type=secret",
			Compose:    "no secrets: and no volumes: with credentials",
			Kubernetes: "automountServiceAccountToken: false, and no volume from a Secret",
		}, Refs: []string{"CIS-Docker 4.10", "OWASP-Docker 12", "NSA-CISA 1.11", "MITRE-ATTACK T1552.001", "MITRE-ATTACK T1552.004"},
		Needs:     needs(need(Main, probe.User, "secrets.files"), need(Main, probe.Auditor, "secrets.files")),
		Mutations: []string{"image.ssh-key", "image.npm-token", "image.git-credentials", "image.run-secret", "image.service-account"},
		Judge:     judgeSecretFiles,
	}, {
		ID: "secrets.image", Section: Secrets,
		Title:    "No credential in the image's own description",
		Why:      "The image's environment, its labels and the history of its layers, build arguments among them, are there for everybody who can pull it, also when a later layer deletes the file.",
		Attempt:  "What the engine says of the image is held against the formats of known credentials and the names that announce one: its environment, its labels, and what each layer says of how it was made.",
		Control:  "The engine reports a configuration or a history at all.",
		Settings: []string{"image"}, Fix: Fix{
			Policy:     "image: one that was built without the credential; the old one is burnt, and the credential with it",
			Docker:     "in a build RUN --mount=type=secret, and no ARG, ENV or LABEL with a credential",
			Compose:    "build.secrets in place of build.args",
			Kubernetes: "an image that was built without the credential",
		}, Refs: []string{"CIS-Docker 4.10", "OWASP-Docker 12", "NIST-800-190 4.1.4", "MITRE-ATTACK T1552.007"},
		Mutations: []string{"image.env", "image.label", "image.history"},
		Judge:     judgeImageSecrets,
	}, {
		ID: "secrets.canary", Section: Secrets,
		Title:    "Nothing of the user's environment and home comes in",
		Why:      "Whoever starts a container has every key of theirs in their environment and their home. One flag too many hands over all of it, whatever it is called.",
		Attempt:  "Before the container starts, a worthless random value is put into the verifier's own environment and another into a file below its home. The user and uid 0 look for the first in every environment they can read, and for the file, by each end of its path and by its content, in every mount.",
		Control:  "Both find another variable in their own environment, and the file's copy in a home of the guest's own.",
		Settings: []string{"workspace.source"}, Fix: Fix{
			Policy:     "workspace.source: a project's directory, never a home",
			Docker:     "no -v of a home or of what is above it, and no --env-file of a whole environment",
			Compose:    "no volumes: from ~, and no env_file: of a whole environment",
			Kubernetes: "no hostPath",
		}, Refs: []string{"CIS-Docker 5.6", "PSS hostPathVolumes", "MITRE-ATTACK T1552.001"},
		Needs:     needs(need(Main, probe.User, "secrets.canary"), need(Main, probe.Auditor, "secrets.canary")),
		Mutations: []string{"mount.home-cache", "mount.host-root", "env.verifiers"},
		Judge:     judgeCanary,
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

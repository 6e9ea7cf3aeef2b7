package check

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
)

// IDs of the environment section; those with [*] are templates.
const (
	commandTemplate   = "env.command[*]"
	packageTemplate   = "env.python-package[*]"
	gitIdentity       = "env.git-identity"
	gitNonInteractive = "env.git-noninteractive"
)

func environmentChecks() []*Check {
	fix := Fix{
		Policy:     "environment: what must work inside",
		Docker:     "install it in the image, where the agent's user finds it on PATH",
		Compose:    "as docker",
		Kubernetes: "as docker",
	}
	fixGit := Fix{
		Policy:     "environment: {git: {user.name: '.+', user.email: '.+', noninteractive: true}}",
		Docker:     "git config --system user.name … in the image, and -e GIT_TERMINAL_PROMPT=0",
		Compose:    "environment: {GIT_TERMINAL_PROMPT: \"0\"}",
		Kubernetes: "env: [{name: GIT_TERMINAL_PROMPT, value: \"0\"}]",
	}
	return []*Check{
		{
			ID: commandTemplate, Section: Environment,
			Seeds:    []string{"python_version", "node_version", "npm_version", "git_version", "claude_cli_installed"},
			Title:    "A program the agent needs works inside",
			Why:      "Secure and usable: a hardened container in which the tools do not start is switched off by lunchtime.",
			Attempt:  "The program is executed without a shell, as the agent's user, with a time limit, in the fully hardened twin; what it prints must match.",
			Control:  "None: success is what is asked for.",
			Settings: []string{"environment.commands"}, Fix: fix,
			Needs: need(Main, probe.User, "env.commands"), Mutations: []string{"env.no-path"},
			Judge: func(*Input) Result { return Result{} },
		},
		{
			ID: packageTemplate, Section: Environment, Seeds: []string{"python_packages_installed"},
			Title:    "A Python package the agent needs can be imported",
			Why:      "Found is not importable: a missing library or an unreadable file shows only on import.",
			Attempt:  "Python imports it, as the agent's user, in the hardened twin.",
			Control:  "None: success is what is asked for.",
			Settings: []string{"environment.python_packages"}, Fix: fix,
			Needs: need(Main, probe.User, "env.python"), Mutations: []string{"env.no-path", "env.no-python-home"},
			Judge: func(*Input) Result { return Result{} },
		},
		{
			ID: gitIdentity, Section: Environment, Seeds: []string{"git_configured"},
			Title:    "git knows who commits",
			Why:      "Without an identity the first commit fails, late and far from the cause.",
			Attempt:  "git config --get user.name and user.email, as the agent's user.",
			Control:  "None: the values must match the policy's patterns.",
			Settings: []string{"environment.git.user.name", "environment.git.user.email"}, Fix: fixGit,
			Needs: need(Main, probe.User, "env.git"), Mutations: []string{"env.no-path", "env.no-git-config"},
			Judge: judgeGitIdentity,
		},
		{
			ID: gitNonInteractive, Section: Environment, Seeds: []string{"git_configured"},
			Title:    "A fetch that needs a password fails instead of waiting",
			Why:      "A prompt that nobody answers hangs an unattended agent for as long as it is allowed to run.",
			Attempt:  "git fetches from a server on loopback that demands a password; it has a terminal, so that it could ask.",
			Control:  "The server did ask for the password.",
			Settings: []string{"environment.git.noninteractive"}, Fix: fixGit,
			Needs: need(Main, probe.User, "env.git"), Mutations: []string{"env.no-path", "env.git-prompt"},
			Judge: judgeGitNonInteractive,
		},
	}
}

// commandSeeds names the original suite's tests that a command replaces.
func commandSeeds(name string) []string {
	for prefix, seed := range map[string]string{
		"python": "python_version", "node": "node_version", "npm": "npm_version", "git": "git_version", "claude": "claude_cli_installed",
	} {
		if strings.HasPrefix(name, prefix) {
			return []string{seed}
		}
	}
	return nil
}

// ranAt returns the i-th attempt of an act: attempts come in the plan's order.
func ranAt(o probe.Observation, act string, i int, on string) (probe.Attempt, bool) {
	tried := pick(o, func(t probe.Attempt) bool { return t.Act == act })
	if i >= len(tried) || tried[i].On != on {
		return probe.Attempt{}, false
	}
	return tried[i], true
}

func judgeCommand(in *Input, i int, cmd policy.Command) Result {
	a := account{wanted: strings.Join(cmd.Run, " ") + " prints /" + cmd.Expect + "/", wantedIs: on}
	o, why := in.see(Main, probe.User, "env.commands")
	if why != "" {
		return a.unmeasured(why)
	}
	t, ok := ranAt(o, "run", i, strings.Join(cmd.Run, " "))
	if !ok {
		return a.unmeasured("the command was not run")
	}
	if r, bad := a.ended(t); bad {
		return r
	}
	seen := fmt.Sprintf("exit 0, printed %q", t.Note)
	re, err := regexp.Compile(cmd.Expect)
	if err != nil {
		return a.decide(silent, NoGrade, seen, "the policy's pattern does not compile: "+err.Error())
	}
	if !re.MatchString(t.Note) {
		return a.decide(off, Exercised, seen, "what it printed does not match")
	}
	return a.decide(on, Exercised, seen, "it ran and printed what was expected")
}

// ended judges how one of the image's programs ended.
func (a account) ended(t probe.Attempt) (Result, bool) {
	switch {
	case t.OK:
		return Result{}, false
	case t.Errno == "timeout":
		return a.decide(off, Exercised, "no answer within the time limit", "it hangs"), true
	case t.Errno == "ENOENT":
		return a.decide(off, Exercised, "execve: ENOENT", "it is not in the image, or not on PATH"), true
	case t.Errno != "error":
		return a.decide(off, Exercised, "execve: "+t.Errno, "it cannot be executed"), true
	}
	return a.decide(off, Exercised, fmt.Sprintf("failed, printed %q", t.Note), "it ended with an error"), true
}

func judgePackage(in *Input, i int, name string) Result {
	a := account{wanted: "import " + name, wantedIs: on}
	o, why := in.see(Main, probe.User, "env.python")
	if why != "" {
		return a.unmeasured(why)
	}
	t, ok := ranAt(o, "import", i, name)
	if !ok {
		return a.unmeasured("the import was not tried")
	}
	if r, bad := a.ended(t); bad {
		return r
	}
	return a.decide(on, Exercised, "exit 0", "Python imported it")
}

func judgeGitIdentity(in *Input) Result {
	g := in.Policy.Environment.Git
	a := account{wanted: fmt.Sprintf("user.name /%s/, user.email /%s/", g.UserName, g.UserEmail), wantedIs: on}
	o, why := in.see(Main, probe.User, "env.git")
	if why != "" {
		return a.unmeasured(why)
	}
	tried := pick(o, func(t probe.Attempt) bool { return t.Act == "git config --get" })
	for key, pattern := range map[string]string{"user.name": g.UserName, "user.email": g.UserEmail} {
		if pattern == "" {
			continue
		}
		t, ok := attempt(o, "git config --get", key)
		if !ok {
			return a.unmeasured("git was not asked for " + key)
		}
		seen := fmt.Sprintf("%s: %q", show(tried...), t.Note)
		re, err := regexp.Compile(pattern)
		switch {
		case t.Errno == "ENOENT":
			return a.decide(off, Exercised, seen, "git is not in the image, or not on PATH")
		case err != nil:
			return a.decide(silent, NoGrade, seen, "the policy's pattern does not compile: "+err.Error())
		case !t.OK || !re.MatchString(t.Note):
			return a.decide(off, Exercised, seen, key+" is not set, or does not match")
		}
	}
	return a.decide(on, Exercised, show(tried...), "both are set and match")
}

func judgeGitNonInteractive(in *Input) Result {
	a := account{wanted: "git fails at once where it would need a password", wantedIs: on}
	env := slices.Concat(in.Image.Env, in.declared().Env)
	a.declared = onOff(slices.Contains(env, "GIT_TERMINAL_PROMPT=0"), "GIT_TERMINAL_PROMPT=0", "GIT_TERMINAL_PROMPT is not 0")
	o, why := in.see(Main, probe.User, "env.git")
	if why != "" {
		return a.unmeasured(why)
	}
	t, ok := attempt(o, "git ls-remote with a terminal", "")
	_, asked := control(o, "the repository asked for a password")
	seen := show(t)
	switch {
	case !ok:
		return a.unmeasured("no fetch was tried: " + show(o.Attempts...))
	case t.Errno == "ENOENT":
		return a.decide(off, Exercised, seen, "git is not in the image, or not on PATH")
	case t.Errno == "prompted" || t.Errno == "hung":
		return a.decide(off, Exercised, seen, "git "+t.Errno+": an unattended agent would wait for ever")
	case t.OK || !asked:
		return a.decide(silent, NoGrade, seen, "the control failed: the server was never asked for a password")
	}
	return a.decide(on, Exercised, seen, "the server demanded a password and git gave up at once")
}

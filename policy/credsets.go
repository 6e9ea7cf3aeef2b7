package policy

import (
	"slices"
	"strings"
)

// portPlaceholder is what a value of Credential.Sets may hold besides text.
const portPlaceholder = "{port}"

// taken is variables that say which programs and libraries run, or that are
// the container's own: a line about a credential must not change those.
var taken = []string{
	"BASH_ENV", "CDPATH", "ENV", "GCONV_PATH", "GIT_EXEC_PATH", "GIT_SSH", "GIT_SSH_COMMAND", "GLIBC_TUNABLES", "HOME", "IFS",
	"JAVA_TOOL_OPTIONS", "LOGNAME", "NODE_OPTIONS", "NODE_PATH", "PATH", "PERL5LIB", "PERL5OPT", "PROMPT_COMMAND", "PS4", "PWD",
	"PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "RUBYLIB", "RUBYOPT", "SHELL", "TMPDIR", "USER",
}

// takenPrefixes is families of the same: the dynamic loader's, the shell's functions,
// git's configuration, in which there are programs, and what the guest is told.
var takenPrefixes = []string{"LD_", "DYLD_", "BASH_FUNC_", "GIT_CONFIG", "TIGHTSHIP_"}

// variable wants the name of a variable that the agent can be given.
func variable(name string) string {
	switch {
	case len(name) > maxWord || !variableRE.MatchString(name):
		return "is not the name of a variable"
	case slices.Contains(taken, name),
		slices.ContainsFunc(takenPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }):
		return "changes which programs run or how, and is not for a credential to set"
	}
	return ""
}

// standIn wants what the agent is told in place of a credential.
func standIn(s string) (string, string) {
	switch {
	case len(s) > maxFrom:
		return "is too long for a variable", ""
	case !printable(s):
		return "want a value on one line", ""
	case keyLike(s):
		return "looks like a credential, which must never be in the container; write a stand-in with placeholder in it", ""
	case strings.ContainsAny(strings.ReplaceAll(s, portPlaceholder, ""), "{}"):
		return "knows no other placeholder than " + portPlaceholder, ""
	}
	return "", ""
}

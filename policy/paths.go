package policy

import (
	"path"
	"strings"
	"unicode"
)

// YAML limits a key to 1024 characters, and a mount point is a key.
const maxMountPoint = 500

// mountPoint wants a place in the container where something can be mounted
// without breaking the container or hiding what the kernel and the runtime put
// there.
func mountPoint(p string) (string, string) {
	switch {
	case p == "":
		return "is empty, want an absolute path", ""
	case len(p) > maxMountPoint:
		return "is too long for a mount point", ""
	case !printable(p):
		return "holds a character that cannot be printed", ""
	case !path.IsAbs(p):
		return "want an absolute path, found " + quoted(p), ""
	case path.Clean(p) != p:
		// Also catches "..", a doubled slash and one at the end: two ways of
		// writing one mount point would be two mounts.
		return "want a path without \"..\", \".\", doubled or closing slashes, found " + quoted(p), path.Clean(p)
	case p == "/":
		return "must not cover the root of the container", ""
	case p == "/dev", p == "/proc", p == "/sys", strings.HasPrefix(p, "/proc/"), strings.HasPrefix(p, "/sys/"):
		return "must not cover " + p + ", which belongs to the runtime", ""
	}
	return "", ""
}

// hostPath wants a path on the engine's host, relative or absolute.
func hostPath(p string) (string, string) {
	switch {
	case p == "":
		return "is empty, want a path", ""
	case !printable(p):
		return "holds a character that cannot be printed", ""
	case p == "~" || strings.HasPrefix(p, "~/"):
		// A shell would have expanded it; here it would be a directory of
		// that name.
		return "~ is not expanded here, write the path in full", ""
	}
	return "", ""
}

// seccompValue wants one of the words, or a path that cannot be taken for a
// misspelt word.
func seccompValue(s string) (string, string) {
	words := []string{SeccompDefault, SeccompUnconfined}
	switch {
	case s == "strict":
		return notYet(s), ""
	case s == SeccompDefault, s == SeccompUnconfined:
		return "", ""
	case !strings.ContainsAny(s, "./"):
		return "want default, unconfined or a file (with a / or . in its name), found " + quoted(s), Nearest(s, words)
	}
	return hostPath(s)
}

// notYet is for what the format foresees and this program cannot do: taking it
// quietly would promise a protection that is not there.
func notYet(what string) string {
	return quoted(what) + " is not supported by this version"
}

func printable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

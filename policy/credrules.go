package policy

import (
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
)

const (
	namePattern     = `^[a-z0-9][a-z0-9._-]{0,62}$`
	variablePattern = `^[A-Za-z_][A-Za-z0-9_]*$`
	// tokenPattern is a header's name (RFC 9110, section 5.6.2).
	tokenPattern     = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
	parameterPattern = `^[A-Za-z0-9._~-]+$`
	methodPattern    = `^[A-Z][A-Z0-9_-]*$`
	// basePath is a path that needs no encoding, so that there is one way to
	// write it.
	basePath = `(/[A-Za-z0-9._~-]+)+`
	// hostPattern is lower case and has a letter in its last label: there are
	// programs that read 127.1, 0x7f.1 and 2130706433 as addresses.
	label       = `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`
	hostPattern = `^(` + label + `\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`
	portPattern = `^[1-9][0-9]{0,4}$`

	maxWord = 200 // of what ends up in headers, logs and messages
	maxFrom = 1000
)

var (
	nameRE      = regexp.MustCompile(namePattern)
	variableRE  = regexp.MustCompile(variablePattern)
	tokenRE     = regexp.MustCompile(tokenPattern)
	parameterRE = regexp.MustCompile(parameterPattern)
	methodRE    = regexp.MustCompile(methodPattern)
	listenRE    = regexp.MustCompile(`^(/|` + basePath + `)$`)
	baseRE      = regexp.MustCompile(`^` + basePath + `$`)
	hostRE      = regexp.MustCompile(hostPattern)
	portRE      = regexp.MustCompile(portPattern)
)

// What the format foresees and this version has not.
var (
	laterSources = []string{"vault", "op", "pass", "bitwarden", "aws", "gcp", "azure", "kubernetes"}
	laterStyles  = []string{"aws-sigv4", "ssh"}
)

const movedOut = "looks like a credential itself. Keep it out of this file"

func credentialName(s string) (string, string) {
	if knownKey(s) {
		return movedOut, ""
	}
	return matching(nameRE, "a name of a-z, 0-9, dots, dashes and underscores")(s)
}

// source wants the place where a credential's value is. What is refused can be
// the value itself, so that nothing of it is repeated.
func source(s string) (string, string) {
	const moved = movedOut + " and say where it is: env:VARIABLE, file:PATH, exec:COMMAND, age:FILE, keyring:NAME or oauth:FILE"
	kind, rest, colon := strings.Cut(s, ":")
	switch {
	case len(s) > maxFrom:
		return "is too long for the place of a credential", ""
	case !printable(s):
		return "holds a character that cannot be printed", ""
	case knownKey(s):
		return moved, ""
	case colon && slices.Contains(laterSources, kind):
		return notYet(kind), ""
	case !slices.Contains(Sources, kind) && keyLike(s):
		return moved, ""
	case !slices.Contains(Sources, kind):
		return "want KIND:WHERE, the kinds are " + strings.Join(Sources, ", "), Nearest(kind, Sources)
	}
	switch kind {
	case "env":
		switch {
		case colon && keyLike(rest):
			return moved, ""
		case colon && !variableRE.MatchString(rest):
			return "want env, or env: and the name of a variable", ""
		}
	case "keyring":
		switch {
		case keyLike(rest):
			return moved, ""
		case strings.TrimSpace(rest) == "" || strings.TrimSpace(rest) != rest:
			return "want keyring: and the name of an entry", ""
		}
	case "exec":
		if strings.TrimSpace(rest) == "" {
			return "want exec: and a command that prints the credential", ""
		}
	default:
		if problem, _ := homePath(rest); problem != "" {
			return "the path after " + kind + ": " + problem, ""
		}
	}
	return "", ""
}

// optionalPath is homePath, or "".
func optionalPath(p string) (string, string) {
	if p == "" {
		return "", ""
	}
	return homePath(p)
}

// homePath wants a path for HostPath.
func homePath(p string) (string, string) {
	if p == "~" || strings.HasPrefix(p, "~") && !strings.HasPrefix(p, "~/") {
		return "want ~/ and the rest, only your own home is known", ""
	}
	return hostPath(strings.TrimPrefix(p, "~/"))
}

// listen wants a path with one way to write it.
func listen(s string) (string, string) {
	switch {
	case len(s) > maxWord:
		return "is too long for a path to listen at", ""
	case !strings.HasPrefix(s, "/"):
		return "want a path that begins with /, found " + quoted(s), "/" + s
	case path.Clean(s) != s:
		return "want a path without \"..\", \".\", doubled or closing slashes, found " + quoted(s), path.Clean(s)
	case !listenRE.MatchString(s):
		return "want a path of letters, digits, dots, dashes, _ and ~, found " + quoted(s), ""
	}
	return "", ""
}

// upstream wants the URL of a server. It may have been copied with a password
// in it, so that nothing of it is repeated.
func upstream(s string) (string, string) {
	rest, https := strings.CutPrefix(s, "https://")
	authority, _, _ := strings.Cut(rest, "/")
	base := rest[len(authority):]
	host, port, hasPort := splitPort(authority)
	a, byAddr := upstreamAddr(s)
	switch {
	case len(s) > maxWord:
		return "is too long for the URL of a server", ""
	case strings.HasPrefix(s, "http://"):
		return "want https://, a credential is never sent in the clear", ""
	case !https:
		return "want https://HOST[:PORT][/BASE]", ""
	case strings.Contains(s, "@"):
		return "must not name a user or password; attach says how the credential is sent", ""
	case strings.ContainsAny(s, "?#"):
		return "must not have a query or a fragment, only https://HOST[:PORT][/BASE]", ""
	case strings.HasPrefix(host, "[") != strings.Contains(host, ":"),
		byAddr && a.Zone() != "", !byAddr && !hostRE.MatchString(host):
		return "want a host's name in lower case, or its address, after https://", ""
	case hasPort && !portRE.MatchString(port), len(port) == 5 && port > "65535":
		return "want a port between 1 and 65535 after the host", ""
	case base == "/":
		return "want no slash at the end", strings.TrimSuffix(s, "/")
	case base != "" && (!baseRE.MatchString(base) || path.Clean(base) != base):
		return "want a path of letters, digits, dots, dashes, _ and ~ behind the host, without \"..\", \".\", doubled or closing slashes", ""
	}
	return "", ""
}

// splitPort parts HOST:PORT, where an IPv6 host is in brackets.
func splitPort(authority string) (host, port string, found bool) {
	colon := strings.LastIndexByte(authority, ':')
	if colon < 0 || strings.HasSuffix(authority, "]") {
		return authority, "", false
	}
	return authority[:colon], authority[colon+1:], true
}

// upstreamAddr is the address that an upstream is named by, if it is.
func upstreamAddr(upstream string) (netip.Addr, bool) {
	authority, _, _ := strings.Cut(strings.TrimPrefix(upstream, "https://"), "/")
	host, _, _ := splitPort(authority)
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	return a, err == nil
}

// notAttachable is headers that say how a message is sent, or to whom: changed
// by the broker, they would make another message of it.
var notAttachable = []string{
	"accept-encoding", "connection", "content-encoding", "content-length", "content-type", "date", "expect",
	"forwarded", "host", "keep-alive", "range", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "via",
}

func headerName(s string) (string, string) {
	lower := strings.ToLower(s)
	switch {
	case keyLike(s):
		return movedOut + "; this is the name of a header", ""
	case len(s) > maxWord || !tokenRE.MatchString(s):
		return "want the name of a header", ""
	case slices.Contains(notAttachable, lower), strings.HasPrefix(lower, "proxy-"),
		strings.HasPrefix(lower, "sec-"), strings.HasPrefix(lower, "x-forwarded-"):
		return "a credential cannot be in the header " + quoted(s) + ", which says how the request is sent", ""
	}
	return "", ""
}

func userName(s string) (string, string) {
	switch {
	case keyLike(s):
		return movedOut + "; this is the name of a user, and the credential is the password", ""
	case len(s) > maxWord || !printable(s) || strings.Contains(s, ":"):
		return "want the name of a user, without a colon", ""
	}
	return "", ""
}

func parameterName(s string) (string, string) {
	switch {
	case keyLike(s):
		return movedOut + "; this is the name of a parameter", ""
	case len(s) > maxWord || !parameterRE.MatchString(s):
		return "want the name of a parameter, of letters, digits, dots, dashes, _ and ~", ""
	}
	return "", ""
}

func method(s string) (string, string) {
	switch {
	case s == "CONNECT" || s == "TRACE":
		return s + " is never allowed", ""
	case len(s) > maxWord || !methodRE.MatchString(s):
		return "want a method in upper case, found " + quoted(s), methodMeant(s)
	}
	return "", ""
}

func methodMeant(s string) string {
	if up := strings.ToUpper(s); len(s) <= maxWord && methodRE.MatchString(up) {
		return up
	}
	return ""
}

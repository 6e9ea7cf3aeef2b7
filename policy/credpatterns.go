package policy

import (
	"regexp"
	"slices"
	"strings"
)

// maxPattern keeps one request from costing more than its own length in work.
const maxPattern = 500

// stars says what is wrong with the segments of a pattern, which is cut at its
// slashes.
func stars(segments []string) string {
	for _, s := range segments {
		switch {
		case s == "." || s == "..":
			return `must not have a segment "." or ".."`
		case s != "**" && strings.Contains(s, "**"):
			return "has ** as a part of a segment, where it can only be a whole one; * is a part"
		}
	}
	return ""
}

// pathPattern wants a pattern for Allow.Matches.
func pathPattern(s string) (string, string) {
	switch {
	case len(s) > maxPattern:
		return "is too long for a path", ""
	case !printable(s):
		return "holds a character that cannot be printed", ""
	case !strings.HasPrefix(s, "/"):
		return "want a path that begins with /, found " + quoted(s), "/" + s
	case strings.ContainsAny(s, "?#"):
		return "want the path alone, the query is not looked at; found " + quoted(s), s[:strings.IndexAny(s, "?#")]
	case strings.Contains(strings.ReplaceAll(s, encodedSlash, ""), "%"):
		return "want the path as it is decoded, with nothing encoded but a slash (%2f); found " + quoted(s), ""
	case strings.ContainsAny(s, `\[]{}`):
		return "knows * (in a segment) and ** (any number of segments) and no other pattern, found " + quoted(s), ""
	case strings.Contains(s, "//"):
		return "has an empty segment, found " + quoted(s), ""
	}
	if problem := stars(strings.Split(s[1:], "/")); problem != "" {
		return problem + ", found " + quoted(s), ""
	}
	return "", ""
}

var repositoryRE = regexp.MustCompile(repositoryPattern)

const repositoryPattern = `^[A-Za-z0-9._~*-]+(/[A-Za-z0-9._~*-]+)*$`

// repository wants a pattern of a repository's path on its server.
func repository(s string) (string, string) {
	switch {
	case len(s) > maxPattern:
		return "is too long for a repository", ""
	case !repositoryRE.MatchString(s):
		return "want a repository's path as acme/widget or acme/*, found " + quoted(s), repositoryMeant(s)
	case strings.HasSuffix(s, ".git"):
		return "want the path without .git, which requests may have or not; found " + quoted(s), strings.TrimSuffix(s, ".git")
	}
	if problem := stars(strings.Split(s, "/")); problem != "" {
		return problem + ", found " + quoted(s), ""
	}
	return "", ""
}

func repositoryMeant(s string) string {
	if trimmed := strings.Trim(s, "/"); repositoryRE.MatchString(trimmed) {
		return trimmed
	}
	return ""
}

// ref wants a pattern of refs, in which * stands for what git-check-ref-format(1)
// allows in a ref.
func ref(s string) (string, string) {
	segments := strings.Split(s, "/")
	switch {
	case len(s) > maxPattern:
		return "is too long for a ref", ""
	case !printable(s):
		return "holds a character that cannot be printed", ""
	case !strings.HasPrefix(s, "refs/"):
		return "want a ref in full, found " + quoted(s), refMeant(s)
	case strings.ContainsAny(s, ` ~^:?[\`) || strings.Contains(s, "..") || strings.Contains(s, "@{") || strings.HasSuffix(s, "."),
		slices.ContainsFunc(segments, func(seg string) bool {
			return seg == "" || strings.HasPrefix(seg, ".") || strings.HasSuffix(seg, ".lock")
		}):
		return "cannot be a ref's name (git check-ref-format), found " + quoted(s), ""
	}
	if problem := stars(segments); problem != "" {
		return problem + ", found " + quoted(s), ""
	}
	return "", ""
}

// refMeant is the branch that a short name stands for; a + in front is how git
// push writes that it is forced.
func refMeant(s string) string {
	s = strings.TrimPrefix(s, "+")
	if strings.HasPrefix(s, "refs/") {
		return s
	}
	return "refs/heads/" + strings.TrimPrefix(s, "heads/")
}

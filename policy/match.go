package policy

import (
	"slices"
	"strings"
)

// encodedSlash is an encoded slash in paths and patterns that are decoded.
const encodedSlash = "%2f"

// Matches reports whether a request may be made. The path is what follows
// Route.Listen, decoded and without the query: "/" where nothing follows.
//
// A pattern is matched segment by segment, and as a whole. * is any characters
// of one segment, but not a segment that is empty; a segment ** is any number of
// segments, also none. An encoded slash stays %2f in both (in lower case): it
// separates nothing, and no star stands for it. Everything else is itself:
//
//	/v1/messages     /v1/messages
//	/v1/models/*     /v1/models/a, not /v1/models/ and not /v1/models/a/b
//	/v1/files-*      /v1/files-, /v1/files-a
//	/repos/**        /repos, /repos/, /repos/a, /repos/a/b
//
// A path that an upstream could read as another one (an empty segment that is
// not the last, "." or "..") matches nothing.
func (a Allow) Matches(method, path string) bool {
	if !slices.Contains(a.Methods, method) || !strings.HasPrefix(path, "/") {
		return false
	}
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		if s == "." || s == ".." || s == "" && i < len(segments)-1 {
			return false
		}
	}
	return slices.ContainsFunc(a.Paths, func(pattern string) bool {
		return strings.HasPrefix(pattern, "/") &&
			// As many in the one as in the other leaves none for a star.
			strings.Count(pattern, encodedSlash) == strings.Count(path, encodedSlash) &&
			wild(strings.Split(pattern[1:], "/"), segments, func(p string) bool { return p == "**" }, matchSegment)
	})
}

// matchSegment keeps * from matching an empty segment: /models/ is the list,
// and not a model without a name.
func matchSegment(pattern, segment string) bool {
	if segment == "" {
		return pattern == ""
	}
	return wild([]byte(pattern), []byte(segment), func(p byte) bool { return p == '*' }, func(p, s byte) bool { return p == s })
}

// wild matches a text with a pattern in which stars stand for any run of the
// text. Going back to the last star is enough, which keeps the time within the
// product of the two lengths: whatever an earlier star could have taken, the
// last one can take too.
func wild[T any](pattern, text []T, star func(T) bool, one func(pattern, text T) bool) bool {
	p, t := 0, 0
	lastStar, resume := -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && star(pattern[p]):
			lastStar, resume = p, t
			p++
		case p < len(pattern) && one(pattern[p], text[t]):
			p++
			t++
		case lastStar >= 0:
			resume++
			p, t = lastStar+1, resume
		default:
			return false
		}
	}
	for p < len(pattern) && star(pattern[p]) {
		p++
	}
	return p == len(pattern)
}

package policy

import (
	"strings"
	"testing"
)

func TestMatches(t *testing.T) {
	for _, row := range []struct {
		name, pattern, path string
		want                bool
	}{
		{"itself", "/v1/messages", "/v1/messages", true},
		{"more", "/v1/messages", "/v1/messages/batches", false},
		{"less", "/v1/messages", "/v1", false},
		{"a longer segment", "/v1/messages", "/v1/messagesx", false},
		{"a closing slash more", "/v1/messages", "/v1/messages/", false},
		{"a closing slash less", "/simple/*/", "/simple/a", false},
		{"a closing slash", "/simple/*/", "/simple/a/", true},
		{"case", "/V1", "/v1", false},
		{"the root", "/", "/", true},
		{"more than the root", "/", "/a", false},
		{"no path", "/", "", false},
		{"a relative path", "/a", "a", false},
		{"a relative pattern", "a", "/a", false},
		{"no pattern", "", "/", false},

		{"a segment", "/v1/models/*", "/v1/models/a", true},
		{"a segment that is empty", "/v1/models/*", "/v1/models/", false},
		{"two segments", "/v1/models/*", "/v1/models/a/b", false},
		{"a segment in the middle", "/repos/*/issues", "/repos/a/issues", true},
		{"no segment in the middle", "/repos/*/issues", "/repos/issues", false},
		{"the end of a segment", "/files-*", "/files-a", true},
		{"the end of a segment, empty", "/files-*", "/files-", true},
		{"the start of a segment", "/*.json", "/a.json", true},
		{"the middle of a segment", "/a*b*c", "/axbbxxc", true},
		{"the middle of a segment, wrong end", "/a*b*c", "/axbxd", false},
		{"a star is not a dot", "/a.b", "/axb", false},
		{"a question mark is itself", "/a?", "/ab", false},
		{"beyond ASCII", "/*é", "/aé", true},

		{"everything", "/**", "/a/b/c", true},
		{"everything and the root", "/**", "/", true},
		{"any number", "/repos/**", "/repos/a/b", true},
		{"none", "/repos/**", "/repos", true},
		{"none and a slash", "/repos/**", "/repos/", true},
		{"another segment that begins the same", "/repos/**", "/reposx", false},
		{"in the middle", "/a/**/z", "/a/b/c/z", true},
		{"in the middle, none", "/a/**/z", "/a/z", true},
		{"in the middle, wrong end", "/a/**/z", "/a/b/c/y", false},
		{"twice", "/**/a/**/b", "/x/a/a/b/y/b", true},
		{"twice, wrong end", "/**/a/**/b", "/x/a/a/b/y", false},
		{"back to the last one", "/**/a/*/c", "/a/a/a/c", true},
		{"as a part it is two stars", "/a**", "/a/b", false},

		{"up", "/**", "/a/../b", false},
		{"up at the end", "/**", "/a/..", false},
		{"here", "/**", "/./a", false},
		{"up as a star", "/*/b", "/../b", false},
		{"up as itself", "/../b", "/../b", false},
		{"an empty segment", "/**", "//a", false},
		{"an empty segment in the middle", "/a/**", "/a//b", false},
		{"dots that are a name", "/*", "/...", true},

		{"an encoded slash", "/projects/a%2fb/*", "/projects/a%2fb/c", true},
		{"an encoded slash is no separator", "/projects/*/*", "/projects/a%2fb", false},
		{"an encoded slash for a star", "/projects/*", "/projects/a%2fb", false},
		{"an encoded slash for two stars", "/projects/**", "/projects/a%2fb", false},
		{"an encoded slash more for a star", "/a%2fb/*", "/a%2fb/c%2fd", false},
		{"stars about an encoded slash", "/*%2f*", "/a%2fb", true},
		{"an encoded slash that is not there", "/a%2fb", "/a/b", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := Allow{Methods: []string{"GET"}, Paths: []string{"/never", row.pattern}}
			if got := a.Matches("GET", row.path); got != row.want {
				t.Errorf("%s on %s is %v", row.pattern, row.path, got)
			}
		})
	}
}

func TestMatchesMethod(t *testing.T) {
	a := Allow{Methods: []string{"GET", "POST"}, Paths: []string{"/a"}}
	for method, want := range map[string]bool{"GET": true, "POST": true, "HEAD": false, "get": false, "PUT": false, "": false} {
		if a.Matches(method, "/a") != want {
			t.Errorf("%q is not %v", method, want)
		}
	}
	if (Allow{}).Matches("", "/") || (Allow{Methods: []string{""}}).Matches("", "/") {
		t.Error("nothing allows something")
	}
}

// slowly is what a pattern means, tried in every way.
func slowly(pattern, path []string) bool {
	switch {
	case len(pattern) == 0:
		return len(path) == 0
	case pattern[0] == "**":
		return slowly(pattern[1:], path) || len(path) > 0 && slowly(pattern, path[1:])
	}
	return len(path) > 0 && slowSegment(pattern[0], path[0], true) && slowly(pattern[1:], path[1:])
}

func slowSegment(pattern, segment string, first bool) bool {
	switch {
	case pattern == "" || first && segment == "":
		return pattern == segment
	case pattern[0] == '*':
		return slowSegment(pattern[1:], segment, false) ||
			segment != "" && !strings.HasPrefix(segment, "%2f") && slowSegment(pattern, segment[1:], false)
	}
	return segment != "" && pattern[0] == segment[0] && slowSegment(pattern[1:], segment[1:], false)
}

// The quick way says what the slow way says, and a path that leads elsewhere
// matches nothing.
func FuzzMatches(f *testing.F) {
	for _, s := range []string{"/a/b /a/b", "/a/* /a/b", "/** /", "/**/a/**/b /x/a/a/b/y/b", "/a*b*c /axbbc", "/*%2f* /a%2fb", "/*/ /a/", "/** /a/../b", "/a/**/ /a/"} {
		pattern, path, _ := strings.Cut(s, " ")
		f.Add(pattern, path)
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if len(pattern)+len(path) > 40 || strings.Count(pattern, "*") > 6 {
			t.Skip("the slow way is exponential")
		}
		got := Allow{Methods: []string{"GET"}, Paths: []string{pattern}}.Matches("GET", path)
		// ** takes whole segments, which have no encoded slash.
		want := strings.HasPrefix(pattern, "/") && strings.HasPrefix(path, "/") && strings.Count(pattern, "%2f") == strings.Count(path, "%2f") &&
			slowly(strings.Split(pattern, "/")[1:], strings.Split(path, "/")[1:])
		for i, s := range strings.Split(path, "/") {
			if s == "." || s == ".." || s == "" && i > 0 && i < strings.Count(path, "/") {
				want = false
			}
		}
		if got != want {
			t.Errorf("%q on %q is %v, want %v", pattern, path, got, want)
		}
	})
}

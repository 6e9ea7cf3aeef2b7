package broker

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tightship-dev/tightship/broker/front"
	"github.com/tightship-dev/tightship/policy"
)

// table is a policy's routes, the longest first.
type table struct {
	rules []*rule
}

// rule is a credential as the front looks it up.
type rule struct {
	*policy.Credential
	// prefix is Listen without a slash at its end.
	prefix string
	// spelled are the allow lines that name an encoded slash, and only those.
	spelled []policy.Allow
}

// encodedSlash is how an encoded slash is written in patterns, and in the paths that
// are matched with them: it is no separator there, and no * stands for it.
const encodedSlash = "%2f"

func newTable(p *policy.Policy) *table {
	t := &table{}
	for i := range p.Credentials {
		c := &p.Credentials[i]
		r := &rule{Credential: c, prefix: strings.TrimSuffix(c.Route.Listen, "/")}
		for _, a := range c.Allow {
			s := policy.Allow{Methods: a.Methods}
			for _, path := range a.Paths {
				if lower := foldSlash(path); strings.Contains(lower, encodedSlash) {
					s.Paths = append(s.Paths, lower)
				}
			}
			r.spelled = append(r.spelled, s)
		}
		t.rules = append(t.rules, r)
	}
	slices.SortStableFunc(t.rules, func(a, b *rule) int { return cmp.Compare(len(b.prefix), len(a.prefix)) })
	return t
}

// find is the rule of a path, and the path below it.
func (t *table) find(path string) (*rule, string) {
	for _, r := range t.rules {
		if rest, ok := below(r.prefix, path); ok {
			return r, rest
		}
	}
	return nil, ""
}

func (t *table) names() string {
	if len(t.rules) == 0 {
		return "none: the policy has no credentials"
	}
	names := make([]string, len(t.rules))
	for i, r := range t.rules {
		names[i] = r.Route.Listen
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// allows finds the allow line for a request.
func (r *rule) allows(h *front.Head, rest string) (int, bool) {
	lines, path := r.Allow, folded(rest)
	if h.EncodedSlash {
		lines = r.spelled
	}
	for i, a := range lines {
		if a.Matches(h.Method, path) {
			return i, true
		}
	}
	return 0, false
}

// folded is a path as patterns see it: decoded, but for its encoded slashes.
func folded(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	parts := strings.Split(foldSlash(path), encodedSlash)
	for i, p := range parts {
		parts[i] = front.Unescape(p)
	}
	return strings.Join(parts, encodedSlash)
}

func foldSlash(s string) string { return strings.ReplaceAll(s, "%2F", encodedSlash) }

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
}

func newTable(p *policy.Policy) *table {
	t := &table{}
	for i := range p.Credentials {
		c := &p.Credentials[i]
		t.rules = append(t.rules, &rule{Credential: c, prefix: strings.TrimSuffix(c.Route.Listen, "/")})
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
	path := folded(rest)
	for i, a := range r.Allow {
		if a.Matches(h.Method, path) {
			return i, true
		}
	}
	return 0, false
}

// folded is a path as policy.Allow.Matches wants it: decoded, but for its encoded
// slashes, which stay %2f.
func folded(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	const slash = "%2f"
	parts := strings.Split(strings.ReplaceAll(path, "%2F", slash), slash)
	for i, p := range parts {
		parts[i] = front.Unescape(p)
	}
	return strings.Join(parts, slash)
}

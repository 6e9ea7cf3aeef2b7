package report

import (
	"slices"
	"strings"
)

// coverage is the recommendations of one standard on which the checks came to one
// verdict.
type coverage struct {
	standard string
	verdict  string
	ids      []string
}

// standardNames spells out how references begin.
var standardNames = map[string]string{
	"CIS-Docker":   "CIS Docker Benchmark",
	"PSS":          "Kubernetes Pod Security Standards, restricted",
	"OWASP-Docker": "OWASP Docker Security Cheat Sheet",
	"NSA-CISA":     "NSA/CISA Kubernetes Hardening Guidance",
	"MITRE-ATTACK": "MITRE ATT&CK",
}

// worst is the verdicts in the order in which they decide a recommendation.
var worst = []string{fail, inconclusive, accepted, pass, notApplicable}

// standards says of every recommendation that a check refers to what the checks
// came to, on all subjects together: the worst of their verdicts. Standards and
// their recommendations keep the order in which they are first referred to.
func standards(r Report) []coverage {
	rank := map[string]int{}      // of a reference, into worst
	refs := map[string][]string{} // by standard
	var names []string
	for _, res := range r.Results {
		for _, c := range res.Checks {
			i := slices.Index(worst, c.Verdict)
			if i < 0 {
				i = slices.Index(worst, inconclusive) // what we cannot read has not held
			}
			for _, ref := range c.Refs {
				name, _, _ := strings.Cut(ref, " ")
				old, seen := rank[ref]
				if !seen && refs[name] == nil {
					names = append(names, name)
				}
				if !seen {
					refs[name] = append(refs[name], ref)
				}
				if !seen || i < old {
					rank[ref] = i
				}
			}
		}
	}
	var out []coverage
	for _, name := range names {
		groups := make([]coverage, len(worst))
		for _, ref := range refs[name] {
			_, id, _ := strings.Cut(ref, " ")
			g := &groups[rank[ref]]
			g.ids = append(g.ids, Sanitize(id, maxName))
		}
		for i, g := range groups {
			if len(g.ids) > 0 {
				out = append(out, coverage{standardName(name), worst[i], g.ids})
			}
		}
	}
	return out
}

func standardName(prefix string) string {
	if name, ok := standardNames[prefix]; ok {
		return name
	}
	return Sanitize(prefix, maxName)
}

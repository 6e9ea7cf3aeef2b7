package check

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
)

// Catalogue returns every check, in report order. An ID that ends in [*] is a
// template: For expands it into one check per entry of the policy.
func Catalogue() []*Check {
	var all []*Check
	for _, section := range [][]*Check{
		filesystemChecks(), userChecks(), limitChecks(), capabilityChecks(),
		environmentChecks(), secretChecks(), surfaceChecks(), kernelChecks(),
		procChecks(), namespaceChecks(), deviceChecks(), mountChecks(), networkChecks(), driftChecks(), runChecks(), stackChecks(),
	} {
		all = append(all, section...)
	}
	// Some of these lists have rows of two sections.
	slices.SortStableFunc(all, func(a, b *Check) int { return slices.Index(Sections, a.Section) - slices.Index(Sections, b.Section) })
	return all
}

// ByID returns the check of that ID; an instance's ID finds its template.
func ByID(id string) (*Check, bool) {
	template, _, _ := strings.Cut(id, "[")
	for _, c := range Catalogue() {
		if c.ID == id || c.ID == template+"[*]" && strings.HasSuffix(id, "]") {
			return c, true
		}
	}
	return nil, false
}

// For returns the checks that a policy asks for: the catalogue with its
// templates expanded, less what only a container that somebody runs can show.
func For(p *policy.Policy) []*Check {
	return slices.DeleteFunc(ForContainer(p), func(c *Check) bool { return c.Section == Drift })
}

// ForContainer is For a container that somebody else made.
func ForContainer(p *policy.Policy) []*Check {
	var all []*Check
	for _, c := range Catalogue() {
		switch c.ID {
		case commandTemplate:
			seen := map[string]int{}
			for i, cmd := range p.Environment.Commands {
				all = append(all, commandCheck(c, i, cmd, seen))
			}
		case packageTemplate:
			for i, name := range p.Environment.PythonPackages {
				all = append(all, packageCheck(c, i, name))
			}
		case gitIdentity:
			if p.Environment.Git.UserName != "" || p.Environment.Git.UserEmail != "" {
				all = append(all, c)
			}
		case gitNonInteractive:
			if p.Environment.Git.NonInteractive {
				all = append(all, c)
			}
		default:
			all = append(all, c)
		}
	}
	return all
}

// commandCheck is the instance for one environment command; seen keeps IDs apart
// where two commands run the same program.
func commandCheck(template *Check, i int, cmd policy.Command, seen map[string]int) *Check {
	c := *template
	name := ""
	if len(cmd.Run) > 0 {
		name = filepath.Base(cmd.Run[0])
	}
	seen[name]++
	if n := seen[name]; n > 1 {
		name += "#" + strconv.Itoa(n)
	}
	c.ID = strings.Replace(commandTemplate, "*", name, 1)
	c.Title = strings.Join(cmd.Run, " ") + " works inside"
	c.Seeds = commandSeeds(name)
	c.Judge = func(in *Input) Result { return judgeCommand(in, i, cmd) }
	return &c
}

func packageCheck(template *Check, i int, name string) *Check {
	c := *template
	c.ID = strings.Replace(packageTemplate, "*", name, 1)
	c.Title = "Python package " + name + " can be imported"
	c.Judge = func(in *Input) Result { return judgePackage(in, i, name) }
	return &c
}

// need is shorthand for the catalogue's literals.
func need(t Twin, role probe.Role, probes ...string) []Need {
	var all []Need
	for _, p := range probes {
		all = append(all, Need{t, role, p})
	}
	return all
}

func needs(lists ...[]Need) []Need {
	var all []Need
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

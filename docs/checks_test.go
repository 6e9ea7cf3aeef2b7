package docs

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/mutate"
	"github.com/tightship-dev/tightship/probe"
)

// checks.md is the catalogue in prose:
//
//	go test ./docs -update
func TestChecksPage(t *testing.T) {
	want := checksPage(grades(t))
	if *update {
		if err := os.WriteFile("checks.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("checks.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("checks.md is not what the catalogue says (-page +catalogue; -update writes it):\n%s", diff)
	}
}

// grades is the evidence that each check had in the recorded run of the
// hardened container, by the ID in the catalogue.
func grades(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "check", "testdata", "hardened.json"))
	if err != nil {
		t.Fatal(err)
	}
	var in check.Input
	if err := json.Unmarshal(data, &in); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, c := range check.For(in.Policy) {
		if r := c.Judge(&in); r.Verdict == check.Pass {
			all[template(c.ID)] = string(r.Evidence)
		}
	}
	return all
}

// template is the catalogue's ID of a check that a policy multiplies.
func template(id string) string {
	if name, _, many := strings.Cut(id, "["); many {
		return name + "[*]"
	}
	return id
}

func checksPage(grade map[string]string) string {
	var b strings.Builder
	all := check.Catalogue()
	fmt.Fprintf(&b, `<!-- Made from the catalogue by "go test ./docs -update". Do not edit. -->

# Every check

%d checks. What a check attempts, what shows that the attempt could have succeeded,
what must break it, and how to switch the protection on. `+"`tightship checks ID`"+`
prints the same for one.

*Evidence* is the grade that the check had in the recorded run: Docker 20.10, runc,
cgroup v1, engine and program on one host. Elsewhere it can be weaker, and the
report says so. *Measured in* names the twins and roles; what those are, and why,
is in [how-it-works.md](how-it-works.md). An ID with `+"`[*]`"+` stands for one check per
entry of the policy.
`, len(all))
	for _, s := range check.Sections {
		fmt.Fprintf(&b, "\n* [%s](#%s):", s, anchor(string(s)))
		for i, c := range all {
			if c.Section == s {
				sep := ","
				if i == 0 || all[i-1].Section != s {
					sep = ""
				}
				fmt.Fprintf(&b, "%s\n  `%s`", sep, c.ID)
			}
		}
	}
	b.WriteByte('\n')
	for _, s := range check.Sections {
		fmt.Fprintf(&b, "\n## %s\n", s)
		for _, c := range all {
			if c.Section == s {
				entry(&b, c, grade[c.ID])
			}
		}
	}
	return b.String()
}

func entry(b *strings.Builder, c *check.Check, grade string) {
	fmt.Fprintf(b, "\n### %s\n\n**%s.** %s\n\n", c.ID, c.Title, c.Why)
	item := func(label, text string) {
		if text != "" {
			fmt.Fprintf(b, "- **%s:** %s\n", label, text)
		}
	}
	item("Attempt", c.Attempt)
	item("Control", c.Control)
	item("Evidence", grade)
	item("Measured in", measured(c))
	item("Rests on", code(c.Settings))
	var broken []string
	for _, id := range c.Mutations {
		m, ok := mutate.ByID(id)
		if !ok {
			broken = append(broken, "`"+id+"`")
			continue
		}
		broken = append(broken, fmt.Sprintf("`%s` (%s)", id, m.Title))
	}
	item("Broken by", strings.Join(broken, "; "))
	item("No mutation", c.NoMutation)
	item("Refs", strings.Join(c.Refs, ", "))
	item("Replaces", code(c.Seeds))
	b.WriteString("\n| switch it on in | with |\n|---|---|\n")
	for _, f := range []struct{ where, what string }{
		{"tightship.yaml", c.Fix.Policy}, {"docker run", c.Fix.Docker}, {"Compose", c.Fix.Compose}, {"Kubernetes", c.Fix.Kubernetes},
	} {
		if f.what != "" {
			fmt.Fprintf(b, "| %s | `%s` |\n", f.where, strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(f.what), "\n", " "), "|", `\|`))
		}
	}
}

// measured names the twins and roles that a check rests on.
func measured(c *check.Check) string {
	roles := map[check.Twin][]string{}
	for _, n := range c.Needs {
		who := "user"
		if n.Role == probe.Auditor {
			who = "auditor"
		}
		if !strings.Contains(strings.Join(roles[n.Twin], " "), who) {
			roles[n.Twin] = append(roles[n.Twin], who)
		}
	}
	var parts []string
	for _, t := range []check.Twin{check.Main, check.Exhaust, check.Isolate} {
		if r := roles[t]; len(r) > 0 {
			parts = append(parts, fmt.Sprintf("%s twin (%s)", t, strings.Join(r, ", ")))
		}
	}
	return strings.Join(parts, "; ")
}

func code(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return "`" + strings.Join(list, "`, `") + "`"
}

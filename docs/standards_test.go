package docs

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/standards"
)

// standards.md is what the catalogue covers of published standards:
//
//	go test ./docs -update
func TestStandardsPage(t *testing.T) {
	var rows []standards.Row
	for _, c := range check.Catalogue() {
		rows = append(rows, standards.Row{ID: c.ID, Refs: c.Refs})
	}
	// Problems are package standards' to test; a page that has some is not written.
	if found := standards.Problems(standards.All(), rows); len(found) > 0 {
		t.Fatalf("the standards are not accounted for:\n%s", strings.Join(found, "\n"))
	}
	want := standardsPage(rows)
	if *update {
		if err := os.WriteFile("standards.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("standards.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("standards.md is not what the catalogue says (-page +catalogue; -update writes it):\n%s", diff)
	}
}

func standardsPage(rows []standards.Row) string {
	var b strings.Builder
	b.WriteString(`<!-- Made from the catalogue by "go test ./docs -update". Do not edit. -->

# Standards

Which controls of published standards the checks cover, which they do not, and why.

| standard | edition | controls | mapped | not applicable | uncovered |
|---|---|--:|--:|--:|--:|
`)
	var total standards.Count
	for _, s := range standards.All() {
		n := standards.Tally(s.Cover(rows))
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %d | %d | %d | %d |\n", s.Title, anchor(s.Name), s.Edition, n.Controls, n.Mapped, n.NotApplicable, n.Uncovered)
		total.Controls += n.Controls
		total.Mapped += n.Mapped
		total.NotApplicable += n.NotApplicable
		total.Uncovered += n.Uncovered
	}
	fmt.Fprintf(&b, "| all | | %d | %d | %d | %d |\n", total.Controls, total.Mapped, total.NotApplicable, total.Uncovered)
	b.WriteString(`
* *Mapped*: at least one check tests it, as the check's refs say. It does not mean that
  your container passes: run ` + "`tightship verify`" + ` for that. Nor does it mean that
  the check is all that the control asks for.
* *Not applicable*: it is about something that no container shows.
* *Uncovered*: it is about an image or a container, and no check tests it.

Titles are our own words, as most of these texts are not free; identifiers were looked
up. ` + "`tightship checks --standard cis-docker`" + ` lists the checks of one standard, and
[checks.md](checks.md) says what each of them attempts.
`)
	for _, s := range standards.All() {
		n := standards.Tally(s.Cover(rows))
		fmt.Fprintf(&b, "\n## %s\n\n%s, %s: <%s>", s.Name, s.Title, s.Edition, s.Source)
		if s.Note != "" {
			fmt.Fprintf(&b, "\n\n%s", s.Note)
		}
		fmt.Fprintf(&b, "\n\n%d mapped, %d not applicable, %d uncovered.\n\n| control | about | covered by, or why not |\n|---|---|---|\n", n.Mapped, n.NotApplicable, n.Uncovered)
		for _, c := range s.Cover(rows) {
			what := "*uncovered*: " + c.Uncovered
			switch {
			case len(c.Checks) > 0:
				what = code(c.Checks)
			case c.NotApplicable != "":
				what = "*not applicable*: " + c.NotApplicable
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", c.ID, c.Title, what)
		}
	}
	var none []string
	for _, r := range rows {
		if len(r.Refs) == 0 {
			none = append(none, r.ID)
		}
	}
	fmt.Fprintf(&b, `
## Checks that no standard asks for

%d of %d checks have no ref: what must work inside, what the report itself rests on, and
protections that none of these standards names.

%s
`, len(none), len(rows), code(none))
	return b.String()
}

// anchor is what a heading of ours is called in a link.
func anchor(heading string) string {
	return strings.NewReplacer(" ", "-", ",", "").Replace(strings.ToLower(heading))
}

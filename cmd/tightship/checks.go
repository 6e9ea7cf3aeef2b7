package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/report"
	"github.com/tightship-dev/tightship/standards"
)

func (a *app) checksCommand() *cobra.Command {
	var output, standard string
	c := &cobra.Command{
		Use:   "checks [ID]",
		Short: "List every check, or explain one",
		Long: `List every check, or explain one: what is attempted, what shows that the attempt
could have succeeded, why it matters, and how to switch the protection on.`,
		Example: `  tightship checks
  tightship checks fs.tmp-noexec
  tightship checks --standard cis-docker`,
		Args: maxArgs(1, "ID"),
		RunE: func(c *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return outputIsTextOrJSON(output)
			}
			found := a.catalogue()
			if len(args) > 0 {
				one, err := a.findCheck(args[0])
				if err != nil {
					return err
				}
				found = []*check.Check{one}
			}
			if standard != "" {
				if len(args) > 0 {
					return withHint(errors.New("--standard lists checks, and an ID names one"), "leave one of them out")
				}
				var err error
				if found, err = ofStandard(found, standard); err != nil {
					return err
				}
			}
			if output == "json" {
				return printJSON(c, "tightship.checks/v1", rows(found))
			}
			text := a.listChecks(found)
			if len(args) > 0 {
				text = a.explainCheck(found[0])
			}
			_, err := fmt.Fprint(c.OutOrStdout(), text)
			return err
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.checkIDs(c, args, prefix)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text or json")
	c.Flags().StringVar(&standard, "standard", "", "list only the checks that test a control of this `STANDARD`: "+strings.Join(standardNames(), ", "))
	complete(c, "output", "text", "json")
	complete(c, "standard", standardNames()...)
	return c
}

// standardNames is the values of --standard.
func standardNames() []string {
	var names []string
	for _, name := range standards.Names() {
		names = append(names, strings.ToLower(name))
	}
	return names
}

// ofStandard keeps the checks that refer to a standard.
func ofStandard(all []*check.Check, name string) ([]*check.Check, error) {
	s, ok := standards.ByName(name)
	if !ok {
		err := fmt.Errorf("there is no standard %q", name)
		if near := policy.Nearest(strings.ToLower(name), standardNames()); near != "" {
			return nil, withHint(err, "did you mean %s?", near)
		}
		return nil, withHint(err, "the standards are %s", strings.Join(standardNames(), ", "))
	}
	return slices.DeleteFunc(slices.Clone(all), func(c *check.Check) bool { return !slices.ContainsFunc(c.Refs, s.Refers) }), nil
}

// findCheck finds a check by the ID that a report has. In the catalogue the ID
// of a check that a policy multiplies ends in "[*]", in a report in "[node]".
func (a *app) findCheck(id string) (*check.Check, error) {
	for _, c := range a.catalogue() {
		template, many := strings.CutSuffix(c.ID, "[*]")
		if c.ID == id || many && (id == template || strings.HasPrefix(id, template+"[") && strings.HasSuffix(id, "]")) {
			return c, nil
		}
	}
	err := fmt.Errorf("there is no check %q", id)
	if near := policy.Nearest(id, a.ids()); near != "" {
		return nil, withHint(err, "did you mean %s?", near)
	}
	return nil, withHint(err, "`tightship checks` lists them")
}

// ids is the ID of every check, in the catalogue's order.
func (a *app) ids() []string {
	var ids []string
	for _, c := range a.catalogue() {
		ids = append(ids, c.ID)
	}
	return ids
}

func (a *app) listChecks(all []*check.Check) string {
	width := 0
	for _, c := range all {
		width = max(width, len(c.ID))
	}
	var b strings.Builder
	for _, s := range check.Sections {
		heading := false
		for _, c := range all {
			if c.Section != s {
				continue
			}
			if !heading {
				fmt.Fprintf(&b, "%s\n", s)
				heading = true
			}
			a.hang(&b, fmt.Sprintf("  %-*s  ", width, c.ID), c.Title)
		}
		if heading {
			b.WriteByte('\n')
		}
	}
	word := "checks"
	if len(all) == 1 {
		word = "check"
	}
	fmt.Fprintf(&b, "%d %s; `tightship checks ID` explains one\n", len(all), word)
	return b.String()
}

func (a *app) explainCheck(c *check.Check) string {
	var b strings.Builder
	a.hang(&b, c.ID+"  ", c.Title)
	b.WriteByte('\n')
	for _, f := range []struct{ label, text string }{
		{"why", c.Why},
		{"attempt", c.Attempt},
		{"control", c.Control},
		{"rests on", strings.Join(c.Settings, ", ")},
		{"flips under", strings.Join(c.Mutations, ", ")},
		{"no mutation", c.NoMutation},
		{"replaces", strings.Join(c.Seeds, ", ")},
		{"refs", strings.Join(c.Refs, ", ")},
	} {
		if f.text != "" {
			a.hang(&b, fmt.Sprintf("  %-12s", f.label), f.text)
		}
	}
	b.WriteString("\nhow to switch it on\n")
	for _, f := range []struct{ label, text string }{
		{policyFile, c.Fix.Policy},
		{"docker run", c.Fix.Docker},
		{"compose", c.Fix.Compose},
		{"kubernetes", c.Fix.Kubernetes},
	} {
		label := f.label
		// Not wrapped: this is to be copied.
		for line := range strings.SplitSeq(strings.TrimRight(f.text, "\n"), "\n") {
			if line != "" {
				fmt.Fprintf(&b, "  %-16s%s\n", label, line)
				label = ""
			}
		}
	}
	return b.String()
}

// hang writes lead and then text, wrapped beside it.
func (a *app) hang(b *strings.Builder, lead, text string) {
	for i, line := range report.Wrap(text, a.ui.textWidth()-len(lead)) {
		if i > 0 {
			lead = strings.Repeat(" ", len(lead))
		}
		b.WriteString(lead + line + "\n")
	}
}

// row is a check as JSON.
type row struct {
	ID         string            `json:"id"`
	Title      string            `json:"title"`
	Section    string            `json:"section"`
	Why        string            `json:"why"`
	Attempt    string            `json:"attempt"`
	Control    string            `json:"control"`
	Fix        map[string]string `json:"fix"`
	Refs       []string          `json:"refs"`
	Seeds      []string          `json:"seed"`
	Settings   []string          `json:"settings"`
	Mutations  []string          `json:"mutations"`
	NoMutation string            `json:"no_mutation"`
}

func rows(all []*check.Check) []row {
	list := func(s []string) []string { return append([]string{}, s...) }
	out := []row{}
	for _, c := range all {
		out = append(out, row{
			ID: c.ID, Title: c.Title, Section: string(c.Section), Why: c.Why, Attempt: c.Attempt, Control: c.Control,
			Fix: map[string]string{
				"policy": c.Fix.Policy, "docker": c.Fix.Docker, "compose": c.Fix.Compose, "kubernetes": c.Fix.Kubernetes,
			},
			Refs: list(c.Refs), Seeds: list(c.Seeds), Settings: list(c.Settings),
			Mutations: list(c.Mutations), NoMutation: c.NoMutation,
		})
	}
	return out
}

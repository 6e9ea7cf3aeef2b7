package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/report"
)

func (a *app) diffCommand() *cobra.Command {
	var output string
	var quiet bool
	formats := []string{"text", "json", "markdown"}
	c := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say what got better, worse, new or gone between two JSON reports",
		Long: `Compare two files that ` + "`tightship verify -o json`" + ` wrote, by subject and check. One of
them may be - for standard input.

A regression is a verdict that fell, in the order held, not applicable, accepted,
unmeasured, broken; a check that held and is gone; and one that still holds, but on
no evidence. A check that holds on weaker evidence than before is shown and is no
regression; neither is a new check, whatever it says.

The exit code is 0 when there is no regression, 1 when there is one, and 3 when a
report could not be read.`,
		Example: `  tightship report diff main.json branch.json
  tightship verify my-agent:latest -o json | tightship report diff main.json - -o markdown`,
		Args: exactArgs(2, "file"),
		RunE: func(c *cobra.Command, args []string) error {
			if args[0] == "-" && args[1] == "-" {
				return withHint(errors.New("standard input holds one report, not two"), "name a file for one of them")
			}
			var both [2]report.Report
			for i, name := range args {
				r, _, err := readReport(c, name)
				if err != nil {
					return err
				}
				if r == nil {
					return withHint(fmt.Errorf("cannot compare %s: it is a proof", name), "give reports, which `tightship verify -o json=FILE` writes")
				}
				both[i] = *r
			}
			d := report.Compare(both[0], both[1])
			var err error
			switch output {
			case "text":
				err = report.DiffText(a.ui.out, d, report.TextOptions{Width: a.ui.textWidth(), Color: a.ui.color, Quiet: quiet})
			case "json":
				err = report.DiffJSON(a.ui.out, d)
			case "markdown":
				err = report.DiffMarkdown(a.ui.out, d)
			default:
				return withHint(fmt.Errorf("%q is no output format", output), "the formats are %s", strings.Join(formats, ", "))
			}
			if err == nil && d.Regressions() > 0 {
				return verdict(exitFailed)
			}
			return err
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: "+strings.Join(formats, ", "))
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "of text, only the regressions")
	complete(c, "output", formats...)
	return c
}

// exactArgs wants n arguments, each one a what.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		err := fmt.Errorf("`%s` takes %d %ss, not %d", c.CommandPath(), n, what, len(args))
		if n == 1 {
			err = fmt.Errorf("`%s` takes one %s, not %d", c.CommandPath(), what, len(args))
		}
		return withHint(err, "`%s --help` shows how it is used", c.CommandPath())
	}
}

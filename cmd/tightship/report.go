package main

import (
	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/report"
)

func (a *app) reportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "report",
		Short: "What reports look like",
	}
	c.AddCommand(&cobra.Command{
		Use:               "schema",
		Short:             "Print the JSON Schema of `verify -o json`",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			return print(c, report.JSONSchema)
		},
	})
	return c
}

// print writes what a function returns to standard output.
func print(c *cobra.Command, text func() ([]byte, error)) error {
	b, err := text()
	if err != nil {
		return err
	}
	_, err = c.OutOrStdout().Write(b)
	return err
}

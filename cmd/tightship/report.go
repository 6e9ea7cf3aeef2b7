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
	proof := false
	schema := &cobra.Command{
		Use:               "schema",
		Short:             "Print the JSON Schema of `verify -o json`, or of `prove -o json`",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			if proof {
				return print(c, report.ProofJSONSchema)
			}
			return print(c, report.JSONSchema)
		},
	}
	schema.Flags().BoolVar(&proof, "proof", false, "the schema of `tightship prove -o json`")
	c.AddCommand(schema)
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

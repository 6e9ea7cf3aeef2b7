package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/policy"
)

func (a *app) policyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "policy",
		Short: "Write, explain and check the policy file",
	}
	c.AddCommand(a.policyInitCommand(), a.policyExplainCommand(), a.policySchemaCommand())
	return c
}

func (a *app) policyInitCommand() *cobra.Command {
	var runtime string
	c := &cobra.Command{
		Use:   "init",
		Short: "Print a commented " + policyFile + " with every default",
		Long: `Print a commented policy file with every default, the hardened baseline, on
standard output. For a runtime of gVisor's it accepts, with the reason and for a
year, what gVisor lacks.`,
		Example:           "  tightship policy init > " + policyFile + "\n  tightship policy init --runtime runsc > " + policyFile,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			text := policy.InitTemplateFor(runtime, time.Now())
			if _, err := policy.Decode(policyFile, text); err != nil { // the runtime's name
				return err
			}
			_, err := c.OutOrStdout().Write(text)
			return err
		},
	}
	c.Flags().StringVar(&runtime, "runtime", "", "OCI runtime `NAME`, in place of the default")
	return c
}

func (a *app) policySchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "schema",
		Short:             "Print the JSON Schema of the policy file",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(c *cobra.Command, _ []string) error { return print(c, policy.Schema) },
	}
}

func (a *app) policyExplainCommand() *cobra.Command {
	var output, runtime string
	c := &cobra.Command{
		Use:   "explain [FILE]",
		Short: "Print the effective policy: where each value is from, what rests on it",
		Long: `Print the effective policy. Each line says where its value came from and which
checks rest on it. Without FILE that is the policy that ` + "`tightship verify`" + ` would
use here.`,
		Args: maxArgs(1, "file"),
		RunE: func(c *cobra.Command, args []string) error {
			path := ""
			if len(args) > 0 {
				path = args[0]
			}
			p, err := a.policy(path, runtime)
			if err != nil {
				return err
			}
			lines := policy.Explain(p, a.checksOf)
			switch output {
			case "text":
				return policy.WriteExplain(c.OutOrStdout(), lines, a.ui.textWidth())
			case "json":
				return printJSON(c, "tightship.policy-explain/v1", lines)
			}
			return outputIsTextOrJSON(output)
		},
	}
	c.Flags().StringVar(&runtime, "runtime", "", "OCI runtime `NAME`, in place of the policy's")
	c.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text or json")
	complete(c, "output", "text", "json")
	return c
}

// checksOf is the checks that rest on a policy key.
func (a *app) checksOf(keyPath string) []string {
	var ids []string
	for _, c := range a.catalogue() {
		for _, s := range c.Settings {
			if s == keyPath {
				ids = append(ids, c.ID)
			}
		}
	}
	return ids
}

// printJSON writes a list in the one form that all our JSON has.
func printJSON(c *cobra.Command, schema string, results any) error {
	return print(c, func() ([]byte, error) {
		b, err := json.MarshalIndent(struct {
			Schema  string `json:"schema"`
			Results any    `json:"results"`
		}{schema, results}, "", "  ")
		return append(b, '\n'), err
	})
}

func outputIsTextOrJSON(format string) error {
	return withHint(fmt.Errorf("%q is no output format", format), "the formats are text, json")
}

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/policy"
)

func (a *app) seccompCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "seccomp",
		Short: "The system call filter that policies use",
	}
	var runtime string
	show := &cobra.Command{
		Use:   "show",
		Short: "Print the profile that seccomp: default means, as JSON",
		Long: `Print the profile that ` + "`seccomp: default`" + ` means in a policy. It is the current
default of Docker. Older engines allow more by default (Docker 20.10 allows
io_uring), so a container that is started by hand needs to be given it. gVisor
needs it in another form: name its runtime with --runtime.`,
		Example: `  tightship seccomp show > profile.json
  docker run --security-opt seccomp=profile.json …`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), policy.SeccompProfile(runtime))
			return err
		},
	}
	show.Flags().StringVar(&runtime, "runtime", "", "OCI runtime `NAME` that the profile is for")
	c.AddCommand(show)
	return c
}

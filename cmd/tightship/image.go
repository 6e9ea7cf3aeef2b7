package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/image"
)

func (a *app) imageCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "image",
		Short: "Build the reference agent image",
	}
	c.AddCommand(a.imageBuildCommand())
	return c
}

func (a *app) imageBuildCommand() *cobra.Command {
	var o image.Options
	var verbose bool
	c := &cobra.Command{
		Use:   "build",
		Short: "Build the reference agent image from pinned sources",
		Long: `Build the reference agent image and print its name. The recipe and everything it
needs but the packages are part of this program; packages are pinned by hash.

The docker command does the building. Its log goes to standard error.`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Version, o.Progress = version, a.ui.err
			if verbose {
				o.Progress, o.Log = nil, a.ui.err
			}
			if err := a.buildImage(c.Context(), o); err != nil {
				return err
			}
			_, err := fmt.Fprintln(c.OutOrStdout(), o.Tag)
			return err
		},
	}
	f := c.Flags()
	f.StringVarP(&o.Tag, "tag", "t", image.DefaultTag, "`NAME` of the image")
	f.StringVar(&o.Base, "base", image.DefaultBase, "Debian 12 base `IMAGE`")
	f.StringVar(&o.CAFile, "ca", "", "`FILE` with certificates of an intercepting proxy, trusted during the build only")
	f.StringVar(&o.Network, "network", "", "network `MODE` of the build's steps, such as host")
	f.BoolVar(&o.NoCache, "no-cache", false, "rebuild every step")
	f.DurationVar(&o.Timeout, "timeout", image.DefaultTimeout, "time limit of the build, as `DURATION`")
	f.BoolVarP(&verbose, "verbose", "v", false, "show the builder's whole log")
	complete(c, "network", "default", "host", "none")
	return c
}

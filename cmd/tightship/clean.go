package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/report"
)

func (a *app) cleanCommand() *cobra.Command {
	var force bool
	var name string
	c := &cobra.Command{
		Use:   "clean",
		Short: "Remove what interrupted runs left behind",
		Long: `Remove the containers and volumes of runs that are no longer alive, and print
what was removed.

A run removes what it creates by itself; this is for those that were killed.
What belongs to a run that is still going, or to somebody else's on a shared
engine, is left alone unless --force is given. The exit code is 3 when something
could not be removed.`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.runClean(c, name, force)
		},
	}
	engineFlag(c, &name, "only what was run with this `ENGINE`: docker or oci (default both)")
	c.Flags().BoolVar(&force, "force", false, "remove everything of every run, also of those that are still going, which fail then")
	return c
}

func (a *app) runClean(c *cobra.Command, name string, force bool) error {
	ctx, out := c.Context(), c.OutOrStdout()
	all, err := a.engines(ctx, name)
	if err != nil {
		return err
	}
	var removed, left []engine.Resource
	for _, eng := range all {
		defer eng.Close()
		// Also after an error something may have been removed, and that is said.
		gone, stuck, cerr := a.clean(ctx, eng, force)
		removed, left, err = append(removed, gone...), append(left, stuck...), errors.Join(err, cerr)
	}
	for _, r := range removed {
		_, _ = fmt.Fprintf(out, "removed %s\n", describe(r))
	}
	for _, r := range left {
		_, _ = fmt.Fprintf(out, "left %s\n", describe(r))
	}
	switch {
	case err != nil:
		return err
	case len(left) > 0:
		return withHint(fmt.Errorf("%d of %d could not be removed", len(left), len(left)+len(removed)), "see whether the engine still answers (with Docker: `docker info`), then run `tightship clean` again")
	case len(removed) == 0:
		_, _ = fmt.Fprintln(out, "nothing to remove")
	}
	return nil
}

func describe(r engine.Resource) string {
	const longest = 200
	name := r.Name
	if name == "" {
		name = r.ID
	}
	return report.Sanitize(fmt.Sprintf("%s %s of run %s", r.Kind, name, r.RunID), longest)
}

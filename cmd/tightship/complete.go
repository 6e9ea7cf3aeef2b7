package main

import "github.com/spf13/cobra"

// complete makes the shell offer these values for a flag.
func complete(c *cobra.Command, flag string, values ...string) {
	must(c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace)))
}

// completeChecks makes the shell offer the catalogue's IDs for a flag.
func (a *app) completeChecks(c *cobra.Command, flag string) {
	must(c.RegisterFlagCompletionFunc(flag, a.checkIDs))
}

func (a *app) checkIDs(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var ids []string
	for _, c := range a.catalogue() {
		ids = append(ids, cobra.CompletionWithDesc(c.ID, c.Title))
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// must is for what fails only when a flag's name is misspelt above.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

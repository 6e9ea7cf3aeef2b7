package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/internal/scaffold"
)

func (a *app) initCommand() *cobra.Command {
	var runtime string
	var force, dryRun bool
	c := &cobra.Command{
		Use:   "init [DIRECTORY]",
		Short: "Write a policy, a GitHub workflow and a Compose file",
		Long: `Write what a project needs to start with:

  ` + scaffold.PolicyFile + `                   the policy: the hardened baseline, with comments
  ` + scaffold.WorkflowFile + `  verifies on every change, on GitHub
  ` + scaffold.ComposeFile + `                     a service with every protection of the policy
  tightship-seccomp.json           the system call filter that ` + scaffold.ComposeFile + ` uses

Nothing is asked, and no file that is there is changed, unless --force says so. If
there is a policy, the other files are made from it.`,
		Example: `  tightship init
  tightship init --dry-run
  tightship init --runtime runsc my-agent`,
		Args: maxArgs(1, "directory"),
		RunE: func(c *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			return a.initialize(c, dir, runtime, force, dryRun)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	f := c.Flags()
	f.StringVar(&runtime, "runtime", "", "OCI runtime `NAME` of the policy, in place of the default")
	f.BoolVar(&force, "force", false, "replace files that are there")
	f.BoolVar(&dryRun, "dry-run", false, "say what would be written, and write nothing")
	return c
}

func (a *app) initialize(c *cobra.Command, dir, runtime string, force, dryRun bool) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return withHint(fmt.Errorf("cannot use %s: %w", dir, cause(err)), "name a directory that is there")
	}
	defer root.Close()
	o := scaffold.Options{Runtime: runtime, Now: time.Now(), Action: actionVersion()}
	policyPath := filepath.Join(dir, scaffold.PolicyFile)
	if _, err := root.Lstat(scaffold.PolicyFile); !force && !errors.Is(err, fs.ErrNotExist) {
		if runtime != "" {
			return withHint(fmt.Errorf("--runtime is for a new policy, and %s is there", policyPath), "change `runtime:` in it; --force replaces every file")
		}
		if o.Policy, err = a.policy(policyPath, ""); err != nil {
			return err
		}
	}
	files, err := scaffold.Files(o)
	if err != nil {
		return err
	}
	// All are looked at before any is written, so that what cannot be done is known
	// while nothing has happened.
	states := make([]scaffold.State, len(files))
	for i, f := range files {
		if states[i], err = scaffold.Plan(root, f); err != nil {
			return withHint(fmt.Errorf("cannot write %s: %w", filepath.Join(dir, f.Path), cause(err)), "nothing was written; move what is there out of the way")
		}
	}
	kept := 0
	for i, f := range files {
		did := "wrote"
		switch {
		case states[i] == scaffold.Same:
			did = "unchanged"
		case states[i] == scaffold.Differs && !force:
			did = "kept"
			kept++
		case dryRun:
			did = "would write"
		default:
			if err := scaffold.Write(root, f); err != nil {
				return withHint(fmt.Errorf("cannot write %s: %w", filepath.Join(dir, f.Path), cause(err)), "what is listed as written is there; the rest is not")
			}
		}
		if _, err := fmt.Fprintf(c.OutOrStdout(), "%-11s  %-32s  %s\n", did, f.Path, f.About); err != nil {
			return err
		}
	}
	if kept > 0 {
		a.ui.note("files that are there were kept; --force replaces them, and --dry-run says which")
	}
	if !dryRun {
		a.ui.note("next: `tightship policy explain` shows what is asked for, and `tightship verify` proves it")
	}
	return nil
}

var (
	release = regexp.MustCompile(`^v\d+\.\d+\.\d+$`)
	commit  = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// actionVersion is what a workflow names to get the action that belongs to this
// program: its commit, else its release, else the newest.
func actionVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		settings := map[string]string{}
		for _, s := range info.Settings {
			settings[s.Key] = s.Value
		}
		if sha := settings["vcs.revision"]; commit.MatchString(sha) && settings["vcs.modified"] == "false" {
			return sha
		}
	}
	if v := strings.TrimSpace(version); release.MatchString(v) {
		return v
	}
	return "main"
}

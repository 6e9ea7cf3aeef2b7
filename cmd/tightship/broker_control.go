package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/broker"
	"github.com/tightship-dev/tightship/report"
)

// onBroker makes a command of what is asked of a running broker.
func onBroker(c *cobra.Command, f func(ctx context.Context, b *broker.Client, args []string) error) *cobra.Command {
	var state string
	stateFlag(c, &state)
	c.ValidArgsFunction = cobra.NoFileCompletions
	c.RunE = func(c *cobra.Command, args []string) error {
		b, err := brokerAt(state)
		if err != nil {
			return err
		}
		return brokerError(f(c.Context(), b, args))
	}
	return c
}

func (a *app) brokerReloadCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "reload",
		Short: "Have the broker read its policy again",
		Long: `Have the broker read its policy again, and fetch the values of exec: and keyring:,
whose changes cannot be seen. Only what is under way with a credential that is no
longer in the policy is cut off. A policy that is not right changes nothing, and
where a value cannot be fetched the one before stays.`,
		Args: noArgs,
	}
	return onBroker(c, func(ctx context.Context, b *broker.Client, _ []string) error {
		if err := b.Reload(ctx); err != nil {
			return err
		}
		return say(c, "reloaded: the policy is at work")
	})
}

func (a *app) brokerRevokeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "revoke CREDENTIAL",
		Short: "Stop the use of a credential at once",
		Long: `Stop the use of a credential at once, and cut off what is under way with it. It
stays revoked when the policy changes and when the broker is started again, until
` + "`tightship broker restore`" + `.`,
		Args: exactArgs(1, "credential"),
	}
	return onBroker(c, func(ctx context.Context, b *broker.Client, args []string) error {
		if err := b.Revoke(ctx, args[0]); err != nil {
			return err
		}
		return say(c, "revoked: %s, until `tightship broker restore %[1]s`", args[0])
	})
}

func (a *app) brokerRestoreCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "restore CREDENTIAL",
		Short: "Let a credential that was revoked be used again",
		Args:  exactArgs(1, "credential"),
	}
	return onBroker(c, func(ctx context.Context, b *broker.Client, args []string) error {
		if err := b.Restore(ctx, args[0]); err != nil {
			return err
		}
		return say(c, "restored: %s", args[0])
	})
}

// say is what a command that changes something prints when it is done.
func say(c *cobra.Command, format string, args ...any) error {
	_, err := fmt.Fprintln(c.OutOrStdout(), report.Sanitize(fmt.Sprintf(format, args...), longestReason))
	return err
}

func (a *app) sandboxCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "sandbox",
		Short: "Add, bind, list and remove the sandboxes of a running broker",
		Long: `Add, bind, list and remove the sandboxes of a running broker. Each has a socket of
its own, in a directory of its own:

  dir=$(tightship broker sandbox add NAME)
  id=$(docker create --mount type=bind,src=$dir,dst=/run/tightship,readonly IMAGE)
  tightship broker sandbox bind NAME --container $id
  docker start $id`,
	}
	c.AddCommand(a.sandboxAddCommand(), a.sandboxBindCommand(), a.sandboxListCommand(), a.sandboxRemoveCommand())
	return c
}

func (a *app) sandboxAddCommand() *cobra.Command {
	var uid int
	c := &cobra.Command{
		Use:   "add NAME",
		Short: "Make a sandbox's socket, and print the directory to mount",
		Long: `Make a sandbox's socket, and print the directory to mount into the container,
read-only, at /run/tightship. The socket serves nobody until it is bound.`,
		Args: exactArgs(1, "name"),
	}
	onBroker(c, func(ctx context.Context, b *broker.Client, args []string) error {
		dir, err := b.Add(ctx, args[0], uid)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.OutOrStdout(), dir)
		return err
	})
	c.Flags().IntVar(&uid, "uid", -1, "the `UID` that the container's user has on the host, in place of the policy's user.uid")
	return c
}

func (a *app) sandboxBindCommand() *cobra.Command {
	var who broker.Who
	c := &cobra.Command{
		Use:   "bind NAME",
		Short: "Say which container a sandbox's socket is for",
		Long: `Say which container a sandbox's socket is for. Nobody else is served: the kernel
says of each caller in which control group it is, and that must be the container's,
exactly. A container that was only created is known by its ID until something
connects; its control group is looked up then, and kept.`,
		Args: exactArgs(1, "name"),
	}
	onBroker(c, func(ctx context.Context, b *broker.Client, args []string) error {
		s, err := b.Bind(ctx, args[0], who)
		if err != nil {
			return err
		}
		return say(c, "%s", boundText(s))
	})
	c.Flags().StringVar(&who.Container, "container", "", "the container's `ID` or name, in Docker")
	c.Flags().StringVar(&who.Cgroup, "cgroup", "", "the exact `PATH` of its control group on the host")
	c.Flags().IntVar(&who.PID, "pid", 0, "the `PID` of a process in it, on the host")
	c.MarkFlagsOneRequired("container", "cgroup", "pid")
	c.MarkFlagsMutuallyExclusive("container", "cgroup", "pid")
	return c
}

// boundText is what a sandbox was bound to.
func boundText(s broker.SandboxStatus) string {
	switch {
	case s.Cgroup == "":
		return fmt.Sprintf("bound: %s to the container %s, whose control group is looked up when it connects", s.Name, s.Container)
	case s.Container != "":
		return fmt.Sprintf("bound: %s to the container %s, control group %s", s.Name, s.Container, s.Cgroup)
	}
	return fmt.Sprintf("bound: %s to the control group %s", s.Name, s.Cgroup)
}

func (a *app) sandboxRemoveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "remove NAME",
		Short: "Cut a sandbox off, and remove its socket",
		Args:  exactArgs(1, "name"),
	}
	return onBroker(c, func(ctx context.Context, b *broker.Client, args []string) error {
		if err := b.Remove(ctx, args[0]); err != nil {
			return err
		}
		return say(c, "removed: %s", args[0])
	})
}

func (a *app) sandboxListCommand() *cobra.Command {
	var output string
	c := &cobra.Command{Use: "list", Short: "List the sandboxes", Args: noArgs}
	onBroker(c, func(ctx context.Context, b *broker.Client, _ []string) error {
		all, err := b.List(ctx)
		if err != nil {
			return err
		}
		switch output {
		case "json":
			return printJSON(c, "tightship.broker-sandboxes/v1", all)
		case "text":
		default:
			return outputIsTextOrJSON(output)
		}
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "SANDBOX\tSTATE\tCONNECTIONS\tREQUESTS\tCONTROL GROUP")
		for _, s := range all {
			requests := int64(0)
			for _, u := range s.Uses {
				requests += u.Requests
			}
			who := s.Cgroup
			if who == "" {
				who = s.Container
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\n", s.Name, s.State, s.Connections, requests, who)
		}
		return w.Flush()
	})
	c.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text or json")
	complete(c, "output", "text", "json")
	return c
}

// ledgerDir is where the records are kept by default.
func ledgerDir(flag string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if os.Geteuid() == 0 {
		return "/var/lib/tightship/ledger", nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return dir + "/tightship/ledger", nil
	}
	home, err := os.UserHomeDir()
	return home + "/.local/state/tightship/ledger", err
}

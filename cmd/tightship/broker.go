package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/broker"
	"github.com/tightship-dev/tightship/broker/front"
	"github.com/tightship-dev/tightship/report"
)

func (a *app) brokerCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "broker",
		Short: "Let containers use credentials that they never hold",
		Long: `Let containers use credentials that they never hold.

` + "`tightship broker serve`" + ` runs on the host and holds the credentials of the policy. A
container gets a directory with a Unix socket. What is sent there and allowed by
the policy is recorded, gets its credential, and goes to the upstream over TLS.`,
	}
	c.AddCommand(a.brokerServeCommand(), a.sandboxCommand(), a.brokerCheckCommand(), a.brokerEnvCommand(),
		a.brokerReloadCommand(), a.brokerRevokeCommand(), a.brokerRestoreCommand(), a.brokerStatusCommand())
	return c
}

// stateFlag adds --state to a command.
func stateFlag(c *cobra.Command, dir *string) {
	c.Flags().StringVar(dir, "state", "", "the broker's `DIRECTORY`, in place of /run/tightship for root and $XDG_RUNTIME_DIR/tightship")
}

// stateDir is where a broker has its sockets.
func stateDir(flag string) (string, error) {
	switch {
	case flag != "":
		return filepath.Abs(flag)
	case os.Geteuid() == 0:
		return "/run/tightship", nil
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "tightship"), nil
	}
	return "", withHint(errors.New("there is no directory for the broker's sockets: XDG_RUNTIME_DIR is not set"), "name one with --state DIRECTORY")
}

// brokerAt is the running broker.
func brokerAt(flag string) (*broker.Client, error) {
	dir, err := stateDir(flag)
	if err != nil {
		return nil, err
	}
	return broker.NewClient(dir), nil
}

// brokerError adds what to do.
func brokerError(err error) error {
	switch {
	case errors.Is(err, broker.ErrNotRunning):
		return withHint(err, "start one with `tightship broker serve`, or name its directory with --state")
	case errors.Is(err, os.ErrPermission):
		return withHint(err, "ask as the user that the broker runs as")
	}
	return err
}

func (a *app) brokerCheckCommand() *cobra.Command {
	var path, ref, output string
	c := &cobra.Command{
		Use:   "check [flags] -- METHOD URL",
		Short: "Say what the policy does with a request, without sending anything",
		Long: `Say what the policy does with a request, without sending anything. URL is the
upstream's, or a path at the broker. The exit code is 0 for allowed and 1 for
denied.

Of git, these are the requests. A push is decided by its refs: --ref names one.

    GET  …/OWNER/NAME/info/refs?service=git-upload-pack    clone, fetch
    POST …/OWNER/NAME/git-upload-pack
    GET  …/OWNER/NAME/info/refs?service=git-receive-pack   push
    POST …/OWNER/NAME/git-receive-pack`,
		Example: `  tightship broker check -- GET https://api.github.com/repos/acme/widget
  tightship broker check -- POST /anthropic/v1/messages
  tightship broker check --ref refs/heads/main -- POST https://github.com/acme/widget/git-receive-pack`,
		Args:              exactArgs(2, "argument"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			p, err := a.policy(path, "")
			if err != nil {
				return err
			}
			d, err := broker.Check(p, args[0], args[1], ref)
			var refusal *front.Refusal
			if errors.As(err, &refusal) {
				d = broker.Decision{Method: args[0], Path: args[1], Rule: refusal.Rule, Reason: refusal.Reason}
			} else if errors.Is(err, broker.ErrRef) {
				return withHint(err, "leave --ref out, or ask about POST …/git-receive-pack")
			} else if err != nil {
				return err
			}
			switch output {
			case "json":
				err = printJSON(c, "tightship.broker-check/v1", []broker.Decision{d})
			case "text":
				err = print(c, func() ([]byte, error) { return []byte(decisionText(d)), nil })
			default:
				return outputIsTextOrJSON(output)
			}
			if err == nil && !d.Allowed {
				return verdict(exitFailed)
			}
			return err
		},
	}
	c.Flags().StringVar(&path, "policy", "", "policy `FILE`, in place of "+policyFile)
	c.Flags().StringVar(&ref, "ref", "", "of a push, the full name of a `REF` that it is to create, as refs/heads/main")
	c.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text or json")
	complete(c, "output", "text", "json")
	return c
}

func (a *app) brokerEnvCommand() *cobra.Command {
	var path, output string
	var port int
	c := &cobra.Command{
		Use:   "env",
		Short: "Print the environment that a container needs to use the broker",
		Long: `Print the environment that a container needs to use the broker: what the policy's
credentials set, and for git that addresses lead to the broker. Nothing of it is
secret. The port is where ` + "`tightship-guest forward`" + ` listens in the container.`,
		Example:           "  tightship broker env > agent.env && docker create --env-file agent.env …",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			if port < 1 || port > 65535 {
				return withHint(fmt.Errorf("--port %d is no port", port), "give what tightship-guest forward listens at, such as 8080")
			}
			p, err := a.policy(path, "")
			if err != nil {
				return err
			}
			env := p.Variables(port)
			switch output {
			case "json":
				return printJSON(c, "tightship.broker-env/v1", env)
			case "text":
				for _, line := range env {
					if _, err := fmt.Fprintln(c.OutOrStdout(), line); err != nil {
						return err
					}
				}
				return nil
			}
			return outputIsTextOrJSON(output)
		},
	}
	c.Flags().StringVar(&path, "policy", "", "policy `FILE`, in place of "+policyFile)
	c.Flags().IntVar(&port, "port", 8080, "the forwarder's `PORT` in the container")
	c.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text, as docker's --env-file reads it, or json")
	complete(c, "output", "text", "json")
	return c
}

// decisionText is what a decision says to people.
func decisionText(d broker.Decision) string {
	clean := func(s string) string { return report.Sanitize(s, 2000) }
	if d.Allowed {
		text := fmt.Sprintf("allowed: %s %s with the credential %s, by %s\n", clean(d.Method), clean(d.Path), d.Credential, clean(d.Rule))
		if d.Note != "" {
			text += "  " + clean(d.Note) + "\n"
		}
		return text
	}
	text := fmt.Sprintf("denied: %s %s, by the rule %s\n  %s\n", clean(d.Method), clean(d.Path), clean(d.Rule), clean(d.Reason))
	if d.AllowLine != "" {
		text += fmt.Sprintf("  under %s this would allow it:\n", d.Where)
		for line := range strings.Lines(d.AllowLine) {
			text += "    " + clean(strings.TrimSpace(line)) + "\n"
		}
	}
	return text
}

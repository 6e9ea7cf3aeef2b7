package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/doctor"
	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/image"
	"github.com/tightship-dev/tightship/prove"
	"github.com/tightship-dev/tightship/report"
	"github.com/tightship-dev/tightship/verify"
)

// The exit codes. Only a verification that proved everything ends with 0 by
// itself; a command that did what was asked does too.
const (
	exitProven       = 0
	exitFailed       = 1 // at least one check failed
	exitInconclusive = 2 // none failed, but at least one could not be measured
	exitError        = 3 // could not run
)

// app is the program with everything that reaches outside of it as a field, so
// that tests can put something else there. newApp fills it with the real ones.
type app struct {
	newEngine func(ctx context.Context, name string) (engine.Engine, error)
	verify    func(context.Context, engine.Engine, verify.Subject, verify.Options) (report.Result, error)
	prove     func(context.Context, engine.Engine, prove.Options) (report.ProofResult, error)
	clean     func(ctx context.Context, e engine.Engine, all bool) (removed, left []engine.Resource, err error)
	catalogue func() []*check.Check
	guest     func(arch string) ([]byte, error)
	machine   func() doctor.Probes

	buildImage func(context.Context, image.Options) error

	// now is the clock that receipts are held against.
	now func() time.Time

	// terminal reports whether w is a terminal, and how many columns it has.
	terminal func(w io.Writer) (columns int, ok bool)

	ui *ui
}

// run is the whole program. It returns the exit code.
func (a *app) run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	a.ui = newUI(stdout, stderr, a.terminal, os.Getenv)
	defer func() {
		// Left alone, a panic would end with exit code 2, which is a verdict.
		if p := recover(); p != nil {
			a.ui.stopStatus()
			a.ui.error(withHint(fmt.Errorf("internal error: %v\n%s", p, debug.Stack()), "this is a bug in tightship; please report it with the lines above"))
			code = exitError
		}
	}()
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(a.ui.out)
	root.SetErr(a.ui.err)
	err := root.ExecuteContext(ctx)
	a.ui.stopStatus()
	code = a.exitCode(ctx, root, err)
	if err := a.ui.out.close(); err != nil {
		a.ui.error(withHint(err, "the output is incomplete: free some space or write it elsewhere"))
		return exitError
	}
	return code
}

// exitCode says on stderr what went wrong, if anything, and returns the code.
func (a *app) exitCode(ctx context.Context, root *cobra.Command, err error) int {
	var stop stopped
	if errors.As(context.Cause(ctx), &stop) {
		a.ui.error(stop)
		if err != nil && !errors.As(err, new(verdict)) && !endedOnly(err) {
			a.ui.error(err)
		}
		return stop.exitCode()
	}
	var v verdict
	switch {
	case err == nil:
		return exitProven
	case errors.As(err, &v):
		return int(v)
	}
	a.ui.error(commandError(root, err))
	return exitError
}

// endedOnly reports that an error says no more than that the context ended.
func endedOnly(err error) bool {
	if errors.Is(err, verify.ErrLeft) {
		return false
	}
	return err.Error() == context.Canceled.Error() || errors.As(err, new(stopped))
}

// verdict is a verification's exit code on its way through cobra.
type verdict int

func (v verdict) Error() string { return "not proven" }

// rootCommand builds the command tree.
func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "tightship",
		Short: "Run AI agents in containers you can prove are tight",
		Long: `Run AI agents in containers you can prove are tight.

A protection counts only if the thing it forbids was attempted in that very
container and refused, while a control shows that the attempt could have
succeeded.`,
		Example: `  tightship verify my-agent:latest
  tightship verify my-agent:latest -o json=report.json -o junit=junit.xml
  tightship checks fs.tmp-noexec`,
		Version:            versionString(),
		SilenceErrors:      true,
		SilenceUsage:       true,
		DisableSuggestions: true, // ours are hints; see commandError
		DisableAutoGenTag:  true,
	}
	root.SetVersionTemplate("tightship {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(
		a.initCommand(), a.verifyCommand(), a.proveCommand(), a.checksCommand(), a.policyCommand(), a.reportCommand(),
		a.brokerCommand(), a.ledgerCommand(), a.receiptCommand(), a.keyCommand(), a.imageCommand(), a.seccompCommand(), a.doctorCommand(),
		a.cleanCommand(), a.versionCommand(),
	)
	root.InitDefaultCompletionCmd()
	root.SetHelpCommand(helpCommand(root))
	groups(root)
	// A command that holds others runs only to say so; its usage is not "[flags]".
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(),
		"{{if .Runnable}}", "{{if and .Runnable (not .HasAvailableSubCommands)}}", 1))
	return root
}

// groups gives every command that only holds others something to do. Cobra's
// own answer, help and exit code 0, would read as "proven" to a script whose
// variable was empty.
func groups(c *cobra.Command) {
	for _, sub := range c.Commands() {
		groups(sub)
	}
	if c.Runnable() {
		return
	}
	if c.HasParent() {
		c.Args = cobra.ArbitraryArgs // RunE finds the better words
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand{parent: c, name: args[0]}
		}
		c.SetOut(c.ErrOrStderr())
		if err := c.Help(); err != nil {
			return err
		}
		return verdict(exitError)
	}
}

func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:               "help [COMMAND]",
		Short:             "Help about any command",
		DisableAutoGenTag: true,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			target, rest, err := root.Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return unknownCommand{parent: target, name: rest[0]}
			}
			target.InitDefaultHelpFlag()
			return target.Help()
		},
	}
}

func brokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

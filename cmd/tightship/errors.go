package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/image"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/prove"
	"github.com/tightship-dev/tightship/verify"
)

// hinted is an error with what to do about it.
type hinted struct {
	err  error
	hint string
}

func (h hinted) Error() string { return h.err.Error() }
func (h hinted) Unwrap() error { return h.err }
func (h hinted) Hint() string  { return h.hint }

func withHint(err error, format string, args ...any) error {
	return hinted{err, fmt.Sprintf(format, args...)}
}

// hint is what to do about an error, "" if nobody knows. An error from a
// library may bring its own.
func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	switch {
	case errors.Is(err, engine.ErrUnreachable):
		return "start Docker, or name a running one in DOCKER_HOST"
	case errors.Is(err, engine.ErrPermission):
		return "run as a user who may use Docker (a member of the group docker), or point DOCKER_HOST at an engine of yours"
	case errors.Is(err, engine.ErrVersion):
		return "Docker 20.10 is the oldest that works"
	case errors.Is(err, engine.ErrNoImage):
		return "check the name, `docker pull` it, or build the reference image with `tightship image build`"
	case errors.Is(err, engine.ErrNoContainer):
		return "`docker ps --all` lists the containers"
	case errors.Is(err, verify.ErrOwnTwin):
		return "name the container that it stands in for; `tightship clean` removes it if its run was killed"
	case errors.Is(err, verify.ErrNoCopies):
		return "verify its image, or use the docker engine"
	case errors.Is(err, engine.ErrBadAnswer):
		return "see whether DOCKER_HOST leads to a Docker engine, and what its log says"
	case errors.Is(err, verify.ErrNoCheck):
		return "`tightship checks` lists them"
	case errors.Is(err, prove.ErrNoMutation):
		return "`tightship prove --list` lists them"
	case errors.Is(err, verify.ErrPlatform):
		return "build the image for the engine's platform, or point DOCKER_HOST at an engine on the image's"
	case errors.Is(err, verify.ErrLeft):
		return "remove it with `tightship clean` once the engine is well"
	case errors.Is(err, engine.ErrRuntime):
		return "`docker info` lists the runtimes that Docker knows; without it runc, crun and runsc are looked for beside this program and on PATH"
	}
	return image.Hint(err)
}

type unknownCommand struct {
	parent *cobra.Command
	name   string
}

func (u unknownCommand) Error() string {
	return fmt.Sprintf("there is no command %q", u.parent.CommandPath()+" "+u.name)
}

func (u unknownCommand) Hint() string {
	u.parent.DisableSuggestions = false
	u.parent.SuggestionsMinimumDistance = 2
	if near := u.parent.SuggestionsFor(u.name); len(near) > 0 {
		return fmt.Sprintf("did you mean `%s %s`?", u.parent.CommandPath(), near[0])
	}
	return fmt.Sprintf("`%s --help` lists the commands", u.parent.CommandPath())
}

// commandError puts cobra's own errors in our words.
func commandError(root *cobra.Command, err error) error {
	var name string
	if n, _ := fmt.Sscanf(err.Error(), "unknown command %q for", &name); n == 1 {
		return unknownCommand{parent: root, name: name}
	}
	return err
}

// flagError adds to pflag's errors what would have been right.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := policy.Nearest(unknown.GetSpecifiedName(), names); near != "" {
			return withHint(err, "did you mean --%s?", near)
		}
	}
	return withHint(err, "`%s --help` lists the flags", c.CommandPath())
}

// maxArgs allows up to n arguments, each one a what.
func maxArgs(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) <= n {
			return nil
		}
		err := fmt.Errorf("`%s` takes no arguments, not %q", c.CommandPath(), args[0])
		if n > 0 {
			err = fmt.Errorf("`%s` takes one %s, not %d: %s", c.CommandPath(), what, len(args), strings.Join(args, " "))
		}
		return withHint(err, "`%s --help` shows how it is used", c.CommandPath())
	}
}

func noArgs(c *cobra.Command, args []string) error { return maxArgs(0, "")(c, args) }

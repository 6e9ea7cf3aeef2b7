package main

import (
	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/doctor"
	"github.com/tightship-dev/tightship/image"
)

func (a *app) doctorCommand() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine has, what works and how to get the rest",
		Long: `Say what this machine has for verifying containers: its kernel, the engines that
answer, gVisor, and tightship's own parts. What is missing or weaker than it
could be comes with the commands that mend it. Nothing is changed.

At the end it says for every engine and runtime whether ` + "`tightship verify`" + ` can
run there, what its evidence can be, and what to type next.

The exit code is 0 when at least one way to verify works, and 1 when none does.`,
		Example: `  tightship doctor
  DOCKER_HOST=tcp://build-machine:2376 tightship doctor
  tightship doctor -o json`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.runDoctor(c, output)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text or json")
	complete(c, "output", "text", "json")
	return c
}

func (a *app) runDoctor(c *cobra.Command, output string) error {
	if output != "text" && output != "json" {
		return outputIsTextOrJSON(output)
	}
	a.ui.startStatus("looking at this machine")
	r := doctor.Examine(doctor.Look(c.Context(), a.probes(c)))
	a.ui.stopStatus()
	if err := c.Context().Err(); err != nil {
		return err // what was cut off says nothing about the machine
	}
	var err error
	if output == "json" {
		err = printJSON(c, doctor.Schema, []doctor.Result{r})
	} else {
		err = doctor.Text(c.OutOrStdout(), r, doctor.TextOptions{Width: a.ui.textWidth(), Color: a.ui.color})
	}
	if err != nil {
		return err
	}
	if !r.Works {
		return verdict(exitFailed)
	}
	return nil
}

// probes is how doctor looks at this machine and at this program.
func (a *app) probes(c *cobra.Command) doctor.Probes {
	p := a.machine()
	p.Title = versionString()
	p.Image = image.DefaultTag
	p.Guest = func(arch string) error {
		_, err := a.guest(arch)
		return err
	}
	// It is there where `verify` has the flag that asks for it.
	if v, _, err := c.Root().Find([]string{"verify"}); err == nil {
		p.Daemonless = v.Flags().Lookup("engine") != nil
	}
	return p
}

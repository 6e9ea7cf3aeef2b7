package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/report"
)

func (a *app) reportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "report",
		Short: "Convert and compare reports, and print their schema",
	}
	proof := false
	schema := &cobra.Command{
		Use:               "schema",
		Short:             "Print the JSON Schema of `verify -o json`, or of `prove -o json`",
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			if proof {
				return print(c, report.ProofJSONSchema)
			}
			return print(c, report.JSONSchema)
		},
	}
	schema.Flags().BoolVar(&proof, "proof", false, "the schema of `tightship prove -o json`")
	c.AddCommand(schema, a.convertCommand(), a.diffCommand())
	return c
}

func (a *app) convertCommand() *cobra.Command {
	var output []string
	var verbose, quiet bool
	c := &cobra.Command{
		Use:   "convert FILE",
		Short: "Write a JSON report or proof in other formats",
		Long: `Read what ` + "`tightship verify -o json`" + ` or ` + "`tightship prove -o json`" + ` wrote, and write it in
other formats. FILE may be - for standard input.

The input is read strictly: it must be whole, exactly what the schema says, and its
counts and verdict must be those of its checks. A report whose headline was edited
is refused. That is no signature: whoever can change the checks can change both.

A proof can be written as ` + strings.Join(namesOf(proofFormats), ", ") + `. The exit code is 0 when all was written,
whatever the verdict, and 3 when not.`,
		Example: `  tightship report convert report.json -o html=report.html -o sarif=report.sarif
  tightship report convert report.json -o markdown >> "$GITHUB_STEP_SUMMARY"
  tightship verify my-agent:latest -o json | tightship report convert - -o tap`,
		Args: exactArgs(1, "file"),
		RunE: func(c *cobra.Command, args []string) error {
			if quiet && verbose {
				return withHint(errors.New("--quiet and --verbose contradict each other"), "leave one of them out")
			}
			options := report.TextOptions{Width: a.ui.textWidth(), Color: a.ui.color, Verbose: verbose, Quiet: quiet}
			r, p, err := readReport(c, args[0])
			switch {
			case err != nil:
				return err
			case p != nil:
				return convert(a, *p, output, proofFormats, func(w io.Writer, p report.Proof) error { return report.ProofText(w, p, options) })
			}
			return convert(a, *r, output, formats, func(w io.Writer, r report.Report) error { return report.Text(w, r, options) })
		},
	}
	fl := c.Flags()
	fl.StringArrayVarP(&output, "output", "o", nil, "write `FORMAT[=FILE]`: "+strings.Join(formatNames(), ", ")+"; to standard output without FILE (repeatable)")
	fl.BoolVarP(&quiet, "quiet", "q", false, "of text, only what did not hold, and the verdict")
	fl.BoolVarP(&verbose, "verbose", "v", false, "in text, the evidence of every check")
	complete(c, "output", formatNames()...)
	return c
}

// convert writes a result of the kind R wherever it was asked for, all or nothing
// to each file. Text fits the terminal where there is one.
func convert[R any](a *app, r R, output []string, formats []format[R], text func(io.Writer, R) error) error {
	out, err := parseOutputsOf(output, formats)
	if err != nil {
		return err
	}
	toStdout := len(out.files) == 0 || slices.ContainsFunc(output, func(v string) bool {
		_, file, given := strings.Cut(v, "=")
		return !given || isStdout(file)
	})
	if err := out.check(); err != nil {
		return err
	}
	for _, s := range out.files {
		if err := s.write(r); err != nil {
			return withHint(fmt.Errorf("cannot write %s: %w", s.name, cause(err)), "free some space, or choose another place for -o %s=FILE", s.format)
		}
	}
	switch {
	case !toStdout:
		return nil
	case out.stdout == "text":
		return text(a.ui.out, r)
	}
	return formats[slices.Index(namesOf(formats), out.stdout)].render(a.ui.out, r)
}

// readReport reads a report or a proof from a file, - for standard input.
func readReport(c *cobra.Command, name string) (*report.Report, *report.Proof, error) {
	var in io.Reader = c.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil, withHint(fmt.Errorf("there is no file %s", name), "`tightship verify -o json=%s` writes one", name)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("cannot read %s: %w", name, cause(err))
		}
		defer f.Close()
		in = f
	}
	r, p, err := report.Read(in)
	if err != nil {
		return nil, nil, withHint(fmt.Errorf("cannot read %s: %w", name, cause(err)), "give a file that `tightship verify -o json=FILE` wrote, as it was written")
	}
	return r, p, nil
}

// print writes what a function returns to standard output.
func print(c *cobra.Command, text func() ([]byte, error)) error {
	b, err := text()
	if err != nil {
		return err
	}
	_, err = c.OutOrStdout().Write(b)
	return err
}

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/receipt"
	"github.com/tightship-dev/tightship/report"
)

func (a *app) receiptShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show FILE",
		Short: "Print what a receipt says, without checking it",
		Long: `Print what a receipt says. Nothing is checked, and anybody may have written it:
` + "`tightship receipt verify`" + ` tells.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			env, err := readReceipt(args[0])
			if err != nil {
				return err
			}
			s, err := env.Statement()
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			var b strings.Builder
			b.WriteString("NOT VERIFIED: anybody may have written this; `tightship receipt verify` checks it\n")
			for _, sig := range env.Signatures {
				a.hang(&b, "  signed by    ", report.Sanitize(sig.KeyID, longestName)+" (so it says)")
			}
			if env.PayloadType != receipt.PayloadType || s.Type != receipt.StatementType || s.PredicateType != receipt.PredicateType {
				a.hang(&b, "  kind         ", report.Sanitize(strings.Join([]string{env.PayloadType, s.Type, s.PredicateType}, ", "), longestReason)+": this is not what a receipt holds")
			} else {
				a.describeReceipt(&b, s)
			}
			_, err = fmt.Fprint(c.OutOrStdout(), b.String())
			return err
		},
	}
}

// describeReceipt writes what a receipt says, a line for each thing.
func (a *app) describeReceipt(b *strings.Builder, s receipt.Statement) {
	p, t := s.Predicate, s.Predicate.Tightship
	at := func(m time.Time) string { return m.UTC().Format(time.RFC3339) }
	program := s.Digest(receipt.RuntimeName)
	if program == "" {
		program = "program not known: " + t.Runtime.Note
	}
	for _, line := range [][2]string{
		{"result", fmt.Sprintf("%s (%s): %d held, %d accepted, %d failed or not measured", p.Result, t.Verdict, len(p.PassedTests), len(p.WarnedTests), len(p.FailedTests))},
		{"accepted", strings.Join(p.WarnedTests, ", ")},
		{"failed", strings.Join(p.FailedTests, ", ")},
		{"image", t.Image + " " + strings.Join(s.Images(), " ")},
		{"container", strings.TrimSpace(t.Container + " " + s.Container())},
		{"policy", s.Digest(receipt.PolicyName)},
		{"settings", s.Digest(receipt.SettingsName)},
		{"engine", t.Engine.Name + " " + t.Engine.Version},
		{"runtime", t.Runtime.Name + ", " + program},
		{"guest", s.Digest(receipt.GuestName)},
		{"kernel", fmt.Sprintf("%s, cgroup %s, LSM %s", t.Kernel, t.Cgroup, t.LSM)},
		{"tightship", t.Version + ", run " + t.RunID},
		{"time", at(t.Time)},
		{"expires", at(t.Expires)},
	} {
		if line[1] != "" {
			a.hang(b, fmt.Sprintf("  %-11s  ", line[0]), report.Sanitize(line[1], longestReason))
		}
	}
}

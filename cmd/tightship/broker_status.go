package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/broker"
	"github.com/tightship-dev/tightship/report"
)

func (a *app) brokerStatusCommand() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the broker and its credentials",
		Long: `Show the broker and its credentials, and what is wrong with them. The values of env:,
file: and age: are read for it. Of exec:, keyring: and oauth: it says how the last
fetch went, and fetches nothing.`,
		Args: noArgs,
	}
	onBroker(c, func(ctx context.Context, b *broker.Client, _ []string) error {
		s, err := b.Status(ctx)
		if err != nil {
			return err
		}
		switch output {
		case "json":
			return printJSON(c, "tightship.broker-status/v1", []broker.Status{s})
		case "text":
			return print(c, func() ([]byte, error) { return []byte(a.brokerStatusText(s)), nil })
		}
		return outputIsTextOrJSON(output)
	})
	c.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text or json")
	complete(c, "output", "text", "json")
	return c
}

func (a *app) brokerStatusText(s broker.Status) string {
	file := s.Policy
	if file == "" {
		file = "the built-in default"
	}
	clean := func(s string) string { return report.Sanitize(s, longestReason) }
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "process\t%d, up for %s\n", s.PID, time.Duration(s.Uptime*float64(time.Second)).Round(time.Second))
	fmt.Fprintf(w, "policy\t%s\nsandboxes\t%d\nconnections\t%d\n\n", clean(file), s.Sandboxes, s.Connections)
	fmt.Fprintln(w, "CREDENTIAL\tLISTENS AT\tUPSTREAM\tATTACHED AS\tSTATE")
	for _, cr := range s.Credentials {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", cr.Name, cr.Listen, cr.Upstream, cr.Attach, cr.State)
	}
	_ = w.Flush() // a Builder takes everything
	// What is wrong comes last, where a terminal shows it.
	var wrong strings.Builder
	if s.Ledger != "" {
		a.hang(&wrong, "", "ledger: "+clean(s.Ledger)+": nothing is served: free the disk or mend it, then start the broker again")
	}
	if s.Reload != nil {
		first, _, _ := strings.Cut(s.Reload.Text, "\n")
		a.hang(&wrong, "", clean(fmt.Sprintf("policy: reloading failed at %s: %s; the policy before it is still at work", s.Reload.Time.UTC().Format("15:04:05 UTC"), first)))
	}
	for _, cr := range s.Credentials {
		switch {
		case cr.Problem == "":
		case cr.State == broker.StateInUse:
			a.hang(&wrong, "", clean(cr.Name+": the value before is in use, as it cannot be fetched again: "+cr.Problem))
		default:
			a.hang(&wrong, "", clean(cr.Name+": "+cr.State+": "+cr.Problem))
		}
	}
	if wrong.Len() > 0 {
		b.WriteString("\n" + wrong.String())
	}
	return b.String()
}

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/ledger/export"
	"github.com/tightship-dev/tightship/report"
)

// ledgerFilter is which records are wanted.
type ledgerFilter struct {
	sandbox, credential, decision, since, until string
	from, to                                    time.Time
}

func (f *ledgerFilter) flags(c *cobra.Command) {
	c.Flags().StringVar(&f.sandbox, "sandbox", "", "only what the sandbox `NAME` did")
	c.Flags().StringVar(&f.credential, "credential", "", "only what was done with the credential `NAME`")
	c.Flags().StringVar(&f.decision, "decision", "", "only what was decided like `THIS`, such as allow or deny")
	c.Flags().StringVar(&f.since, "since", "", "only from `TIME` on: as 2026-01-31T12:00:00Z, or 90m for that long ago")
	c.Flags().StringVar(&f.until, "until", "", "only up to `TIME`")
}

func (f *ledgerFilter) parse(now time.Time) (err error) {
	if f.from, err = ledgerTime("since", f.since, now); err != nil {
		return err
	}
	f.to, err = ledgerTime("until", f.until, now)
	return err
}

func ledgerTime(flag, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(-d.Abs()), nil
	}
	for _, format := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(format, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, withHint(fmt.Errorf("--%s %q is no time", flag, s), "write 2026-01-31T12:00:00Z, 2026-01-31, or 90m for that long ago")
}

func (f *ledgerFilter) wants(r ledger.Record) bool {
	return (f.sandbox == "" || r.Sandbox == f.sandbox) &&
		(f.credential == "" || r.Credential == f.credential) &&
		(f.decision == "" || r.Decision == f.decision) &&
		(f.from.IsZero() || !r.Time.Before(f.from)) &&
		(f.to.IsZero() || !r.Time.After(f.to))
}

// wanted is the records that a filter leaves of a cursor's, up to the present end.
func (f *ledgerFilter) wanted(ctx context.Context, cur *ledger.Cursor) export.Records {
	return func(yield func(ledger.Record, error) bool) {
		for ctx.Err() == nil {
			r, err := cur.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(r, noLedger(err))
				return
			}
			if f.wants(r) && !yield(r, nil) {
				return
			}
		}
		yield(ledger.Record{}, context.Cause(ctx))
	}
}

func (a *app) ledgerShowCommand() *cobra.Command {
	var at ledgerAt
	var f ledgerFilter
	var output string
	var last int
	c := &cobra.Command{
		Use:   "show",
		Short: "List the records of a ledger",
		Long: `List records, the oldest first. Their signatures are not checked: that is what
` + "`tightship ledger verify`" + ` is for.`,
		Example: `  tightship ledger show --sandbox agent --since 24h
  tightship ledger show --decision denied -n 20 -o json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return outputIsTextOrJSON(output)
			}
			if last < 0 {
				return withHint(fmt.Errorf("-n %d is no number of records", last), "leave it out for all of them")
			}
			if err := f.parse(a.now()); err != nil {
				return err
			}
			cur, err := ledger.OpenCursor(at.directory(), 0)
			if err != nil {
				return noLedger(err)
			}
			defer cur.Close()
			return a.showLedger(c, f.wanted(c.Context(), cur), last, output)
		},
	}
	at.dirFlag(c)
	f.flags(c)
	c.Flags().IntVarP(&last, "lines", "n", 0, "only the last `N` of them (default all)")
	c.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text or json")
	complete(c, "output", "text", "json")
	return c
}

// showLedger prints records as they come; the last n need all of them first.
func (a *app) showLedger(c *cobra.Command, records export.Records, n int, output string) error {
	if output == "text" && n == 0 {
		a.ledgerHead(c.OutOrStdout())
		for r, err := range records {
			if err != nil {
				return err
			}
			a.ledgerRow(c.OutOrStdout(), r)
		}
		return nil
	}
	lines := []json.RawMessage{}
	for r, err := range records {
		if err != nil {
			return err
		}
		if lines = append(lines, r.Line); n > 0 && len(lines) > n {
			lines = lines[1:]
		}
	}
	if output == "json" {
		return printJSON(c, "tightship.ledger/v1", lines)
	}
	a.ledgerHead(c.OutOrStdout())
	for _, line := range lines {
		r, err := ledger.ParseRecord(line)
		if err != nil {
			return err
		}
		a.ledgerRow(c.OutOrStdout(), r)
	}
	return nil
}

// The columns of the table; what was done takes what is left of the line.
const ledgerColumns = "%-6s %-19s %-8s %-12s "

func (a *app) ledgerHead(w io.Writer) {
	fmt.Fprintf(w, ledgerColumns+"WHAT\n", "SEQ", "TIME (UTC)", "KIND", "SANDBOX")
}

func (a *app) ledgerRow(w io.Writer, r ledger.Record) {
	lead := fmt.Sprintf(ledgerColumns, strconv.FormatUint(r.Seq, 10), r.Time.Format("2006-01-02 15:04:05"), r.Kind, report.Sanitize(cmp.Or(r.Sandbox, "-"), 12))
	what := []string{}
	add := func(label, s string) {
		if s != "" {
			what = append(what, label+s)
		}
	}
	add("", r.Event)
	if r.Of > 0 {
		add("of ", strconv.FormatUint(r.Of, 10))
	}
	add("", r.Credential)
	add("", strings.TrimSpace(r.Method+" "+r.Route+r.Path))
	if r.Status > 0 {
		add("status ", strconv.Itoa(r.Status))
	}
	if r.Latency > 0 {
		add("", r.Latency.Round(time.Millisecond/10).String())
	}
	add("", r.Decision)
	add("by ", r.Rule)
	add("", r.Reason)
	for _, u := range r.Refs {
		add("", fmt.Sprintf("%s %.8s..%.8s", u.Ref, u.Old, u.New))
	}
	var b strings.Builder
	a.hang(&b, lead, report.Sanitize(strings.Join(what, ", "), longestReason))
	fmt.Fprint(w, b.String())
}

func (a *app) ledgerTailCommand() *cobra.Command {
	var at ledgerAt
	var n int
	var follow bool
	var output string
	c := &cobra.Command{
		Use:   "tail",
		Short: "Print the last records, and go on with what is recorded",
		Example: `  tightship ledger tail -n 20
  tightship ledger tail -f -o json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return outputIsTextOrJSON(output)
			}
			if n < 0 {
				return withHint(fmt.Errorf("-n %d is no number of records", n), "0 begins with the next one")
			}
			cur, err := ledger.OpenTail(at.directory(), n)
			if err != nil {
				return noLedger(err)
			}
			defer cur.Close()
			return a.tailLedger(c, cur, follow, output)
		},
	}
	at.dirFlag(c)
	c.Flags().IntVarP(&n, "lines", "n", 10, "begin with the last `N` records")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on until interrupted")
	c.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text, or json for a record a line, as it stands in the ledger")
	complete(c, "output", "text", "json")
	return c
}

// tailEvery is how often a ledger is looked at for new records.
const tailEvery = 200 * time.Millisecond

func (a *app) tailLedger(c *cobra.Command, cur *ledger.Cursor, follow bool, output string) error {
	for {
		r, err := cur.Next()
		switch {
		case errors.Is(err, io.EOF) && !follow:
			return nil
		case errors.Is(err, io.EOF):
			select {
			case <-c.Context().Done():
				return context.Cause(c.Context())
			case <-time.After(tailEvery):
			}
		case err != nil:
			return noLedger(err)
		case a.ui.out.gone:
			return nil
		case output == "json":
			fmt.Fprintf(c.OutOrStdout(), "%s\n", r.Line)
		default:
			a.ledgerRow(c.OutOrStdout(), r)
		}
	}
}

func (a *app) ledgerExportCommand() *cobra.Command {
	var at ledgerAt
	var f ledgerFilter
	var format string
	var names []string
	for _, x := range export.Formats() {
		names = append(names, x.Name)
	}
	c := &cobra.Command{
		Use:   "export",
		Short: "Write records for other systems: OpenTelemetry or OCSF",
		Long: `Write records as lines of JSON: otlp are OpenTelemetry logs as the collector's file
receiver takes them, ocsf are API Activity events (class 6003) of OCSF ` + export.OCSFVersion + `.`,
		Example: `  tightship ledger export --format ocsf --since 24h > activity.jsonl`,
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.parse(a.now()); err != nil {
				return err
			}
			for _, x := range export.Formats() {
				if x.Name != format {
					continue
				}
				cur, err := ledger.OpenCursor(at.directory(), 0)
				if err != nil {
					return noLedger(err)
				}
				defer cur.Close()
				return x.Write(c.OutOrStdout(), f.wanted(c.Context(), cur), versionString())
			}
			return withHint(fmt.Errorf("%q is no export format", format), "the formats are %s", strings.Join(names, ", "))
		},
	}
	at.dirFlag(c)
	f.flags(c)
	c.Flags().StringVar(&format, "format", names[0], "`FORMAT`: "+strings.Join(names, " or "))
	complete(c, "format", names...)
	return c
}

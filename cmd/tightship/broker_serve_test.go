package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/broker"
	"github.com/tightship-dev/tightship/ledger"
)

// unwell is a ledger that says the same of every record.
type unwell struct{ err error }

func (f unwell) Append(context.Context, ledger.Entry) (uint64, error) { return 0, f.err }
func (f unwell) Post(ledger.Entry) error                              { return f.err }
func (f unwell) Broken() error                                        { return f.err }

// A ledger that breaks is said once, as an error and with what to do, however many
// records are lost then. A record that is at fault is an error of its own.
func TestBrokenLedgerIsSaidOnce(t *testing.T) {
	broken := fmt.Errorf("%w: no space left on device", ledger.ErrBroken)
	for name, row := range map[string]struct {
		err  error
		want []string // what the lines hold, in their order
	}{
		"well":     {nil, nil},
		"broken":   {broken, []string{`level=ERROR msg=ledger.broken error="the ledger is broken, and records nothing any more: no space left on device" text="every use of a credential is refused: free the disk`}},
		"too long": {fmt.Errorf("%w: it is too long", ledger.ErrEntry), []string{"level=ERROR msg=ledger.failed", "level=ERROR msg=ledger.failed", "level=ERROR msg=ledger.failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			w := &watchedLedger{Ledger: unwell{row.err}, log: slog.New(slog.NewTextHandler(&out, nil))}
			for range 3 {
				if _, err := w.Append(t.Context(), ledger.Entry{}); err != row.err {
					t.Errorf("got %v, want %v", err, row.err)
				}
				if err := w.Post(ledger.Entry{}); err != row.err {
					t.Errorf("posted: got %v, want %v", err, row.err)
				}
				if row.err != nil { // as the broker does
					w.notify(broker.Notice{What: "ledger.failed", Text: row.err.Error()})
				}
			}
			if err := broker.Ledger(w).Broken(); err != row.err { // which healthz asks
				t.Errorf("broken: %v, want %v", err, row.err)
			}
			lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
			if out.Len() == 0 {
				lines = nil
			}
			if len(lines) != len(row.want) {
				t.Fatalf("want %d lines:\n%s", len(row.want), out.String())
			}
			for i, want := range row.want {
				if !strings.Contains(lines[i], want) {
					t.Errorf("%q lacks %q", lines[i], want)
				}
			}
		})
	}
}

// Whoever filters the log by its level sees what wants a look.
func TestNoticeLevels(t *testing.T) {
	for what, want := range map[string]string{"caller.refused": "WARN", "accept.failed": "WARN", "ledger.failed": "ERROR", "sandbox.bound": "INFO"} {
		var out strings.Builder
		w := &watchedLedger{log: slog.New(slog.NewTextHandler(&out, nil))}
		w.notify(broker.Notice{What: what})
		if got := out.String(); !strings.Contains(got, "level="+want+" msg="+what+"\n") {
			t.Errorf("%s: %q, want %s and nothing that is empty", what, got, want)
		}
	}
}

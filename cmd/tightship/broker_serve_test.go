package main

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/tightship-dev/tightship/broker"
)

// Whoever filters the log by its level sees what wants a look.
func TestNoticeLevels(t *testing.T) {
	for what, want := range map[string]string{
		"caller.refused": "WARN", "accept.failed": "WARN", "ledger.broken": "ERROR", "ledger.failed": "ERROR", "sandbox.bound": "INFO",
	} {
		var out strings.Builder
		notify(slog.New(slog.NewTextHandler(&out, nil)))(broker.Notice{What: what})
		if got := out.String(); !strings.Contains(got, "level="+want+" msg="+what+"\n") {
			t.Errorf("%s: %q, want %s and nothing that is empty", what, got, want)
		}
	}
}

// Package export writes the records of a ledger in the forms that other systems
// take: OpenTelemetry's logs and OCSF's events, both as lines of JSON. What they
// hold is a copy for searching and alerting; the ledger is the evidence.
package export

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"strconv"

	"github.com/tightship-dev/tightship/ledger"
)

// Records is what is exported, until the first error.
type Records = iter.Seq2[ledger.Record, error]

// Format is a name and what writes it. Version is the program's.
type Format struct {
	Name  string
	Write func(w io.Writer, records Records, version string) error
}

// Formats are all of them.
func Formats() []Format { return []Format{{"otlp", OTLP}, {"ocsf", OCSF}} }

// lines writes a line of JSON for each chunk of up to n records.
func lines(w io.Writer, records Records, n int, line func([]ledger.Record) any) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	var chunk []ledger.Record
	flush := func() error {
		if len(chunk) == 0 {
			return nil
		}
		err := enc.Encode(line(chunk))
		chunk = chunk[:0]
		return err
	}
	for r, err := range records {
		if err != nil {
			return errors.Join(err, flush(), out.Flush())
		}
		if chunk = append(chunk, r); len(chunk) == n {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return errors.Join(flush(), out.Flush())
}

// summary is a record in a few words.
func summary(r ledger.Record) string {
	switch r.Kind {
	case ledger.Event:
		return r.Event
	case ledger.Outcome:
		return "outcome of " + strconv.FormatUint(r.Of, 10) + ": status " + strconv.Itoa(r.Status)
	}
	return r.Kind + ": " + r.Method + " " + r.Route + r.Path
}

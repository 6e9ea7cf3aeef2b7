package ledger

import "fmt"

// What can be wrong with a ledger.
const (
	Malformed     = "malformed"              // a line is no record
	Changed       = "changed"                // a record or a file is not the one that was written
	Removed       = "removed"                // records or a file are missing
	Inserted      = "inserted"               // a record was put in
	Duplicated    = "duplicated"             // a record stands there twice
	Reordered     = "reordered"              // a record stands in another place
	CutTail       = "cut-tail"               // the last records are missing
	Swapped       = "swapped"                // a segment stands under another's name
	Rewritten     = "rewritten"              // the chain is whole, and is not the one that was signed
	WrongKey      = "wrong-key"              // something is signed by another key
	RolledBack    = "rolled-back"            // an older checkpoint was put in place of a newer one
	NoIntent      = "outcome-without-intent" // a use that was not announced
	DroppedSilent = "dropped"                // old segments are missing, and no record says that they were dropped
	NoOutcome     = "intent-without-outcome" // a note: a crash looks like that
	Unsigned      = "unsigned"               // a note: no checkpoint covers these yet
	TornTail      = "torn-tail"              // a note: a line was being written
	Leftover      = "leftover"               // a note: a file that the ledger does not need
	NotCheckpoint = "no-checkpoint"          // a note: a part of a copied checkpoint
)

// Finding is something that Verify found, and where.
type Finding struct {
	Kind    string `json:"kind"`
	File    string `json:"file"`           // in the ledger, or the name of a checkpoint
	Line    int    `json:"line,omitempty"` // from 1; 0 where it is the file
	Seq     uint64 `json:"seq"`            // of the record, or the first of several
	Message string `json:"message"`        // in words
}

func (f Finding) String() string {
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s line %d (record %d)", f.File, f.Line, f.Seq)
	}
	return fmt.Sprintf("%s: %s: %s", f.Kind, place, f.Message)
}

// maxFindings is how many of a kind of list are kept; the rest is counted.
const maxFindings = 1000

// Result is what Verify found.
type Result struct {
	Records  uint64 `json:"records"` // that are there
	First    uint64 `json:"first"`   // number of the first; the ones before were dropped
	Segments int    `json:"segments"`
	Bytes    int64  `json:"bytes"` // of records
	// Checkpoint is how many records the newest checkpoint that holds covers.
	Checkpoint uint64 `json:"checkpoint"`
	Root       string `json:"root"` // of all records, in base64; "" where something is wrong

	Findings     []Finding `json:"findings"` // what is wrong; none: the ledger is intact
	MoreFindings int       `json:"more_findings,omitempty"`
	Notes        []Finding `json:"notes"` // what is worth knowing and not wrong
	MoreNotes    int       `json:"more_notes,omitempty"`
}

// Intact reports that nothing is wrong.
func (r *Result) Intact() bool { return len(r.Findings) == 0 }

func (r *Result) found(f Finding) {
	if len(r.Findings) < maxFindings {
		r.Findings = append(r.Findings, f)
	} else {
		r.MoreFindings++
	}
}

func (r *Result) note(f Finding) {
	if len(r.Notes) < maxFindings {
		r.Notes = append(r.Notes, f)
	} else {
		r.MoreNotes++
	}
}

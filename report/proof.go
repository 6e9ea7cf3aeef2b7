package report

import "time"

// ProofSchema names the JSON form of a Proof.
const ProofSchema = "tightship.proof/v1"

// Proof says what each protection's loss came to: whether the checks notice.
type Proof struct {
	Schema  string        `json:"schema" jsonschema:"enum=tightship.proof/v1"`
	Results []ProofResult `json:"results"` // one per runtime
}

// ProofResult is one subject on one runtime: verified as it is, then again with
// one protection taken away at a time.
type ProofResult struct {
	Baseline   Result       `json:"baseline"`
	Mutants    []Mutant     `json:"mutants"`
	Witnesses  []Witness    `json:"witnesses"` // one per check of the baseline
	Summary    ProofSummary `json:"summary"`
	Started    time.Time    `json:"started"`
	DurationMS int64        `json:"duration_ms"`
}

// Mutant is one weakening and what came of it.
type Mutant struct {
	ID      string `json:"id"`
	Title   string `json:"title"`
	Section string `json:"section"` // of the first check that it is to break
	// Outcome is "killed" (exactly the declared checks failed), "survived" (one of
	// them did not), "cross-talk" (another check flipped), "not-demonstrable" (it
	// cannot be expressed here) or "error" (it could not be tried).
	Outcome string `json:"outcome" jsonschema:"enum=killed,enum=survived,enum=cross-talk,enum=not-demonstrable,enum=error"`
	Reason  string `json:"reason"` // "" when it was killed
	// Cells are the checks that were expected to flip or did, in catalogue order.
	Cells []Cell `json:"cells"`
	// NotAttempted are the checks that were left out under this weakening.
	NotAttempted []string `json:"not_attempted"`
	DurationMS   int64    `json:"duration_ms"`
}

// Cell is one check under one weakening.
type Cell struct {
	Check    string `json:"check"`
	Expected string `json:"expected" jsonschema:"enum=pass,enum=fail,enum=inconclusive,enum=accepted,enum=not-applicable"`
	Actual   string `json:"actual" jsonschema:"enum=pass,enum=fail,enum=inconclusive,enum=accepted,enum=not-applicable"`
	// Seen says which accounts show the loss by themselves, each judged with the
	// others as they were in the baseline: "attempt", "kernel", "engine".
	Seen   []string `json:"seen"`
	Reason string   `json:"reason"` // the check's own
}

// Witness says of one check what was shown about it.
type Witness struct {
	Check    string   `json:"check"`
	Baseline string   `json:"baseline"` // its verdict as it is
	Killers  []string `json:"killers"`  // the mutants under which it failed as declared
	// Seen is which accounts alone noticed at least one of them.
	Seen []string `json:"seen"`
	// Reason is why no weakening can show it, or why the attempt alone cannot; ""
	// where neither is so.
	Reason string `json:"reason"`
}

// ProofSummary counts the mutants. Verdict is "proven" when all that could be
// shown were killed without cross-talk and the baseline was proven.
type ProofSummary struct {
	Mutants         int    `json:"mutants"` // that could be shown: without not-demonstrable
	Killed          int    `json:"killed"`
	Survived        int    `json:"survived"`
	CrossTalk       int    `json:"cross_talk"` // checks that flipped undeclared, over all mutants
	NotDemonstrable int    `json:"not_demonstrable"`
	Errors          int    `json:"errors"`
	Blind           int    `json:"blind"` // checks graded exercised whose attempt no mutant moved
	Verdict         string `json:"verdict" jsonschema:"enum=proven,enum=failed,enum=inconclusive"`
}

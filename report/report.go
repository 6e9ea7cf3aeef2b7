// Package report is the one value that a verification produces and the ways it
// leaves the program. Renderers are pure: a Report in, bytes out, no engine, no
// clock. Whatever came from inside a container (an image's name, a program's
// output, a path) is hostile text, and each renderer escapes it for its medium.
package report

import "time"

// Schema names the JSON form of a Report.
const Schema = "tightship.report/v1"

// Report is the results of one or more subjects.
type Report struct {
	Schema  string   `json:"schema" jsonschema:"enum=tightship.report/v1"`
	Results []Result `json:"results"`
}

// Result is one subject's verification.
type Result struct {
	Subject      Subject `json:"subject"`
	PolicyDigest string  `json:"policy_digest"` // sha256:… of the effective policy
	// SettingsDigest is spec.Container.Digest of what was launched, or of what the
	// verified container declared.
	SettingsDigest string    `json:"settings_digest"`
	GuestDigest    string    `json:"guest_digest"` // sha256:… of the program that ran inside
	Policy         string    `json:"policy"`       // its file, "" for the built-in default
	RunID          string    `json:"run_id"`       // value of the tightship label on everything created
	Checks         []Check   `json:"checks"`
	LeftOut        int       `json:"left_out"` // checks that were not asked for
	Residual       []Risk    `json:"residual"`
	Summary        Summary   `json:"summary"`
	Started        time.Time `json:"started"`
	DurationMS     int64     `json:"duration_ms"`
}

// Subject is what was verified, and on what.
type Subject struct {
	Image         string `json:"image"`
	ImageDigest   string `json:"image_digest"` // of the repository it is from, if any, else ImageID
	ImageID       string `json:"image_id"`     // the engine's name for this very content
	Container     string `json:"container"`    // "" when an image was verified
	Engine        string `json:"engine"`
	EngineVersion string `json:"engine_version"`
	Runtime       string `json:"runtime"`
	// RuntimeDigest is sha256:… of the runtime's program with its arguments, or ""
	// and then RuntimeNote says why it is not known.
	RuntimeDigest string `json:"runtime_digest"`
	RuntimeNote   string `json:"runtime_note"`
	Kernel        string `json:"kernel"`
	Cgroup        string `json:"cgroup"` // "v1" or "v2"
	LSM           string `json:"lsm"`    // "apparmor", "selinux" or "none"
}

// Check is one verdict with its evidence.
type Check struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Section  string   `json:"section"`
	Seed     []string `json:"seed"` // tests of the original suite it replaces
	Verdict  string   `json:"verdict" jsonschema:"enum=pass,enum=fail,enum=inconclusive,enum=accepted,enum=not-applicable"`
	Evidence string   `json:"evidence" jsonschema:"enum=exercised,enum=kernel,enum=declared,enum=none"`
	Wanted   string   `json:"wanted"`
	Declared string   `json:"declared"`
	Kernel   string   `json:"kernel"`
	Observed string   `json:"observed"`
	Reason   string   `json:"reason"`
	Hint     string   `json:"hint"` // how to fix it; "" unless it failed or is inconclusive
	Refs     []string `json:"refs"`
	// Setting is the policy's key that decides it, and Line where that stands in
	// the policy's file, from 1; 0 where the file does not say it, or there is none.
	Setting    string `json:"setting"`
	Line       int    `json:"line"`
	DurationMS int64  `json:"duration_ms"`
}

// Risk is something no setting here takes away. Never a verdict.
type Risk struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

// Summary counts the verdicts. Verdict is "proven", "failed" or "inconclusive".
type Summary struct {
	Pass          int    `json:"pass"`
	Fail          int    `json:"fail"`
	Inconclusive  int    `json:"inconclusive"`
	Accepted      int    `json:"accepted"`
	NotApplicable int    `json:"not_applicable"`
	Verdict       string `json:"verdict" jsonschema:"enum=proven,enum=failed,enum=inconclusive"`
}

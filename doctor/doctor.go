// Package doctor says what a machine has, what works on it, what is missing and
// how to get it. It changes nothing: whatever it finds, it names the command and
// leaves the typing to the reader.
//
// It goes one way, in two steps:
//
//	Look     asks the machine, through Probes, and writes down Facts
//	Examine  turns Facts into a Result, without asking anything
//
// So that a machine that we do not have can be examined as well as the one that
// we do: a fake machine is a file system of a few lines, an engine that answers
// from memory, and a list of programs.
//
// Three things a probe may have found, and they are kept apart: it is there, it
// is not there, it could not be told. What could not be told is never ok.
//
// A probe reads, connects, and runs `PROGRAM --version` of runtimes that lie
// where programs lie. Nothing that an engine answered is executed, and whatever
// anybody answered is shown as text that a terminal does not act on.
package doctor

import (
	"regexp"

	"github.com/tightship-dev/tightship/report"
)

// Schema names the JSON form of a Result.
const Schema = "tightship.doctor/v1"

// Level is how much a finding asks of the reader.
type Level string

// The levels, the calm one first. Every finding that is not OK has a way out in
// its Steps.
const (
	OK      Level = "ok"      // there, and works
	Note    Level = "note"    // worth knowing; nothing has to be done
	Warning Level = "warning" // works with less protection, less evidence, or not for long
	Missing Level = "missing" // not there, or does not work
)

// The groups of findings.
const (
	machineGroup   = "machine"
	enginesGroup   = "engines"
	gvisorGroup    = "gvisor"
	tightshipGroup = "tightship"
)

// Groups is the groups of findings in the order in which they are shown.
var Groups = []string{machineGroup, enginesGroup, gvisorGroup, tightshipGroup}

// Finding is one thing that was looked at.
type Finding struct {
	ID     string `json:"id"` // "machine.cgroups"; the same on every machine
	Group  string `json:"group"`
	Level  Level  `json:"level"`
	Title  string `json:"title"`  // what was looked at, a word or two
	Detail string `json:"detail"` // what it is like
	Steps  []Step `json:"steps"`  // how to get what is missing; empty for OK, never nil
}

// Step is one thing to do: words, a command to copy, or both.
type Step struct {
	Text    string `json:"text"`
	Command string `json:"command"`
}

// Way is a pair of engine and runtime, and whether `tightship verify` runs there.
type Way struct {
	Engine  string `json:"engine"`  // "docker", "podman", "oci"
	Host    string `json:"host"`    // the engine's address; "" for oci
	Runtime string `json:"runtime"` // the name that the engine knows
	Works   bool   `json:"works"`
	// Account says whether the kernel's own account of a container can be read
	// from outside of it.
	Account bool   `json:"kernel_account"`
	Detail  string `json:"detail"`  // why it does not work, or what its evidence lacks
	Command string `json:"command"` // what verifies there, "" where nothing does
}

// Result is what Examine found.
type Result struct {
	Findings []Finding `json:"findings"`
	Ways     []Way     `json:"ways"` // what works first, in the order of preference
	Works    bool      `json:"works"`
	Next     Step      `json:"next"` // what to type now
}

// Of the texts of others, this many characters are shown.
const (
	maxWord = 120
	maxText = 400
)

// exam is an examination at work.
type exam struct {
	Facts
	out Result
}

// Examine turns facts into findings. It is a pure function.
func Examine(f Facts) Result {
	x := &exam{Facts: f, out: Result{Findings: []Finding{}, Ways: []Way{}}}
	x.machine()
	x.engines()
	x.gvisor()
	x.tightship()
	x.ways()
	return x.out
}

// find notes a finding.
func (x *exam) find(group, id string, l Level, title, detail string, steps ...Step) {
	steps = append([]Step{}, steps...)
	if x.root() {
		for i := range steps {
			steps[i].Command = sudo.ReplaceAllString(steps[i].Command, "$1")
		}
	}
	x.out.Findings = append(x.out.Findings, Finding{
		ID: group + "." + id, Group: group, Level: l, Title: title,
		Detail: report.Sanitize(detail, maxText), Steps: steps,
	})
}

// sudo is what root need not type, and may not have.
var sudo = regexp.MustCompile(`(^|\|\s+)sudo `)

func word(s string) string { return report.Sanitize(s, maxWord) }

// say is a step in words.
func say(text string) Step { return Step{Text: report.Sanitize(text, maxText)} }

// run is steps that are commands. What they hold of others has gone through
// quote; a line break is ours.
func run(commands ...string) []Step {
	var out []Step
	for _, c := range commands {
		out = append(out, Step{Command: c})
	}
	return out
}

// either is the commands for the family of systems that this machine belongs
// to, or all where it is none that we know.
func (x *exam) either(debian, fedora []string) []Step {
	on := func(name string, commands []string) []Step {
		steps := run(commands...)
		if len(steps) > 0 {
			steps[0].Text = "on " + name
		}
		return steps
	}
	switch {
	case x.GOOS == "linux" && x.Host.Family == debianFamily:
		return run(debian...)
	case x.GOOS == "linux" && x.Host.Family == fedoraFamily:
		return run(fedora...)
	}
	return append(on("Debian or Ubuntu", debian), on("Fedora", fedora)...)
}

// root reports whether this process may do everything here.
func (x *exam) root() bool { return x.UID == 0 }

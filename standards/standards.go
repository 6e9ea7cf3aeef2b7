// Package standards says which controls of published standards the catalogue of
// checks covers, which it does not, and why.
//
// The mapping is not written here. A check names the controls that it tests, in
// check.Check.Refs as "CIS-Docker 5.13", and Cover turns that around. What is here
// is each standard's list of controls and, for those that no check names, the
// reason, of which there are two kinds:
//
//   - not applicable: the control is about something that no container shows, such
//     as the host, the engine's own settings, a registry, or what people do;
//   - uncovered: it is about an image or a container, and no check tests it.
//
// A control must have either checks or one reason. Problems names every one that
// has neither or both, so that the page made from this (docs/standards.md) can
// neither promise what is not tested nor hide what is.
//
// Identifiers were looked up in the source that each standard names. Titles are
// our own words: most of these texts are not free.
package standards

import (
	"fmt"
	"slices"
	"strings"
)

// Standard is a published list of controls.
type Standard struct {
	Name    string // as in a ref: "CIS-Docker"
	Title   string
	Edition string // whose numbering is used
	Source  string // address of the standard
	Note    string // what a reader must know about the identifiers; may be empty

	Controls []Control

	// Open marks a standard that is too wide to go through. Only controls that
	// checks name are listed, so that nothing can be said of what is missing.
	Open bool
}

// Control is one requirement. At most one of the reasons is set.
type Control struct {
	ID    string // as in a ref: "5.13"
	Title string // in our own words

	NotApplicable string // why no container shows it
	Uncovered     string // why no check tests it
}

// Row is what this package needs to know of a check.
type Row struct {
	ID   string
	Refs []string
}

// Covered is a control with the checks that name it, in the order of the rows.
type Covered struct {
	Control
	Checks []string
}

// Count is how many controls of a standard are in which state. They add up.
type Count struct{ Controls, Mapped, NotApplicable, Uncovered int }

// All is every standard, in the order they are shown in.
func All() []Standard {
	return []Standard{cisDocker, podSecurity, owaspDocker, nsaCISA, nist800190, attack}
}

// Names is what every standard is called in a ref.
func Names() []string {
	var names []string
	for _, s := range All() {
		names = append(names, s.Name)
	}
	return names
}

// ByName finds a standard by its name, in any case.
func ByName(name string) (Standard, bool) {
	for _, s := range All() {
		if strings.EqualFold(s.Name, name) {
			return s, true
		}
	}
	return Standard{}, false
}

// Refers says whether a ref is to this standard.
func (s Standard) Refers(ref string) bool {
	name, _, _ := strings.Cut(ref, " ")
	return name == s.Name
}

// Cover is every control of the standard with the checks that name it.
func (s Standard) Cover(rows []Row) []Covered {
	var all []Covered
	for _, c := range s.Controls {
		covered := Covered{Control: c}
		for _, r := range rows {
			if slices.Contains(r.Refs, s.Name+" "+c.ID) {
				covered.Checks = append(covered.Checks, r.ID)
			}
		}
		all = append(all, covered)
	}
	return all
}

// Tally counts what Cover returned.
func Tally(all []Covered) Count {
	n := Count{Controls: len(all)}
	for _, c := range all {
		switch {
		case len(c.Checks) > 0:
			n.Mapped++
		case c.NotApplicable != "":
			n.NotApplicable++
		default:
			n.Uncovered++
		}
	}
	return n
}

// Problems is everything that must not be published, a sentence each: refs to
// what does not exist, and controls that are not accounted for.
func Problems(all []Standard, rows []Row) []string {
	var found []string
	problem := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	known := map[string]bool{}
	for _, s := range all {
		for _, c := range s.Controls {
			ref := s.Name + " " + c.ID
			if known[ref] {
				problem("%s is listed twice", ref)
			}
			known[ref] = true
			if c.Title == "" {
				problem("%s has no title", ref)
			}
		}
		for _, c := range s.Cover(rows) {
			ref, reasons := s.Name+" "+c.ID, 0
			for _, reason := range []string{c.NotApplicable, c.Uncovered} {
				if reason != "" {
					reasons++
				}
			}
			switch {
			case reasons > 1:
				problem("%s is called both not applicable and uncovered", ref)
			case reasons > 0 && len(c.Checks) > 0:
				problem("%s has a reason why no check covers it, and is covered by %s", ref, strings.Join(c.Checks, ", "))
			case reasons == 0 && len(c.Checks) == 0 && s.Open:
				problem("%s is listed and no check names it", ref)
			case reasons == 0 && len(c.Checks) == 0:
				problem("%s has neither a check nor a reason", ref)
			}
		}
	}
	for _, r := range rows {
		seen := map[string]bool{}
		for _, ref := range r.Refs {
			if !known[ref] {
				problem("%s refers to %q, which is no control of a standard listed here", r.ID, ref)
			}
			if seen[ref] {
				problem("%s refers to %s twice", r.ID, ref)
			}
			seen[ref] = true
		}
	}
	return found
}

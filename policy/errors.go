package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one thing wrong with a policy file.
type Error struct {
	File         string // as it was given to Load or Decode
	Line, Column int    // from 1; 0 where the fault has no place
	Path         string // of the key, as "limits.memory"; "" for the file itself
	Msg          string
	Nearest      string // what was probably meant, or ""
	Err          error  // what the operating system said, or nil
}

// Error reads as one line:
//
//	tightship.yaml:7:3: limits.memroy: unknown key (did you mean "memory"?)
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
			if e.Column > 0 {
				fmt.Fprintf(&b, ":%d", e.Column)
			}
		}
		b.WriteString(": ")
	}
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	b.WriteString(e.Msg)
	if e.Nearest != "" {
		fmt.Fprintf(&b, " (did you mean %q?)", e.Nearest)
	}
	return b.String()
}

// Unwrap returns the cause, so that errors.Is(err, fs.ErrNotExist) works.
func (e *Error) Unwrap() error { return e.Err }

// Errors is everything that was found wrong, in the order of the file. It is
// what Load, Decode and ValidateChecks return as their error.
type Errors []*Error

// Error has one line per error.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.Is and errors.As look at each one.
func (es Errors) Unwrap() []error {
	list := make([]error, len(es))
	for i, e := range es {
		list[i] = e
	}
	return list
}

// orNil keeps an empty list from becoming an error that is not nil.
func (es Errors) orNil() error {
	if len(es) == 0 {
		return nil
	}
	slices.SortStableFunc(es, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return es
}

// quoted shows a piece of the file in a message: one line, and not a whole
// megabyte of it, and no key of a service that was put in the wrong place.
func quoted(s string) string { return fmt.Sprintf("%q", short(s)) }

func short(s string) string {
	const most = 60
	if knownKey(s) {
		return "(what looks like a credential)"
	}
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

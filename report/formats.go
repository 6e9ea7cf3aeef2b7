package report

import "io"

// Format is a way to write a report into a file.
type Format struct {
	Name   string // as in -o NAME=FILE
	Render func(io.Writer, Report) error
}

// Formats is every format, in the order in which they are listed. Text is the one
// for people on a terminal, without colour here.
func Formats() []Format {
	return []Format{
		{"text", func(w io.Writer, r Report) error { return Text(w, r, TextOptions{}) }},
		{"json", JSON},
		{"junit", JUnit},
		{"sarif", SARIF},
		{"markdown", Markdown},
		{"html", HTML},
		{"tap", TAP},
		{"github", GitHub},
	}
}

package policy

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Line explains one value of a policy.
type Line struct {
	Key    string   `json:"key"`    // "limits.memory", "environment.commands[0].run"
	Value  string   `json:"value"`  // as it would be written in the file
	From   string   `json:"from"`   // "default" or "tightship.yaml:12"
	Checks []string `json:"checks"` // IDs of the checks that rest on it

	path []step // how to get there, for WriteExplain
}

// step is one level of a Line's place in the file.
type step struct {
	key   string // as it would be written; "" for an item of a list
	index int    // of the item
}

// Explain says of every value what it is, where it came from and which checks
// rest on it, in the order of the file. A group that is empty has one line.
// checksFor is asked for the value's own key path and for those of the groups
// around it ("limits.memory", "limits"); it may be nil.
func Explain(p *Policy, checksFor func(keyPath string) []string) []Line {
	e := explainer{policy: p, checksFor: checksFor}
	for _, n := range p.tree() {
		e.visit(n, "", nil, nil)
	}
	return e.lines
}

type explainer struct {
	policy    *Policy
	checksFor func(string) []string
	lines     []Line
}

func (e *explainer) visit(n node, parent string, path []step, checks []string) {
	at := parent // an item's place is already in it
	if n.key != "" {
		at = join(parent, n.key)
		path = append(slices.Clone(path), step{key: yamlText(n.key)})
	}
	if e.checksFor != nil {
		checks = append(slices.Clone(checks), e.checksFor(at)...)
	}
	for i, k := range n.kids {
		if n.list {
			e.visit(k, fmt.Sprintf("%s[%d]", at, i), append(slices.Clone(path), step{index: i}), checks)
		} else {
			e.visit(k, at, path, checks)
		}
	}
	if len(n.kids) > 0 {
		return
	}
	value := yamlValue(n.leaf)
	if n.leaf == nil && n.list {
		value = "[]"
	} else if n.leaf == nil {
		value = "{}"
	}
	from := "default"
	if o, ok := e.policy.Origins[at]; ok {
		from = fmt.Sprintf("%s:%d", e.policy.Source, o.Line)
	}
	slices.Sort(checks)
	e.lines = append(e.lines, Line{Key: at, Value: value, From: from, Checks: append([]string{}, slices.Compact(checks)...), path: path})
}

// bare leaves only keys and values.
func bare(lines []Line) []Line {
	for i := range lines {
		lines[i].From, lines[i].Checks = "", nil
	}
	return lines
}

// WriteExplain prints lines as a policy file with comments, which Decode reads
// back to the policy they explain:
//
//	limits:
//	  memory: 2g        # tightship.yaml:12; limits.memory, limits.oom
//
// Comments are wrapped to width columns; a value that is wider than that stays
// whole. With width 0 nothing is wrapped or aligned.
func WriteExplain(w io.Writer, lines []Line, width int) error {
	column := 0
	rows := make([][]string, len(lines)) // opening lines, and last the value's
	var above []step
	for i, l := range lines {
		rows[i] = layout(l, above)
		above = l.path
		for _, row := range rows[i][len(rows[i])-1:] {
			if n := utf8.RuneCountInString(row); n <= width/2 {
				column = max(column, n+2)
			}
		}
	}
	var b strings.Builder
	for i, l := range lines {
		for _, row := range rows[i][:len(rows[i])-1] {
			b.WriteString(row + "\n")
		}
		comment(&b, rows[i][len(rows[i])-1], l, column, width)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// layout writes the lines that a value needs after the value above it: one for
// each group that it opens, and its own.
func layout(l Line, above []step) []string {
	if len(l.path) == 0 { // not made by Explain
		return []string{l.Key + ": " + l.Value}
	}
	same := 0
	for same < len(l.path)-1 && same < len(above) && l.path[same] == above[same] {
		same++
	}
	var rows []string
	dash := ""
	for i, s := range l.path {
		if i < same {
			continue
		}
		if s.key == "" {
			dash = strings.Repeat("  ", i) + "- "
			continue
		}
		row := strings.Repeat("  ", i) + s.key + ":"
		if dash != "" {
			row, dash = dash+s.key+":", ""
		}
		if i == len(l.path)-1 {
			row += " " + l.Value
		}
		rows = append(rows, row)
	}
	return rows
}

// comment writes a row and behind it, wrapped, where the value is from and
// what rests on it.
func comment(b *strings.Builder, row string, l Line, column, width int) {
	b.WriteString(row)
	n := utf8.RuneCountInString(row)
	words := []string{l.From}
	if len(l.Checks) > 0 {
		words[0] += ";"
		for i, c := range l.Checks {
			if i < len(l.Checks)-1 {
				c += ","
			}
			words = append(words, c)
		}
	}
	if l.From == "" {
		words = nil
	}
	open := false // a comment has begun on this line
	for i, word := range words {
		size := utf8.RuneCountInString(word)
		switch {
		case open && (width == 0 || n+1+size <= width):
			b.WriteString(" " + word)
			n += 1 + size
			continue
		case i > 0, width > 0 && max(column, n+2)+2+size > width:
			b.WriteString("\n")
			n = 0
		}
		gap := max(column-n, 2)
		b.WriteString(strings.Repeat(" ", gap) + "# " + word)
		n += gap + 2 + size
		open = true
	}
	b.WriteString("\n")
}

package report

import "fmt"

// htmlMatrix is every check as a row, and every subject as a column.
type htmlMatrix struct {
	Columns []htmlColumn
	Rows    []htmlRow
}

type htmlColumn struct{ Anchor, Name, Word string }

type htmlRow struct {
	ID    string
	Cells []htmlCell
}

// htmlCell is a verdict, and nothing where the subject has no such check.
type htmlCell struct {
	htmlMark
	Anchor string
}

func newHTMLMatrix(r Report) *htmlMatrix {
	m := &htmlMatrix{}
	at := map[string]int{}
	for i, res := range r.Results {
		anchor := fmt.Sprintf("r%d", i+1)
		m.Columns = append(m.Columns, htmlColumn{anchor, joined(" on ", subjectName(res.Subject), Sanitize(res.Subject.Runtime, maxName)), headlineWord(res)})
		n := 0
		for _, sec := range sections(res.Checks) {
			for _, c := range sec.checks {
				row, ok := at[c.ID]
				if !ok {
					row = len(m.Rows)
					at[c.ID] = row
					m.Rows = append(m.Rows, htmlRow{ID: Sanitize(c.ID, maxName), Cells: make([]htmlCell, len(r.Results))})
				}
				m.Rows[row].Cells[i] = htmlCell{viewOf(c.Verdict), checkAnchor(anchor, n)}
				n++
			}
		}
	}
	return m
}

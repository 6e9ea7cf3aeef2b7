package report

import "fmt"

// htmlMatrix is every check as a row, and every subject as a column.
type htmlMatrix struct {
	Columns  []htmlColumn
	Rows     []htmlRow
	TooLarge bool // there are no rows, for want of room
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

// maxMatrix is how many cells a matrix has at most. Hundreds of containers with
// the same checks fit; as many with checks of their own would be mostly empty, and
// grow with the square of what there is to say.
const maxMatrix = 200_000

func newHTMLMatrix(r Report) *htmlMatrix {
	m := &htmlMatrix{}
	ids := map[string]bool{}
	for _, res := range r.Results {
		for _, c := range res.Checks {
			ids[c.ID] = true
		}
	}
	m.TooLarge = len(ids)*len(r.Results) > maxMatrix
	at := map[string]int{}
	for i, res := range r.Results {
		anchor := fmt.Sprintf("r%d", i+1)
		m.Columns = append(m.Columns, htmlColumn{anchor, onRuntime(res.Subject), headlineWord(res)})
		if m.TooLarge {
			continue
		}
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

package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/invopop/jsonschema"
)

// ProofJSON writes p in the form that ProofSchema describes, as JSON does a
// Report.
func ProofJSON(w io.Writer, p Proof) error {
	p.Schema = ProofSchema
	p.Results = append([]ProofResult{}, p.Results...)
	for i := range p.Results {
		r := &p.Results[i]
		r.Baseline = filled(Report{Results: []Result{r.Baseline}}).Results[0]
		r.Mutants = append([]Mutant{}, r.Mutants...)
		for j := range r.Mutants {
			m := &r.Mutants[j]
			m.NotAttempted = append([]string{}, m.NotAttempted...)
			m.Cells = append([]Cell{}, m.Cells...)
			for k := range m.Cells {
				m.Cells[k].Seen = append([]string{}, m.Cells[k].Seen...)
			}
		}
		r.Witnesses = append([]Witness{}, r.Witnesses...)
		for j := range r.Witnesses {
			w := &r.Witnesses[j]
			w.Killers, w.Seen = append([]string{}, w.Killers...), append([]string{}, w.Seen...)
		}
	}
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("encode proof: %w", err)
	}
	_, err = w.Write(append(inert(b), '\n'))
	return err
}

// ProofJSONSchema returns the JSON Schema (draft 2020-12) of what ProofJSON writes.
func ProofJSONSchema() ([]byte, error) {
	reflector := jsonschema.Reflector{Anonymous: true}
	s := reflector.Reflect(Proof{})
	s.ID = "urn:tightship:proof:v1"
	s.Title = ProofSchema
	s.Description = "What `tightship prove -o json` writes: one result per runtime."
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the proof's schema: %w", err)
	}
	return append(b, '\n'), nil
}

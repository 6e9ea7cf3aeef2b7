package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"

	"github.com/invopop/jsonschema"
)

// JSON writes r in the form that Schema describes. Lists are never null, and
// characters that a terminal would act on are written as \u escapes, which
// changes nothing for a program that reads it.
func JSON(w io.Writer, r Report) error {
	b, err := json.MarshalIndent(filled(r), "", "  ")
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	_, err = w.Write(append(inert(b), '\n'))
	return err
}

// filled returns r with its schema named and empty lists in place of nil ones.
func filled(r Report) Report {
	r.Schema = Schema
	r.Results = append([]Result{}, r.Results...)
	for i := range r.Results {
		res := &r.Results[i]
		res.Residual = append([]Risk{}, res.Residual...)
		res.Checks = append([]Check{}, res.Checks...)
		for j := range res.Checks {
			c := &res.Checks[j]
			c.Seed = append([]string{}, c.Seed...)
			c.Refs = append([]string{}, c.Refs...)
		}
	}
	return r
}

// inert escapes what encoding/json leaves alone: DEL, the C1 controls (U+009B
// begins an escape sequence on some terminals), direction overrides, and the
// commands that build services find in a log (see Sanitize).
// Outside of strings JSON has no such characters, so this can be done last.
func inert(b []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(b))
	if bytes.Contains(b, []byte("##")) {
		b = bracketCommand.ReplaceAll(b, []byte(`${1}\u005b`))
	}
	for len(b) > 0 {
		if n := bytes.IndexFunc(b, func(r rune) bool { return r != '\n' && (r < ' ' || r > '~') }); n != 0 {
			if n < 0 {
				n = len(b)
			}
			out.Write(b[:n])
			b = b[n:]
			continue
		}
		r, size := utf8.DecodeRune(b)
		switch {
		case r == '\n' || unicode.IsPrint(r):
			out.Write(b[:size])
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		b = b[size:]
	}
	return out.Bytes()
}

// JSONSchema returns the JSON Schema (draft 2020-12) of what JSON writes.
func JSONSchema() ([]byte, error) {
	reflector := jsonschema.Reflector{Anonymous: true}
	s := reflector.Reflect(Report{})
	s.ID = "urn:tightship:report:v1"
	s.Title = Schema
	s.Description = "What `tightship verify -o json` writes: one result per subject."
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the report's schema: %w", err)
	}
	return append(b, '\n'), nil
}

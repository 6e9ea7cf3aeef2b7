package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// ErrUnreadable is returned for input that is no report or proof of ours, whole
// and as it was written.
var ErrUnreadable = errors.New("not a report")

// MaxRead is how many bytes Read takes.
const MaxRead = 256 << 20

// Read reads what JSON wrote: a report, or a proof; the other is nil. It is strict.
// Each value must be what the schema says, no key may stand twice, nothing may
// follow, and the counts and the verdict of a report must be those of its checks:
// a report whose headline was edited is refused and not rendered.
//
// Errors wrap ErrUnreadable, or are the reader's.
func Read(r io.Reader) (*Report, *Proof, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxRead+1))
	if err != nil {
		return nil, nil, err
	}
	if len(b) > MaxRead {
		return nil, nil, fmt.Errorf("%w: it is longer than %d MiB", ErrUnreadable, MaxRead>>20)
	}
	kind, err := kindOf(b)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	var report Report
	var proof Proof
	if kind == ProofSchema {
		if err := decode(b, &proof, proofValidator); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
		}
		return nil, &proof, nil
	}
	if err := decode(b, &report, reportValidator); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return &report, nil, nil
}

// kindOf is the schema that a document names. It reads all of it, so that a
// document cut off is told from one of another kind.
func kindOf(b []byte) (string, error) {
	switch text := bytes.TrimSpace(b); {
	case len(text) == 0:
		return "", errors.New("it is empty")
	case text[0] != '{':
		return "", errors.New("it is not JSON")
	}
	if err := unambiguous(b); err != nil {
		return "", err
	}
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return "", fmt.Errorf("its schema is no text")
	}
	switch head.Schema {
	case Schema, ProofSchema:
		return head.Schema, nil
	case "":
		return "", errors.New("it names no schema")
	}
	return "", fmt.Errorf("its schema is %q, and this program reads %s and %s", Sanitize(head.Schema, maxName), Schema, ProofSchema)
}

// unambiguous refuses what two readers could read differently: a key that stands
// twice, of which some take the first and some the last, and a second document.
func unambiguous(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var open []map[string]bool // keys seen of each object, nil for an array
	key := true                // an object's next string is a key
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && len(open) == 0 {
			return nil
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("it ends too early, after %d bytes", len(b))
		}
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return fmt.Errorf("it is not JSON at byte %d: %s", syntax.Offset, Sanitize(syntax.Error(), maxName))
		}
		if err != nil {
			return err
		}
		inObject := len(open) > 0 && open[len(open)-1] != nil
		switch t := token.(type) {
		case json.Delim:
			switch t {
			case '{':
				open = append(open, map[string]bool{})
				key = true
				continue
			case '[':
				open = append(open, nil)
				continue
			}
			open = open[:len(open)-1]
			if len(open) == 0 && d.More() {
				return errors.New("something follows its end")
			}
			key = true
			continue
		case string:
			if inObject && key {
				keys := open[len(open)-1]
				if keys[t] {
					return fmt.Errorf("the key %q stands twice in one object", Sanitize(t, maxName))
				}
				keys[t] = true
				key = false
				continue
			}
		}
		key = true
	}
}

var (
	reportValidator = sync.OnceValues(func() (*jsonschema.Schema, error) { return validator(JSONSchema) })
	proofValidator  = sync.OnceValues(func() (*jsonschema.Schema, error) { return validator(ProofJSONSchema) })
)

func validator(text func() ([]byte, error)) (*jsonschema.Schema, error) {
	b, err := text()
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("urn:tightship", doc); err != nil {
		return nil, err
	}
	return c.Compile("urn:tightship")
}

func decode(b []byte, into any, validator func() (*jsonschema.Schema, error)) error {
	schema, err := validator()
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return errors.New(Sanitize(err.Error(), maxField))
	}
	if err := schema.Validate(doc); err != nil {
		return violation(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return errors.New(Sanitize(err.Error(), maxField)) // a number too large, say
	}
	return consistent(into)
}

// violation puts the first thing that the schema does not allow in one line.
func violation(err error) error {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return err
	}
	for len(invalid.Causes) > 0 {
		invalid = invalid.Causes[0]
	}
	lines := strings.Split(strings.TrimSpace(invalid.Error()), "\n")
	text := strings.TrimPrefix(strings.TrimSpace(lines[len(lines)-1]), "- ")
	return errors.New(Sanitize(text, maxField))
}

// consistent refuses a summary that is not that of the checks beside it.
func consistent(v any) error {
	var results []Result
	switch v := v.(type) {
	case *Report:
		results = v.Results
	case *Proof:
		for _, r := range v.Results {
			results = append(results, r.Baseline)
		}
	}
	for i, r := range results {
		if want := Summarize(r.Checks); !reflect.DeepEqual(r.Summary, want) {
			return fmt.Errorf("the summary of result %d says %s (%s), but its checks come to %s (%s)",
				i+1, Sanitize(r.Summary.Verdict, maxName), counts(r.Summary), want.Verdict, counts(want))
		}
	}
	return nil
}

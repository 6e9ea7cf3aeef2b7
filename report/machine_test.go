package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	b, err := JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("report.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("report.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestJSONIsWhatTheSchemaSays(t *testing.T) {
	s := compiledSchema(t)
	known := fixture()
	for i := range known.Results[0].Checks { // all but the deliberately unknown words
		c := &known.Results[0].Checks[i]
		if c.Verdict == "splendid" {
			c.Verdict, c.Evidence = inconclusive, "none"
		}
	}
	zero := Report{}
	for _, row := range []struct {
		name  string
		r     Report
		valid bool
	}{
		{"every verdict", known, true},
		{"proven", calm(proven), true},
		{"no results", zero, true},
		{"an unknown verdict", fixture(), false},
		{"an empty verdict", Report{Results: []Result{{}}}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := JSON(&b, row.r); err != nil {
				t.Fatal(err)
			}
			doc, err := jsonschema.UnmarshalJSON(&b)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(doc); (err == nil) != row.valid {
				t.Errorf("valid: %v, want %v: %v", err == nil, row.valid, err)
			}
		})
	}
}

func TestJSONRoundTrip(t *testing.T) {
	var b bytes.Buffer
	if err := JSON(&b, calm(proven)); err != nil {
		t.Fatal(err)
	}
	var got Report
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(filled(calm(proven)), got); diff != "" {
		t.Error(diff)
	}
}

func TestJSONKeepsHostileTextAndIsInert(t *testing.T) {
	for _, h := range hostile {
		var b bytes.Buffer
		if err := JSON(&b, Report{Results: []Result{{RunID: h}}}); err != nil {
			t.Fatal(err)
		}
		checkHarmless(t, b.String())
		var got Report
		if err := json.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		// Bytes that are not UTF-8 have no JSON form; each becomes U+FFFD.
		if want := strings.ToValidUTF8(h, ""); strings.ReplaceAll(got.Results[0].RunID, "\ufffd", "") != strings.ReplaceAll(want, "\ufffd", "") {
			t.Errorf("got %q, want %q", got.Results[0].RunID, h)
		}
	}
}

func TestJSONDoesNotChangeItsArgument(t *testing.T) {
	r := fixture()
	if err := JSON(io.Discard, r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fixture(), r); diff != "" {
		t.Error(diff)
	}
}

func TestJUnitOutcomes(t *testing.T) {
	want := map[string]string{
		pass: "passed", fail: "failure", inconclusive: "error", accepted: "skipped", notApplicable: "skipped", "splendid": "error", "": "error",
	}
	for verdict, outcome := range want {
		c := testcase(Check{ID: "x", Verdict: verdict}, "c")
		got := "passed"
		switch {
		case c.Failure != nil:
			got = "failure"
		case c.Error != nil:
			got = "error"
		case c.Skipped != nil:
			got = "skipped"
		}
		if got != outcome {
			t.Errorf("verdict %q: got %s, want %s", verdict, got, outcome)
		}
	}
}

func wellFormed(t *testing.T, b []byte) (cases int) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return cases
		}
		if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, b)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "testcase" {
			cases++
		}
	}
}

func FuzzJUnit(f *testing.F) {
	for _, h := range hostile {
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := fixture()
		res := &r.Results[0]
		res.Subject = Subject{Image: s, Kernel: s, Container: s}
		res.Checks = []Check{
			{ID: s, Title: s, Section: s, Verdict: s, Reason: s, Observed: s},
			{ID: s, Section: "b", Verdict: pass, Evidence: s, Hint: s, Refs: []string{s}},
			{ID: s, Section: "b", Verdict: accepted, Reason: s},
		}
		r.Results = append(r.Results, *res)
		var b bytes.Buffer
		if err := JUnit(&b, r); err != nil {
			t.Fatal(err)
		}
		if n := wellFormed(t, b.Bytes()); n != 6 {
			t.Errorf("%d test cases, want 6: %s", n, b.String())
		}
		checkHarmless(t, strings.ReplaceAll(b.String(), "\t", ""))
	})
}

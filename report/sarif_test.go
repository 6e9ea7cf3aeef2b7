package report

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// sarifSchema is the one that OASIS publishes with errata 01 at the address in its
// "id"; this copy is the one in github.com/owenrumney/go-sarif v3.3.1.
var sarifSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	b, err := os.ReadFile("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("sarif.json", doc); err != nil {
		return nil, err
	}
	return c.Compile("sarif.json")
})

func validSARIF(t *testing.T, b []byte) {
	t.Helper()
	schema, err := sarifSchema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Errorf("not SARIF: %v", err)
	}
}

func rendered(t testing.TB, f func(io.Writer, Report) error, r Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func sarifOf(t *testing.T, r Report) sarifRun {
	t.Helper()
	out := rendered(t, SARIF, r)
	validSARIF(t, []byte(out))
	var doc sarifLog
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Runs[0]
}

func TestSARIFSchemaCanFail(t *testing.T) {
	schema, err := sarifSchema()
	if err != nil {
		t.Fatal(err)
	}
	out := strings.Replace(rendered(t, SARIF, fixture()), `"level": "error"`, `"level": "grave"`, 1)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	if schema.Validate(doc) == nil {
		t.Error("a level that SARIF does not know is valid")
	}
}

func TestSARIFResults(t *testing.T) {
	run := sarifOf(t, fixture())
	byCheck := map[string]sarifResult{}
	for _, r := range run.Results {
		byCheck[r.Properties.Check] = r
		if run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID {
			t.Errorf("%s has the rule %s", r.RuleID, run.Tool.Driver.Rules[r.RuleIndex].ID)
		}
	}
	if _, ok := byCheck["fs.root-read-only"]; ok {
		t.Error("what held is a result")
	}
	broken := byCheck["fs.tmp-noexec"]
	place := broken.Locations[0].Physical
	if broken.Level != "error" || len(broken.Suppressions) != 0 || place.Artifact.URI != "tightship.yaml" || place.Artifact.BaseID != sourceRoot || place.Region.StartLine != 7 {
		t.Errorf("%+v", broken)
	}
	if r := byCheck["limits.pids"]; r.Level != "warning" || r.Locations[0].Physical.Region.StartLine != 1 {
		t.Errorf("%+v", r)
	}
	if r := byCheck["user.no-privileged-port"]; r.Level != "note" || len(r.Suppressions) != 1 || !strings.Contains(r.Suppressions[0].Justification, "2027-01-31") {
		t.Errorf("%+v", r)
	}
	if r := byCheck["env.unheard-of"]; r.Level != "warning" {
		t.Errorf("an unknown verdict: %+v", r)
	}
	first := run.Tool.Driver.Rules[0]
	if first.ID != "fs.root-read-only" || !strings.Contains(strings.Join(first.Properties.Tags, " "), "CIS-Docker 5.13") || !strings.Contains(first.Help.Text, "tightship checks 'fs.root-read-only'") ||
		!strings.HasSuffix(first.HelpURI, "/docs/checks.md#fsroot-read-only") {
		t.Errorf("%+v", first)
	}
}

func TestSARIFPlaces(t *testing.T) {
	for policy, want := range map[string]sarifArtifact{
		"":                      {URI: "tightship.yaml", BaseID: sourceRoot},
		"tightship.yaml":        {URI: "tightship.yaml", BaseID: sourceRoot},
		"./policies/a b.yaml":   {URI: "policies/a%20b.yaml", BaseID: sourceRoot},
		"../strict.yaml":        {URI: "../strict.yaml", BaseID: sourceRoot},
		"/src/repo/strict.yaml": {URI: "file:///src/repo/strict.yaml"},
		"c:x/%2e?#.yaml":        {URI: "c%3Ax/%252e%3F%23.yaml", BaseID: sourceRoot},
		"bad\xff\n.yaml":        {URI: "bad%FF%0A.yaml", BaseID: sourceRoot},
	} {
		if got := artifact(policy); got != want {
			t.Errorf("%q: %+v, want %+v", policy, got, want)
		}
	}
}

// An alert stays the same one when the line, the reason, the tag or the digest
// changes, and another check, subject or runtime is another one.
func TestSARIFFingerprints(t *testing.T) {
	of := func(edit func(*Result)) string {
		r := calm(failed)
		edit(&r.Results[0])
		return sarifOf(t, r).Results[0].Fingerprints["primaryLocationLineHash"]
	}
	same := of(func(*Result) {})
	for name, edit := range map[string]func(*Result){
		"line":   func(r *Result) { r.Checks[0].Line = 99 },
		"reason": func(r *Result) { r.Checks[0].Reason, r.Checks[0].Observed = "x", "y" },
		"tag":    func(r *Result) { r.Subject.Image = "tightship-agent:2" },
		"digest": func(r *Result) { r.Subject.Image, r.Subject.ImageDigest = "tightship-agent@sha256:00", "sha256:00" },
		"run":    func(r *Result) { r.RunID = "another" },
	} {
		if got := of(edit); got != same {
			t.Errorf("another %s is another alert", name)
		}
	}
	for name, edit := range map[string]func(*Result){
		"check":     func(r *Result) { r.Checks[0].ID = "another" },
		"image":     func(r *Result) { r.Subject.Image = "other:latest" },
		"container": func(r *Result) { r.Subject.Container = "c" },
		"runtime":   func(r *Result) { r.Subject.Runtime = "runsc" },
	} {
		if got := of(edit); got == same {
			t.Errorf("another %s is the same alert", name)
		}
	}
	twice := calm(failed)
	twice.Results = append(twice.Results, twice.Results...)
	run := sarifOf(t, twice)
	if len(run.Tool.Driver.Rules) != 1 || len(run.Results) != 2 || run.Results[0].Fingerprints["primaryLocationLineHash"] == run.Results[1].Fingerprints["primaryLocationLineHash"] {
		t.Error("two results in one report are one alert")
	}
}

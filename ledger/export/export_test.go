package export

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/tightship-dev/tightship/ledger"
)

// records is a ledger with each kind of record, and hostile texts.
func records(t *testing.T) Records {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "ledger")
	l, err := ledger.Open(dir, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []ledger.Entry{
		{Kind: ledger.Intent, Sandbox: "agent", Container: "0123", Credential: "anthropic", Route: "/anthropic", Method: "POST", Path: "/v1/messages", Decision: "allow", Rule: "allow[0]"},
		{Kind: ledger.Outcome, Of: 1, Sandbox: "agent", Credential: "anthropic", Status: 502, BytesIn: 10, BytesOut: 512, Latency: 1500 * time.Microsecond, Redactions: 2},
		{Kind: ledger.Denied, Sandbox: "other", Method: "BREW", Path: "/\x1b\xff<&>", Decision: "deny", Reason: "no rule allows it"},
		{Kind: ledger.Event, Event: "sandbox.bound", Sandbox: "agent"},
		{Kind: ledger.Intent, Method: "DELETE", Path: "/x", Refs: []ledger.RefUpdate{{Ref: "refs/heads/a", Old: "0", New: "1"}}},
	} {
		if _, err := l.Append(context.Background(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return func(yield func(ledger.Record, error) bool) {
		cur, err := ledger.OpenCursor(dir, 0)
		for err == nil {
			var r ledger.Record
			if r, err = cur.Next(); errors.Is(err, io.EOF) {
				_ = cur.Close()
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func write(t *testing.T, f func(io.Writer, Records, string) error) []string {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b, records(t), "v1"); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

// The published protobuf definitions of OTLP take it, strictly.
func TestOTLP(t *testing.T) {
	n := 0
	for _, line := range write(t, OTLP) {
		var data logs.LogsData
		if err := protojson.Unmarshal([]byte(line), &data); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		for _, r := range data.ResourceLogs[0].ScopeLogs[0].LogRecords {
			n++
			if r.TimeUnixNano == 0 || r.SeverityNumber == 0 || r.Body.GetStringValue() == "" || len(r.Attributes) < 3 {
				t.Errorf("an empty record: %v", r)
			}
		}
		// The check must be able to fail.
		if err := protojson.Unmarshal([]byte(strings.Replace(line, "severityText", "severity", 1)), &data); err == nil {
			t.Error("an unknown field is taken")
		}
	}
	if n != 7 {
		t.Errorf("%d records", n)
	}
}

// The published schema of OCSF's class takes it; see the schema's comment.
func TestOCSF(t *testing.T) {
	const name = "testdata/ocsf-1.8.0-api-activity.json"
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := write(t, OCSF)
	if len(lines) != 7 {
		t.Errorf("%d events", len(lines))
	}
	for _, line := range lines {
		var event map[string]any
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(event); err != nil {
			t.Errorf("%v in %s", err, line)
		}
		if event["type_uid"] != event["class_uid"].(float64)*100+event["activity_id"].(float64) {
			t.Errorf("type_uid in %s", line)
		}
		for _, required := range []string{"actor", "api", "src_endpoint", "metadata", "time", "severity_id"} {
			without := map[string]any{}
			for k, v := range event {
				if k != required {
					without[k] = v
				}
			}
			if schema.Validate(without) == nil {
				t.Errorf("the schema takes an event without %s", required)
			}
		}
	}
}

package export

import (
	"io"
	"strconv"

	"github.com/tightship-dev/tightship/ledger"
)

// OTLP writes OpenTelemetry logs as its file exporter does: each line is a LogsData
// of opentelemetry/proto/logs/v1 in the JSON encoding of OTLP 1.x, where 64-bit
// numbers are strings.
func OTLP(w io.Writer, records Records, version string) error {
	return lines(w, records, 100, func(chunk []ledger.Record) any {
		logs := []logRecord{}
		for _, r := range chunk {
			logs = append(logs, otlpRecord(r))
		}
		return logsData{[]resourceLogs{{
			Resource:  resource{[]attribute{text("service.name", "tightship"), text("service.version", version)}},
			ScopeLogs: []scopeLogs{{Scope: scope{"tightship.ledger", "1"}, LogRecords: logs}},
		}}}
	})
}

type logsData struct {
	ResourceLogs []resourceLogs `json:"resourceLogs"`
}

type resourceLogs struct {
	Resource  resource    `json:"resource"`
	ScopeLogs []scopeLogs `json:"scopeLogs"`
}

type resource struct {
	Attributes []attribute `json:"attributes"`
}

type scopeLogs struct {
	Scope      scope       `json:"scope"`
	LogRecords []logRecord `json:"logRecords"`
}

type scope struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

type logRecord struct {
	Time       string      `json:"timeUnixNano"`
	Observed   string      `json:"observedTimeUnixNano"`
	Severity   int         `json:"severityNumber"`
	Text       string      `json:"severityText"`
	EventName  string      `json:"eventName"`
	Body       value       `json:"body"`
	Attributes []attribute `json:"attributes"`
}

type attribute struct {
	Key   string `json:"key"`
	Value value  `json:"value"`
}

type value struct {
	String *string `json:"stringValue,omitempty"`
	Int    *string `json:"intValue,omitempty"`
}

func text(key, s string) attribute { return attribute{key, value{String: &s}} }

func number(key string, n int64) attribute {
	s := strconv.FormatInt(n, 10)
	return attribute{key, value{Int: &s}}
}

func otlpRecord(r ledger.Record) logRecord {
	at := strconv.FormatInt(r.Time.UnixNano(), 10)
	body := summary(r)
	out := logRecord{Time: at, Observed: at, Severity: 9, Text: "INFO", EventName: "tightship.ledger." + r.Kind, Body: value{String: &body}}
	if r.Kind == ledger.Denied {
		out.Severity, out.Text = 13, "WARN"
	}
	out.Attributes = append(out.Attributes,
		number("tightship.seq", int64(r.Seq)), text("tightship.run", r.Run), text("tightship.prev", r.Prev.String()))
	for _, a := range []struct{ key, s string }{
		{"tightship.event", r.Event}, {"tightship.sandbox", r.Sandbox}, {"container.id", r.Container},
		{"tightship.credential", r.Credential}, {"tightship.route", r.Route},
		{"http.request.method", r.Method}, {"url.path", r.Path},
		{"tightship.decision", r.Decision}, {"tightship.rule", r.Rule}, {"tightship.reason", r.Reason},
	} {
		if a.s != "" {
			out.Attributes = append(out.Attributes, text(a.key, a.s))
		}
	}
	for _, a := range []struct {
		key string
		n   int64
	}{
		{"tightship.of", int64(r.Of)}, {"http.response.status_code", int64(r.Status)},
		{"http.request.size", r.BytesIn}, {"http.response.size", r.BytesOut},
		{"tightship.latency_us", r.Latency.Microseconds()}, {"tightship.redactions", int64(r.Redactions)},
	} {
		if a.n != 0 {
			out.Attributes = append(out.Attributes, number(a.key, a.n))
		}
	}
	for i, u := range r.Refs {
		out.Attributes = append(out.Attributes, text("tightship.git.ref."+strconv.Itoa(i), u.Ref+" "+u.Old+" "+u.New))
	}
	return out
}

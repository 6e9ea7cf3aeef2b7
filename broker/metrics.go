package broker

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tightship-dev/tightship/ledger"
)

// buckets are the upper ends of the latency histogram, in seconds. A model takes from
// a fraction of one to minutes.
var buckets = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300}

// metrics counts what happens. The text it writes is the exposition format 0.0.4 of
// Prometheus; the client library for it would be larger than the broker.
type metrics struct {
	mu         sync.Mutex
	requests   map[requestKey]int64
	latency    map[string]*histogram // by credential
	redactions map[string]int64      // by credential
	appends    histogram
	failures   int64

	reloads reloads
}

// requestKey is a request's labels. Rule and code are few: the first is of the policy
// or of ours, the second is a status.
type requestKey struct{ credential, decision, rule, result, code string }

// The values of the label result.
const (
	resultDenied   = "denied"   // nothing was sent
	resultAnswered = "answered" // with what the upstream said, whatever that was
	resultFailed   = "failed"   // sent, and ended by the rule
	resultGone     = "gone"     // sent, and the caller did not wait
)

// keyOf is the labels of a request, by its last record. A rule that allows is a line
// of the policy; any other one ended what it had allowed.
func keyOf(e ledger.Entry) requestKey {
	k := requestKey{e.Credential, e.Decision, e.Rule, resultAnswered, ""}
	if e.Status != 0 {
		k.code = strconv.Itoa(e.Status)
	}
	switch {
	case e.Kind != ledger.Outcome:
		k.result = resultDenied
	case !strings.HasPrefix(e.Rule, "credentials["):
		k.result = resultFailed
	case e.Status == 0:
		k.result = resultGone
	}
	return k
}

type histogram struct {
	counts []int64
	sum    float64
	n      int64
}

func (h *histogram) add(d time.Duration) {
	if h.counts == nil {
		h.counts = make([]int64, len(buckets))
	}
	s := d.Seconds()
	if i, _ := slices.BinarySearch(buckets, s); i < len(buckets) {
		h.counts[i]++
	}
	h.sum += s
	h.n++
}

// observe counts a request, by what its last record says.
func (m *metrics) observe(e ledger.Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.requests == nil {
		m.requests, m.latency, m.redactions = map[requestKey]int64{}, map[string]*histogram{}, map[string]int64{}
	}
	m.requests[keyOf(e)]++
	if e.Kind != ledger.Outcome {
		return
	}
	h := m.latency[e.Credential]
	if h == nil {
		h = &histogram{}
		m.latency[e.Credential] = h
	}
	h.add(e.Latency)
	m.redactions[e.Credential] += int64(e.Redactions)
}

func (m *metrics) appended(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.appends.add(d)
}

func (m *metrics) lost() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failures++
}

// write writes everything. Every label comes from the policy or from our own rules.
func (m *metrics) write(w io.Writer, sandboxes int, conns int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b bytes.Buffer
	head := func(name, kind, help string) { fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind) }
	head("tightship_broker_requests_total", "counter", "Requests by credential, decision, the rule that decided or ended them, what came of them, and the status of the answer.")
	for _, k := range slices.SortedFunc(maps.Keys(m.requests), requestKey.compare) {
		fmt.Fprintf(&b, "tightship_broker_requests_total{credential=%q,decision=%q,rule=%q,result=%q,code=%q} %d\n",
			k.credential, k.decision, k.rule, k.result, k.code, m.requests[k])
	}
	head("tightship_broker_request_seconds", "histogram", "Time from a request's first byte to its answer's last, by credential.")
	for _, name := range slices.Sorted(maps.Keys(m.latency)) {
		m.latency[name].write(&b, "tightship_broker_request_seconds", fmt.Sprintf("credential=%q", name))
	}
	head("tightship_broker_redactions_total", "counter", "Values of credentials taken out of answers, by credential.")
	for _, name := range slices.Sorted(maps.Keys(m.redactions)) {
		fmt.Fprintf(&b, "tightship_broker_redactions_total{credential=%q} %d\n", name, m.redactions[name])
	}
	head("tightship_broker_ledger_append_seconds", "histogram", "Time until a record was durable.")
	m.appends.write(&b, "tightship_broker_ledger_append_seconds", "")
	head("tightship_broker_ledger_failures_total", "counter", "Records that could not be made durable.")
	fmt.Fprintf(&b, "tightship_broker_ledger_failures_total %d\n", m.failures)
	head("tightship_broker_sandboxes", "gauge", "Sandboxes that are known.")
	fmt.Fprintf(&b, "tightship_broker_sandboxes %d\n", sandboxes)
	head("tightship_broker_connections", "gauge", "Connections that are open.")
	fmt.Fprintf(&b, "tightship_broker_connections %d\n", conns)
	_, err := w.Write(b.Bytes())
	return err
}

func (k requestKey) compare(o requestKey) int {
	return slices.Compare([]string{k.credential, k.decision, k.rule, k.result, k.code}, []string{o.credential, o.decision, o.rule, o.result, o.code})
}

func (h *histogram) write(b *bytes.Buffer, name, labels string) {
	sep := ""
	if labels != "" {
		sep = ","
	}
	total := int64(0)
	for i, le := range buckets {
		if h.counts != nil {
			total += h.counts[i]
		}
		fmt.Fprintf(b, "%s_bucket{%s%sle=%q} %d\n", name, labels, sep, strconv.FormatFloat(le, 'g', -1, 64), total)
	}
	fmt.Fprintf(b, "%s_bucket{%s%sle=\"+Inf\"} %d\n", name, labels, sep, h.n)
	if labels != "" {
		labels = "{" + labels + "}"
	}
	fmt.Fprintf(b, "%s_sum%s %g\n%s_count%s %d\n", name, labels, h.sum, name, labels, h.n)
}

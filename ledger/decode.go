package ledger

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// wire is a record as JSON has it.
type wire struct {
	V          int         `json:"v"`
	Seq        uint64      `json:"seq"`
	Prev       string      `json:"prev"`
	Kind       string      `json:"kind"`
	Of         uint64      `json:"of"`
	Checkpoint uint64      `json:"checkpoint"`
	Time       string      `json:"time"`
	Mono       int64       `json:"mono_ns"`
	Run        string      `json:"run"`
	Event      string      `json:"event"`
	Sandbox    string      `json:"sandbox"`
	Container  string      `json:"container"`
	Credential string      `json:"credential"`
	Route      string      `json:"route"`
	Method     string      `json:"method"`
	Path       string      `json:"path"`
	Decision   string      `json:"decision"`
	Rule       string      `json:"rule"`
	Reason     string      `json:"reason"`
	Status     int         `json:"status"`
	BytesIn    int64       `json:"bytes_in"`
	BytesOut   int64       `json:"bytes_out"`
	Latency    int64       `json:"latency_us"`
	Refs       []RefUpdate `json:"refs"`
	Redactions int         `json:"redactions"`
	Segment    uint64      `json:"segment"`
	Torn       int64       `json:"torn"`
	Digest     string      `json:"digest"`
	Boot       string      `json:"boot"`
	Key        string      `json:"key"`
}

var errNoRecord = errors.New("this is no record")

// ParseRecord reads a record's line, without its line feed. Only the one form that
// the log writes is a record: the line must be what the record would be written as.
func ParseRecord(line []byte) (Record, error) {
	if len(line) > MaxRecord {
		return Record{}, fmt.Errorf("%w: it has more than %d bytes", errNoRecord, MaxRecord)
	}
	var w wire
	if err := json.Unmarshal(line, &w); err != nil {
		return Record{}, fmt.Errorf("%w: %w", errNoRecord, err)
	}
	if w.V != 1 {
		return Record{}, fmt.Errorf("%w of version 1", errNoRecord)
	}
	r := Record{
		Seq: w.Seq, Checkpoint: w.Checkpoint, Mono: time.Duration(w.Mono), Run: w.Run,
		Entry: Entry{
			Kind: w.Kind, Event: w.Event, Of: w.Of,
			Sandbox: w.Sandbox, Container: w.Container, Credential: w.Credential, Route: w.Route, Method: w.Method, Path: w.Path,
			Decision: w.Decision, Rule: w.Rule, Reason: w.Reason,
			Status: w.Status, BytesIn: w.BytesIn, BytesOut: w.BytesOut, Latency: time.Duration(w.Latency) * time.Microsecond,
			Refs: w.Refs, Redactions: w.Redactions,
		},
		Own:  Own{Segment: w.Segment, Torn: w.Torn, Digest: w.Digest, Boot: w.Boot, Key: w.Key},
		Line: bytes.Clone(line),
	}
	prev, err := hex.DecodeString(w.Prev)
	if err == nil && len(prev) == len(r.Prev) {
		copy(r.Prev[:], prev)
	} // else the comparison below fails
	if r.Time, err = time.Parse(timeFormat, w.Time); err != nil {
		return Record{}, fmt.Errorf("%w: %w", errNoRecord, err)
	}
	if !isWord(w.Kind) || !isWord(w.Run) || !bytes.Equal(appendLine(nil, &r), line) {
		return Record{}, fmt.Errorf("%w in the form that is written", errNoRecord)
	}
	return r, nil
}

// isWord reports what is written without escapes.
func isWord(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// head is the beginning of a record: what verify needs to follow the chain. The
// rest it need not read, as the hash covers it.
type head struct {
	seq, of, checkpoint uint64
	prev                [64]byte // hex
	kind                string
}

// scanHead reads the beginning of a line in its one form.
func scanHead(line []byte) (h head, ok bool) {
	ok = h.scan(line)
	return h, ok
}

func (h *head) scan(line []byte) (ok bool) {
	rest, ok := cut(line, `{"v":1,"seq":`)
	if !ok || line[len(line)-1] != '}' {
		return false
	}
	if h.seq, rest, ok = scanNumber(rest); !ok {
		return false
	}
	if rest, ok = cut(rest, `,"prev":"`); !ok || len(rest) < len(h.prev) {
		return false
	}
	copy(h.prev[:], rest)
	if rest, ok = cut(rest[len(h.prev):], `","kind":"`); !ok {
		return false
	}
	h.kind = ""
	for _, kind := range [...]string{Intent, Outcome, Denied, Event} {
		if after, ok := cut(rest, kind); ok && len(after) > 0 && after[0] == '"' {
			h.kind, rest = kind, after[1:]
			break
		}
	}
	if h.kind == "" {
		return false
	}
	if after, found := cut(rest, `,"of":`); found {
		if h.of, rest, ok = scanNumber(after); !ok {
			return false
		}
	}
	if after, found := cut(rest, `,"checkpoint":`); found {
		if h.checkpoint, rest, ok = scanNumber(after); !ok {
			return false
		}
	}
	_, ok = cut(rest, `,"time":"`)
	return ok
}

func cut(b []byte, prefix string) ([]byte, bool) {
	if len(b) < len(prefix) || string(b[:len(prefix)]) != prefix {
		return b, false
	}
	return b[len(prefix):], true
}

// scanNumber reads decimal digits, without a zero in front.
func scanNumber(b []byte) (n uint64, rest []byte, ok bool) {
	i := 0
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		if i == 19 {
			return 0, nil, false
		}
		n = n*10 + uint64(b[i]-'0')
	}
	return n, b[i:], i == 1 || i > 0 && b[0] != '0'
}

package broker

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/tightship-dev/tightship/ledger"
)

// Ledger keeps the record of what credentials were used for; *ledger.Log is one.
type Ledger interface {
	// Append returns once the entry is durable, and its number. After an error the
	// entry counts as not there, and nothing is sent.
	Append(ctx context.Context, e ledger.Entry) (seq uint64, err error)
	// Post records what nobody waits for. After an error it is not there.
	Post(e ledger.Entry) error
	// Broken is why nothing is recorded any more; nil while all is well.
	Broken() error
}

// denials bounds how many refusals of one sandbox are recorded, as an agent in a
// loop would otherwise fill the disk. The first fifty of a burst are, and from then on
// five a second; the next record says how many were left out. The metrics count
// all of them. A use of a credential is always recorded.
type denials struct {
	mu   sync.Mutex
	tank bucket
	lost int
}

const (
	denialBurst = 50
	denialRate  = 5 // a second
)

// admit says whether to record one, and how many were left out before it.
func (d *denials) admit(now time.Time) (lost int, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.tank.take(now, denialRate, denialBurst) {
		d.lost++
		return 0, false
	}
	lost, d.lost = d.lost, 0
	return lost, true
}

// maxText is how much of a text that a caller chose goes into a record, in bytes.
const maxText = 1024

// clip keeps records small, whatever a caller sends.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}

// withoutValues is a query with the names of its parameters, as the values are
// nobody's to keep.
func withoutValues(path, query string) string {
	if query == "" {
		return clip(path)
	}
	var b strings.Builder
	b.WriteString(path)
	sep := byte('?')
	for part := range strings.SplitSeq(query, "&") {
		name, _, has := strings.Cut(part, "=")
		b.WriteByte(sep)
		b.WriteString(name)
		if has {
			b.WriteString("=…")
		}
		sep = '&'
	}
	return clip(b.String())
}

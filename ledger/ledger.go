// Package ledger keeps a log that nobody can edit without being found out.
//
// It records what credentials were used for: one line of JSON for each intent to
// use one, written and synced before the credential is attached, and one for its
// outcome. Three things together make an edit visible:
//
//   - Each record holds the hash of the record before it, so a record cannot be
//     changed, removed, inserted or moved without a mark at that very place.
//   - Over the records stands the Merkle tree of RFC 6962, whose root a key that
//     lies outside of the ledger signs: a checkpoint. Whoever rewrites the whole
//     chain has no key for the checkpoint.
//   - Records say which checkpoint was there when they were written, and copies of
//     the checkpoints can be kept elsewhere, so that a tail cannot be cut off
//     together with the checkpoint that speaks of it.
//
// What it cannot show: whoever holds the key, and is the only one to have kept the
// checkpoints, can write another history. Keep a copy where that one cannot write.
//
// [Log.Append] returns once the record is durable: written, and the file synced. A
// write or a sync that fails breaks the log for good ([ErrBroken]), as after a
// failed sync nobody knows what is on the disk; a log that is opened again finds
// out. [Verify] reads all of it, in bounded memory, and names each place that is
// not as it was written. The format is in docs/ledger.md.
package ledger

import (
	"errors"
	"time"
)

// Errors of a log. Those of the operating system are wrapped beside them.
var (
	// ErrBroken says that a write or a sync failed: nothing is recorded any more.
	ErrBroken = errors.New("the ledger is broken, and records nothing any more")
	// ErrClosed says that the log was closed.
	ErrClosed = errors.New("the ledger is closed")
	// ErrInUse says that another process has the ledger open.
	ErrInUse = errors.New("another process has the ledger open")
	// ErrEntry says that an entry cannot be recorded as it is.
	ErrEntry = errors.New("this cannot be recorded")
	// ErrKey says that the key is missing, open to others, or another ledger's.
	ErrKey = errors.New("the ledger's key cannot be used")
	// ErrTampered says that a ledger is not as it was written.
	ErrTampered = errors.New("the ledger is not as it was written")
	// ErrNone says that a directory holds no ledger.
	ErrNone = errors.New("there is no ledger")
)

// Options are how a log is kept. The zero value is the default.
type Options struct {
	// KeyFile is the private key, made with mode 0600 where there is none; the
	// public half lies beside it, with .pub at the end. It must not lie in the
	// ledger. Default: the ledger's directory with .key at the end.
	KeyFile string
	// Copies are files that each checkpoint is appended to as well.
	Copies []string
	// SegmentBytes is how long a segment may become, at least 4096. Default: 64 MiB.
	SegmentBytes int64
	// KeepSegments is how many segments stay, besides the one being written, when
	// the older ones are dropped. Default: all of them.
	KeepSegments int
	// CheckpointRecords is after how many records a checkpoint is written. Default: 10000.
	CheckpointRecords int
	// CheckpointInterval is after how long a checkpoint is written, if there are
	// new records. Default: 10 seconds.
	CheckpointInterval time.Duration
	// Now is the wall clock. Default: time.Now.
	Now func() time.Time

	layer layer         // the files, for tests
	lag   time.Duration // how long an outcome waits for others, for tests
}

// outcomeLag is long for a caller that goes on with its next request, and short for
// whoever looks at the ledger.
const outcomeLag = 10 * time.Millisecond

const (
	minSegment     = 4096
	defaultSegment = 64 << 20
)

// KeyFileOf is where the key of a ledger lies by default.
func KeyFileOf(dir string) string { return dir + ".key" }

func (o Options) withDefaults(dir string) (Options, error) {
	if o.KeyFile == "" {
		o.KeyFile = KeyFileOf(dir)
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = defaultSegment
	}
	if o.CheckpointRecords == 0 {
		o.CheckpointRecords = 10000
	}
	if o.CheckpointInterval == 0 {
		o.CheckpointInterval = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.layer == nil {
		o.layer = system{}
	}
	if o.lag == 0 {
		o.lag = outcomeLag
	}
	switch {
	case o.SegmentBytes < minSegment:
		return o, errors.New("a segment has at least 4096 bytes")
	case o.KeepSegments < 0 || o.CheckpointRecords < 0 || o.CheckpointInterval < 0:
		return o, errors.New("an option of the ledger is below zero")
	case within(dir, o.KeyFile):
		return o, errors.New("the key must not lie in the ledger: whoever can write there could sign")
	}
	for _, c := range o.Copies {
		if within(dir, c) {
			return o, errors.New("a copy of the checkpoints in the ledger itself shows nothing: name another place")
		}
	}
	return o, nil
}

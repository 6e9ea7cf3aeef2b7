package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Proof shows that a record is in the ledger that a checkpoint was signed for,
// to somebody who has neither, but the verifier key.
type Proof struct {
	Record     json.RawMessage  `json:"record"`     // its exact line
	Hashes     tlog.RecordProof `json:"hashes"`     // the audit path (RFC 6962, section 2.1.1)
	Checkpoint string           `json:"checkpoint"` // the signed note
}

// ErrNotCovered says that no checkpoint covers a record yet.
var ErrNotCovered = errors.New("no checkpoint covers the record yet")

// NewestCheckpoint is the checkpoint in a ledger's directory, if its signature is
// good. The error is ErrNone where there is none.
func NewestCheckpoint(dir, vkey string) (Checkpoint, error) {
	key, err := note.NewVerifier(vkey)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: %q is no verifier key: %w", ErrKey, vkey, err)
	}
	data, err := readAll(system{}, join(dir, checkpointName), maxNote)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w in %s: %w", ErrNone, dir, err)
	}
	c, err := openOwnCheckpoint(data, key)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: the checkpoint: %w", ErrTampered, err)
	}
	return c, nil
}

// Prove makes the proof for a record. It reads all of the ledger that the newest
// checkpoint covers, and the error is ErrTampered where that is not what was signed.
func Prove(ctx context.Context, dir, vkey string, seq uint64) (Proof, error) {
	c, err := NewestCheckpoint(dir, vkey)
	if err != nil {
		return Proof{}, err
	}
	if seq >= c.Size {
		return Proof{}, fmt.Errorf("%w: the newest is for %d records", ErrNotCovered, c.Size)
	}
	key, err := note.NewVerifier(vkey)
	if err != nil {
		return Proof{}, err
	}
	var line []byte
	hashes, err := tlog.ProveRecord(int64(c.Size), int64(seq), tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		w := &wanted{at: map[int64][]int{}, out: make([]tlog.Hash, len(indexes))}
		for i, index := range indexes {
			w.at[index] = append(w.at[index], i)
		}
		line, err = w.collect(ctx, dir, key, seq, c)
		return w.out, err
	}))
	if err != nil {
		return Proof{}, err
	}
	if line == nil { // a tree of one record needs no hashes
		w := &wanted{}
		if line, err = w.collect(ctx, dir, key, seq, c); err != nil {
			return Proof{}, err
		}
	}
	return Proof{Record: line, Hashes: hashes, Checkpoint: string(c.Note)}, nil
}

// wanted is the nodes of the tree that a proof needs, by tlog's numbers.
type wanted struct {
	at  map[int64][]int
	out []tlog.Hash
}

func (w *wanted) visit(level int, n uint64, h tlog.Hash) {
	for _, i := range w.at[tlog.StoredHashIndex(level, int64(n))] {
		w.out[i] = h
	}
}

// collect walks through the ledger up to the checkpoint, and returns the line of
// one record.
func (w *wanted) collect(ctx context.Context, dir string, key note.Verifier, seq uint64, c Checkpoint) ([]byte, error) {
	cur, err := OpenCursor(dir, 0)
	if err != nil {
		return nil, err
	}
	defer cur.Close()
	r, err := cur.Next()
	if err != nil {
		return nil, err
	}
	if seq < r.Seq {
		return nil, fmt.Errorf("record %d was dropped; the first that is kept is %d", seq, r.Seq)
	}
	data, err := readAll(system{}, join(dir, segmentName(r.Seq, started)), maxNote)
	if err != nil {
		return nil, err
	}
	st, err := openStart(data, key)
	if err != nil {
		return nil, fmt.Errorf("%w: the start of segment %d: %w", ErrTampered, r.Seq, err)
	}
	// Of what was dropped, the start has all that can be needed.
	for level := range 64 {
		if st.n>>level&1 == 1 {
			w.visit(level, st.n>>level-1, st.nodes[level])
		}
	}
	var line []byte
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if r.Seq == seq {
			line = r.Line
		}
		st.push(tlog.RecordHash(r.Line), w.visit)
		if st.n == c.Size {
			break
		}
		if r, err = cur.Next(); errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%w: the checkpoint is for %d records, and there are %d", ErrTampered, c.Size, st.n)
		}
		if err != nil {
			return nil, err
		}
	}
	if st.root() != c.Root {
		return nil, fmt.Errorf("%w: the records are not those that the checkpoint was signed for", ErrTampered)
	}
	return line, nil
}

// Check verifies a proof, and returns the record and the checkpoint it speaks of.
// The error wraps ErrTampered where it proves nothing.
func (p Proof) Check(vkey string) (Record, Checkpoint, error) {
	key, err := note.NewVerifier(vkey)
	if err != nil {
		return Record{}, Checkpoint{}, fmt.Errorf("%w: %q is no verifier key: %w", ErrKey, vkey, err)
	}
	c, err := OpenCheckpoint([]byte(p.Checkpoint), key)
	if err != nil {
		return Record{}, Checkpoint{}, fmt.Errorf("%w: the checkpoint: %w", ErrTampered, err)
	}
	r, err := ParseRecord(p.Record)
	if err != nil {
		return Record{}, Checkpoint{}, fmt.Errorf("%w: %w", ErrTampered, err)
	}
	if r.Seq >= c.Size {
		return Record{}, Checkpoint{}, fmt.Errorf("%w: record %d is not among the checkpoint's %d", ErrTampered, r.Seq, c.Size)
	}
	if err := tlog.CheckRecord(p.Hashes, int64(c.Size), c.Root, int64(r.Seq), tlog.RecordHash(p.Record)); err != nil {
		return Record{}, Checkpoint{}, fmt.Errorf("%w: the record is not in the ledger that the checkpoint was signed for", ErrTampered)
	}
	return r, c, nil
}

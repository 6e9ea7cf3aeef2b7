package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Log is a ledger that is open for writing. Its methods may be called at the same
// time.
//
// Whoever appends while nobody writes, writes and syncs what has gathered as one. Two
// goroutines belong to the log: the committer does the same for those who came in the
// meantime, and the keeper writes checkpoints, packs segments and drops old ones.
type Log struct {
	dir    string
	o      Options
	files  layer
	signer note.Signer
	vkey   string
	unlock io.Closer
	run    string
	began  time.Time

	mu         sync.Mutex
	err        error               // why nothing is recorded any more
	next       uint64              // the next record's number
	prev       tlog.Hash           // the hash of the one before it
	pending    *batch              // what the committer takes next
	spare      batch               // room that the next one can have
	intents    map[uint64]struct{} // without an outcome yet, of this run
	durable    state               // what is on the disk
	checkpoint uint64              // records that the newest durable checkpoint covers
	segments   []uint64            // numbers of the segments, the one being written last

	// Of whoever holds it: the segment that is written.
	committing sync.Mutex
	out        file
	size       int64

	wake, kick         chan struct{} // for the committer, for the keeper
	stopWork, stopKeep chan struct{}
	workDone, keepDone chan struct{}
	keeping            sync.Mutex // held while the keeper is at work
	closed             sync.Once
	closeErr           error
}

// batch is what is written and synced as one.
type batch struct {
	buf    []byte
	hashes []tlog.Hash
	timed  bool          // it is written without an intent, if none comes
	done   chan struct{} // closed once err counts
	err    error
}

func newBatch() *batch { return &batch{done: make(chan struct{})} }

// VerifierKey is the public key, in the form of golang.org/x/mod/sumdb/note. Keep
// it where those who may write to the ledger may not.
func (l *Log) VerifierKey() string { return l.vkey }

// Append records an entry and returns its number once it is durable. Callers at
// the same time share one sync. If ctx ends before, the entry may or may not be
// recorded in the end; an error always means: do not act on it.
//
// Nobody acts on an outcome, so one waits a little (10 ms) for a sync that it can
// share: else the next intent of a caller that comes one at a time would wait for two.
//
// The error wraps ErrEntry where the entry is at fault and nothing else happened,
// ErrBroken where the log is, and ErrClosed.
func (l *Log) Append(ctx context.Context, e Entry) (uint64, error) {
	if err := e.check(); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	seq, b, err := l.enqueue(Record{Entry: e})
	if err != nil {
		return 0, err
	}
	if e.Kind != Outcome {
		l.flush()
	}
	select {
	case <-b.done:
		return seq, b.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// Post records an entry for which nobody waits: it will be durable a little later, in
// its place among those that are appended, or the log breaks, which whoever comes next
// is told. An error is as Append's.
func (l *Log) Post(e Entry) error {
	if err := e.check(); err != nil {
		return err
	}
	if _, _, err := l.enqueue(Record{Entry: e}); err != nil {
		return err
	}
	if e.Kind != Outcome {
		signal(l.wake)
	}
	return nil
}

// own records an event of the log itself.
func (l *Log) own(event string, own Own) error {
	_, b, err := l.enqueue(Record{Entry: Entry{Kind: Event, Event: event}, Own: own})
	if err != nil {
		return err
	}
	l.flush()
	<-b.done
	return b.err
}

// flush has what is pending written. Whoever finds nobody at it does it, which spares
// one that comes alone two changes of goroutine.
func (l *Log) flush() {
	if !l.committing.TryLock() {
		signal(l.wake)
		return
	}
	defer l.committing.Unlock()
	l.gather()
	_ = l.commit() // which those who wait for the batch are told
}

// gather gives those a moment whom the last sync let go, and who are about to come back,
// as long as some do: one large batch is cheaper than two small ones.
func (l *Log) gather() {
	const most = 16
	before := 0
	for range most {
		runtime.Gosched()
		l.mu.Lock()
		n := len(l.pending.hashes)
		l.mu.Unlock()
		if n == before {
			return
		}
		before = n
	}
}

// enqueue gives a record its place in the chain.
func (l *Log) enqueue(r Record) (uint64, *batch, error) {
	// Everybody waits for the lock, so what can be written without it is.
	rest := appendRest(make([]byte, 0, 512), &r)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return 0, nil, l.err
	}
	if r.Kind == Outcome {
		if _, open := l.intents[r.Of]; !open {
			return 0, nil, fmt.Errorf("%w: %d is no intent that waits for its outcome", ErrEntry, r.Of)
		}
	}
	b := l.pending
	line, hash := l.line(b.buf, &r, rest)
	if len(line)-len(b.buf) > MaxRecord {
		return 0, nil, fmt.Errorf("%w: it has more than %d bytes", ErrEntry, MaxRecord)
	}
	switch r.Kind {
	case Intent:
		l.intents[r.Seq] = struct{}{}
	case Outcome:
		delete(l.intents, r.Of)
	}
	b.buf = append(line, '\n')
	b.hashes = append(b.hashes, hash)
	l.next++
	l.prev = hash
	if r.Kind == Outcome && !b.timed {
		b.timed = true
		time.AfterFunc(l.o.lag, func() { signal(l.wake) })
	}
	return r.Seq, b, nil
}

// line appends a record's line to buf, as the next one of the chain; rest is its end.
func (l *Log) line(buf []byte, r *Record, rest []byte) ([]byte, tlog.Hash) {
	now := l.o.Now()
	r.Seq, r.Prev, r.Checkpoint, r.Run = l.next, l.prev, l.checkpoint, l.run
	r.Time, r.Mono = now.UTC(), time.Since(l.began)
	// The zero byte that a leaf's hash begins with stands before the line for a
	// moment, and is overwritten by the line itself or its line feed.
	begin := len(buf)
	line := append(appendHead(append(buf, 0), r), rest...)
	hash := tlog.Hash(sha256.Sum256(line[begin:]))
	copy(line[begin:], line[begin+1:])
	return line[:len(line)-1], hash
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// work is the committer.
func (l *Log) work() {
	defer close(l.workDone)
	for {
		stop := false
		select {
		case <-l.wake:
			l.gather()
		case <-l.stopWork:
			stop = true
		}
		l.committing.Lock()
		err := l.commit()
		l.committing.Unlock()
		if err != nil || stop {
			return
		}
	}
}

// commit writes what is pending, to a new segment where the last one is full.
// l.committing is held.
func (l *Log) commit() error {
	l.mu.Lock()
	b, broken := l.pending, l.err != nil && !errors.Is(l.err, ErrClosed)
	if broken || len(b.hashes) == 0 {
		l.mu.Unlock()
		return nil
	}
	l.pending = newBatch()
	l.pending.buf, l.pending.hashes = l.spare.buf[:0], l.spare.hashes[:0]
	l.spare = batch{}
	l.mu.Unlock()

	if l.size >= l.o.SegmentBytes {
		if err := l.rotate(); err != nil {
			return l.fail(err, b)
		}
	}
	if err := l.write(b.buf); err != nil {
		return l.fail(err, b)
	}
	l.mu.Lock()
	for _, h := range b.hashes {
		l.durable.push(h, nil)
		l.durable.prev = h
	}
	if cap(b.buf) <= MaxRecord {
		l.spare = batch{buf: b.buf, hashes: b.hashes}
	}
	due := l.durable.n-l.checkpoint >= uint64(l.o.CheckpointRecords)
	l.mu.Unlock()
	close(b.done)
	if due {
		signal(l.kick)
	}
	return nil
}

func (l *Log) write(data []byte) error {
	n, err := l.out.Write(data)
	if err == nil && n < len(data) {
		err = io.ErrShortWrite
	}
	l.size += int64(n)
	if err != nil {
		return err
	}
	return l.out.Sync()
}

// fail breaks the log for good and tells everybody who waits.
func (l *Log) fail(err error, waiting ...*batch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil || errors.Is(l.err, ErrClosed) {
		l.err = fmt.Errorf("%w: %w", ErrBroken, err)
	}
	for _, b := range append(waiting, l.pending) {
		b.err = l.err
		close(b.done)
	}
	l.pending = newBatch()
	return l.err
}

// rotate begins the segment that the next record goes to. What is durable then is
// all that is before it, as only the committer, which calls this, makes it so.
func (l *Log) rotate() error {
	l.mu.Lock()
	st := l.durable
	l.mu.Unlock()
	if err := l.begin(&st); err != nil {
		return err
	}
	l.mu.Lock()
	l.segments = append(l.segments, st.n)
	l.mu.Unlock()
	signal(l.kick) // the one before can be packed
	return nil
}

// begin writes the start of a segment and opens it.
func (l *Log) begin(st *state) error {
	start, err := signStart(l.signer, st)
	if err != nil {
		return err
	}
	if err := replace(l.files, join(l.dir, segmentName(st.n, started)), start, 0o600); err != nil {
		return err
	}
	out, err := l.files.open(join(l.dir, segmentName(st.n, plain)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := l.files.syncDir(l.dir); err != nil {
		return errors.Join(err, out.Close())
	}
	if l.out != nil {
		if err := l.out.Close(); err != nil {
			return errors.Join(err, out.Close())
		}
	}
	l.out, l.size = out, 0
	return nil
}

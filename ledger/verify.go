package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/mod/sumdb/note"
)

// VerifyOptions are what a ledger is held against.
type VerifyOptions struct {
	// Key is the ledger's verifier key, from a place that whoever may write to the
	// ledger may not write to.
	Key string
	// Checkpoints are copies of checkpoints, one or many in a row, by the name
	// that they are called in findings.
	Checkpoints map[string][]byte

	layer layer
}

// Verify reads all of a ledger, which may be in use, and finds what is not as it
// was written. Memory does not grow with the ledger. The error is about what kept
// it from reading: nothing is known about the ledger then.
func Verify(ctx context.Context, dir string, o VerifyOptions) (Result, error) {
	key, err := note.NewVerifier(o.Key)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %q is no verifier key: %w", ErrKey, o.Key, err)
	}
	v := &verifier{dir: dir, files: o.layer, key: key, in: newLines(nil), intents: map[uint64]place{}, packedAs: map[uint64]string{}}
	if v.files == nil {
		v.files = system{}
	}
	v.res.Findings, v.res.Notes = []Finding{}, []Finding{}
	v.chain = chain{res: &v.res, moved: map[uint64]displaced{}, accepted: v.accept}
	if err := v.run(ctx, o.Checkpoints); err != nil {
		return Result{}, err
	}
	return v.res, nil
}

type verifier struct {
	dir   string
	files layer
	key   note.Verifier
	res   Result
	chain
	in *lines // of the segment that is read

	marks     []mark // what was signed, by size
	newest    uint64 // what the checkpoint in the directory covers
	hasNewest bool   // that one could be read
	covered   uint64 // the largest of the marks
	maxCheck  uint64 // the largest checkpoint that a record speaks of
	good      uint64 // how many records the last mark that held covers
	dropped   uint64 // records before this one may be missing
	closing   bool   // the last record says that the log was closed
	intents   map[uint64]place
	overflow  bool              // some intents were given up
	skipped   bool              // the last segment's records could not be followed
	packedAs  map[uint64]string // of segments whose packed file no record confirmed yet
}

// mark is a signed root.
type mark struct {
	Checkpoint
	source string
}

type place struct {
	file string
	line int
}

func (v *verifier) run(ctx context.Context, copies map[string][]byte) error {
	// The checkpoint is read first: what it covers must be there then.
	if err := v.readCheckpoint(); err != nil {
		return err
	}
	v.readCopies(copies)
	slices.SortStableFunc(v.marks, func(a, b mark) int {
		switch {
		case a.Size < b.Size:
			return -1
		case a.Size > b.Size:
			return 1
		}
		return 0
	})
	if len(v.marks) > 0 {
		v.covered = v.marks[len(v.marks)-1].Size
	}
	ls, err := list(v.files, v.dir)
	if err != nil {
		return err
	}
	for _, name := range append(ls.tmps, ls.unknown...) {
		if name != checkpointName+tmp {
			v.res.note(Finding{Kind: Leftover, File: name, Message: "the ledger does not need this file"})
		}
	}
	// A start alone is what a crash leaves: before its segment was begun, or after
	// it was dropped.
	segments := ls.segments
	for len(segments) > 0 && !segments[0].plain && !segments[0].packed && len(segments) > 1 {
		v.res.note(Finding{Kind: Leftover, File: segmentName(segments[0].first, started), Message: "its segment is not there"})
		segments = segments[1:]
	}
	if len(segments) == 0 && !v.hasNewest && len(v.marks) == 0 && len(ls.unknown) == 0 {
		return fmt.Errorf("%w in %s", ErrNone, v.dir)
	}
	for i, s := range segments {
		last := i == len(segments)-1
		if err := v.segment(ctx, s, i == 0, last); err != nil {
			return err
		}
	}
	return v.finish()
}

// readCheckpoint reads the newest checkpoint.
func (v *verifier) readCheckpoint() error {
	data, err := readAll(v.files, join(v.dir, checkpointName), maxNote)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := v.files.list(v.dir); err != nil {
			return fmt.Errorf("%w in %s", ErrNone, v.dir)
		}
		v.res.found(Finding{Kind: Removed, File: checkpointName, Message: "a ledger has a checkpoint from its beginning on"})
		return nil
	}
	if err != nil {
		return err
	}
	c, err := openOwnCheckpoint(data, v.key)
	if err != nil {
		v.badNote(checkpointName, err)
		return nil
	}
	v.newest, v.hasNewest = c.Size, true
	v.marks = append(v.marks, mark{c, checkpointName})
	return nil
}

func (v *verifier) readCopies(copies map[string][]byte) {
	for name, data := range copies {
		all, torn, err := OpenCheckpoints(data, v.key)
		if err != nil {
			v.badNote(name, err)
			continue
		}
		if torn > 0 {
			v.res.note(Finding{Kind: NotCheckpoint, File: name, Message: fmt.Sprintf("%d parts of it are no checkpoint", torn)})
		}
		for _, c := range all {
			v.marks = append(v.marks, mark{c, name})
		}
	}
}

// badNote is the finding about a signed file that is not right.
func (v *verifier) badNote(name string, err error) {
	kind := Changed
	if errors.Is(err, errWrongKey) {
		kind = WrongKey
	}
	v.res.found(Finding{Kind: kind, File: name, Message: err.Error()})
}

// finish is what can be said only at the end.
func (v *verifier) finish() error {
	n := v.st.n
	v.res.Records = n - min(v.res.First, n)
	for _, m := range v.marks {
		if v.skipped {
			break
		}
		if missing := m.Size - min(m.Size, n+v.lost); missing > 0 {
			v.found(Finding{Kind: CutTail, File: v.last.file, Line: v.last.line, Seq: n,
				Message: fmt.Sprintf("%s missing at the end: %s speaks of %d records", recordsAre(m.Size-missing, m.Size-1), m.source, m.Size)})
			break
		}
	}
	if v.res.First > v.dropped && v.sound {
		v.found(Finding{Kind: DroppedSilent, File: segmentName(v.res.First, plain), Seq: 0,
			Message: fmt.Sprintf("%s missing at the beginning, and no record says that they were dropped", recordsAre(0, v.res.First-1))})
	}
	for first := range v.packedAs {
		v.found(Finding{Kind: Changed, File: segmentName(first, packed), Seq: first, Message: "the packed file is not the one whose hash was recorded"})
	}
	if err := v.rolledBack(n); err != nil {
		return err
	}
	v.unfinished()
	if v.res.Intact() && n > v.covered {
		v.res.note(Finding{Kind: Unsigned, File: v.last.file, Line: v.last.line, Seq: v.covered,
			Message: recordsAre(v.covered, n-1) + " not covered by a checkpoint yet: only the chain holds them"})
	}
	if v.sound && v.res.Intact() {
		v.res.Root = v.st.root().String()
	}
	return nil
}

// rolledBack finds a checkpoint that is older than the records say.
func (v *verifier) rolledBack(n uint64) error {
	need := v.maxCheck
	if v.closing {
		need = max(need, n)
	}
	if !v.hasNewest || v.newest >= need {
		return nil
	}
	// In a ledger that is in use there may be a newer one by now; in one that was
	// killed while it was closed, the newer one has not got its name yet.
	for _, name := range []string{checkpointName, checkpointName + tmp} {
		data, err := readAll(v.files, join(v.dir, name), maxNote)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		c, err := openOwnCheckpoint(data, v.key)
		if err == nil && (name == checkpointName && c.Size >= need || v.newest >= v.maxCheck && c.Size == n && c.Root == v.st.root()) {
			return nil
		}
	}
	message := fmt.Sprintf("it covers %d records, and a record says that there was one for %d", v.newest, v.maxCheck)
	if v.newest >= v.maxCheck {
		message = fmt.Sprintf("it covers %d records, and the log was closed with one for %d", v.newest, n)
	}
	v.res.found(Finding{Kind: RolledBack, File: checkpointName, Seq: v.newest, Message: message})
	return nil
}

// unfinished notes the intents that have no outcome.
func (v *verifier) unfinished() {
	var all []uint64
	for seq := range v.intents {
		all = append(all, seq)
	}
	slices.Sort(all)
	for _, seq := range all {
		p := v.intents[seq]
		v.res.note(Finding{Kind: NoOutcome, File: p.file, Line: p.line, Seq: seq, Message: "nothing says what came of this: it is on its way, or the program was killed"})
	}
	clear(v.intents)
}

// open opens the file of a segment, which may be packed at this very moment.
func (v *verifier) open(s segment) (file, string, error) {
	var first error
	for _, ext := range []string{plain, packed} {
		f, err := v.files.open(join(v.dir, segmentName(s.first, ext)), os.O_RDONLY, 0)
		if err == nil {
			return f, segmentName(s.first, ext), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, "", err
		}
		first = err
	}
	return nil, "", first
}

package ledger

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"strings"
)

// segment follows one segment.
func (v *verifier) segment(ctx context.Context, s segment, first, last bool) error {
	v.res.Segments++
	if first {
		v.res.First = s.first
	}
	if err := v.enter(s, first); err != nil {
		return err
	}
	f, name, err := v.open(s)
	if errors.Is(err, fs.ErrNotExist) {
		if !last || s.first < v.newest { // else a crash came before the segment was begun
			v.found(Finding{Kind: Removed, File: segmentName(s.first, plain), Seq: s.first, Message: "the segment is missing"})
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if s.plain && s.packed {
		v.res.note(Finding{Kind: Leftover, File: segmentName(s.first, packed), Message: "the segment is there unpacked as well"})
	}
	return v.read(ctx, f, name, s, last)
}

// enter holds the chain against the signed start of a segment.
func (v *verifier) enter(s segment, first bool) error {
	name := segmentName(s.first, started)
	data, err := readAll(v.files, join(v.dir, name), maxNote)
	var st *state
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.found(Finding{Kind: Removed, File: name, Seq: s.first, Message: "the start of the segment is missing"})
	case err != nil:
		return err
	default:
		st, err = openStart(data, v.key)
		if err == nil && st.n != s.first {
			v.found(Finding{Kind: Swapped, File: name, Seq: s.first, Message: fmt.Sprintf("it is the start of segment %d", st.n)})
			st = nil
		} else if err != nil {
			v.badNote(name, err)
		}
	}
	skipped := v.skipped
	v.skipped = false
	switch {
	case first || skipped:
	case v.st.n > s.first && v.sound:
		v.found(v.last.at(Inserted, s.first, "%s here as well, where segment %s begins with them", recordsAre(s.first, v.st.n-1), segmentName(s.first, "")))
	case v.st.n+v.lost < s.first:
		v.found(Finding{Kind: Removed, File: v.last.file, Line: v.last.line, Seq: v.st.n + v.lost,
			Message: recordsAre(v.st.n+v.lost, s.first-1) + " missing before segment " + segmentName(s.first, "")})
	}
	if st == nil && first {
		v.restart(&state{}) // that is known without a signature, if it is the beginning
		if s.first > 0 {
			v.st.n, v.known, v.sound = s.first, false, false
		}
	}
	if st == nil {
		return nil
	}
	switch {
	case first || !v.sound || v.st.n != s.first:
	case v.st.prev != st.prev:
		v.found(v.last.at(Changed, v.st.n-1, "record %d is not the one that %s was signed after", v.st.n-1, name))
	case v.st.root() != st.root():
		v.rewritten(name)
	}
	if first || !v.sound {
		v.restart(st)
		v.good = st.n
	}
	return nil
}

// read follows the lines of a segment's file.
func (v *verifier) read(ctx context.Context, f io.Reader, name string, s segment, last bool) error {
	var r io.Reader = f
	var digest hash.Hash
	if strings.HasSuffix(name, packed) {
		digest = sha256.New()
		f = io.TeeReader(f, digest)
		z, err := gzip.NewReader(f)
		if err != nil {
			v.found(Finding{Kind: Changed, File: name, Seq: s.first, Message: fmt.Sprintf("it cannot be unpacked: %v", err)})
			return nil
		}
		r = z
	}
	in := v.in
	in.reset(r)
	all := readItems(in, name, v.covered)
	defer all.stop()
	var held *item // the one before, which waits for this one
	n := 0
	for it := range all.all() {
		if n++; n%1024 == 1 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		v.res.Bytes += int64(it.size)
		if n == 1 && it.ok && it.seq != s.first && v.sound {
			v.found(Finding{Kind: Swapped, File: name, Line: 1, Seq: it.seq, Message: fmt.Sprintf("it holds the records from %d on, and its name says from %d on", it.seq, s.first)})
			v.skipped = true
			return nil
		}
		if held != nil {
			v.step(held, it)
		}
		held = it
	}
	if err := all.failed(); err != nil {
		if digest == nil {
			return err
		}
		v.flush(held)
		v.found(Finding{Kind: Changed, File: name, Seq: v.st.n, Message: fmt.Sprintf("it cannot be unpacked after record %d: %v", v.st.n, err)})
		return nil
	}
	v.flush(held)
	v.tail(in, name, last)
	if digest != nil {
		// gzip stops at its own end; whatever stands behind it counts as well.
		if _, err := io.Copy(io.Discard, f); err != nil {
			return err
		}
		v.packedAs[s.first] = hex.EncodeToString(digest.Sum(nil))
	}
	return nil
}

func (v *verifier) flush(held *item) {
	if held != nil {
		v.step(held, nil)
	}
}

// tail looks at what follows the last line feed.
func (v *verifier) tail(in *lines, name string, last bool) {
	rest := in.rest()
	if rest == 0 && !in.skipping {
		return
	}
	f := Finding{Kind: TornTail, File: name, Line: in.line + 1, Seq: v.st.n, Message: fmt.Sprintf("%d bytes without a line feed: being written, or a crash cut it", rest)}
	if last && v.st.n+v.lost >= v.covered {
		v.res.note(f)
		return
	}
	f.Kind, f.Message = Malformed, "this is no whole record"
	v.found(f)
	v.lost++
}

// accept sees each record in its place.
func (v *verifier) accept(it *item) {
	n := v.st.n
	for ; len(v.marks) > 0 && v.marks[0].Size <= n; v.marks = v.marks[1:] {
		m := v.marks[0]
		if m.Size < n || !v.sound {
			continue // from before the first record, or not to be known
		}
		if m.Root != v.st.root() {
			v.rewritten(m.source)
			continue
		}
		v.good, v.res.Checkpoint = n, n
	}
	v.maxCheck = max(v.maxCheck, it.checkpoint)
	v.closing = false
	switch it.kind {
	case Intent:
		if len(v.intents) >= maxIntents {
			v.unfinished()
			v.overflow = true
		}
		v.intents[it.seq] = place{it.file, it.line}
	case Outcome:
		if _, ok := v.intents[it.of]; !ok && it.of >= v.res.First && !v.overflow && v.res.Intact() {
			v.res.found(it.at(NoIntent, it.seq, "the outcome of %d, which is no intent that waits for one", it.of))
		}
		delete(v.intents, it.of)
	case Event:
		v.event(it.own)
	}
}

// maxIntents bounds memory. A log has no more uses at a time than a broker allows.
const maxIntents = 1 << 18

func (v *verifier) event(r *Record) {
	switch r.Event {
	case eventOpened, eventCreated:
		v.unfinished() // whoever was to say what came of them is gone
	case eventClosed:
		v.unfinished()
		v.closing = true
	case eventDropped:
		v.dropped = max(v.dropped, r.Segment)
	case eventPacked:
		if v.packedAs[r.Segment] == r.Digest {
			delete(v.packedAs, r.Segment)
		}
	}
}

// rewritten is the finding that a signed root is not the one of these records.
func (v *verifier) rewritten(source string) {
	kind, message := Rewritten, fmt.Sprintf("the records up to %d are not those that %s was signed for", v.st.n-1, source)
	switch {
	case v.good+1 == v.st.n:
		kind = Changed
	case v.good < v.st.n:
		message += fmt.Sprintf("; those up to %d are. If only one was changed, it is %d", v.good, v.st.n-1)
	}
	v.found(v.last.at(kind, v.st.n-1, "%s", message))
}

package ledger

import (
	"bytes"
	"context"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// Whatever is read as a record is written as the same bytes, in printable ASCII,
// and the quick look at its head sees what the careful one does.
func FuzzRecord(f *testing.F) {
	d, _, _ := small(f)
	for _, line := range bytes.Split(d.bytes(newest(d)), []byte("\n")) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		h, quick := scanHead(line)
		r, err := ParseRecord(line)
		if err != nil {
			return
		}
		for _, c := range line {
			if c < ' ' || c > '~' {
				t.Fatalf("byte %#x in a record", c)
			}
		}
		known := r.Kind == Intent || r.Kind == Outcome || r.Kind == Denied || r.Kind == Event
		if known && (!quick || h.seq != r.Seq || h.of != r.Of || h.checkpoint != r.Checkpoint || h.kind != r.Kind || h.prev != hexOf(r.Prev)) {
			t.Fatalf("%q: %+v is not %+v", line, h, r)
		}
	})
}

// Whatever an entry's texts are, they come back, but for bytes that are no UTF-8.
func FuzzEntry(f *testing.F) {
	f.Add("/v1/messages", "a\x00\x1b[2J\u202e\U0001f600\xff\"\\<")
	f.Fuzz(func(t *testing.T, path, reason string) {
		r := Record{Run: "0", Entry: Entry{Kind: Denied, Path: path, Reason: reason}}
		back, err := ParseRecord(appendLine(nil, &r))
		if err != nil {
			t.Fatal(err)
		}
		if want := string([]rune(path)); back.Path != want {
			t.Errorf("%q became %q", path, back.Path)
		}
		if want := string([]rune(reason)); back.Reason != want {
			t.Errorf("%q became %q", reason, back.Reason)
		}
	})
}

// A segment may hold anything: Verify and a cursor end, and only what was written
// is intact.
func FuzzSegment(f *testing.F) {
	original, key, _ := small(f)
	last := newest(original)
	good := bytes.Clone(original.bytes(last))
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(append(bytes.Clone(good), good...))
	f.Add([]byte("\n\n{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := original.kill()
		d.put(last, data)
		r, err := Verify(context.Background(), onDisk, VerifyOptions{Key: key, layer: d})
		if err != nil {
			t.Fatal(err)
		}
		if r.Intact() && !bytes.HasPrefix(data, good) {
			t.Errorf("%q is taken for what was written", data)
		}
		c := openCursor(d, onDisk, firstOf(last))
		for {
			if _, err := c.Next(); err != nil {
				break
			}
		}
	})
}

// Only what was signed is a checkpoint.
func FuzzCheckpoint(f *testing.F) {
	d, key, copies := small(f)
	v, err := note.NewVerifier(key)
	if err != nil {
		f.Fatal(err)
	}
	good := bytes.Clone(d.bytes(checkpointName))
	start := bytes.Clone(d.bytes(segmentName(firstOf(newest(d)), started)))
	f.Add(good)
	f.Add(start)
	f.Add(bytes.Clone(copies))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := openOwnCheckpoint(data, v); err == nil && !bytes.Contains(copies, data) && !bytes.Equal(data, good) {
			t.Errorf("%q is taken for a checkpoint", data)
		}
		if _, err := openStart(data, v); err == nil && bytes.Equal(data, good) {
			t.Errorf("%q is taken for a start", data)
		}
		_, _, _ = OpenCheckpoints(data, v)
	})
}

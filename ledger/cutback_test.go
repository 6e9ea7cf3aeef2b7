package ledger

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The tail cut back to an older checkpoint looks like an older ledger, which only
// a copy kept elsewhere contradicts.
func TestCutBack(t *testing.T) {
	d, key, copies := small(t)
	old, err := firstCheckpoint(copies)
	if err != nil {
		t.Fatal(err)
	}
	cutTo(d, old)
	intact(t, onDisk, VerifyOptions{Key: key, layer: d})
}

// firstCheckpoint is the first of several that covers some records.
func firstCheckpoint(copies []byte) ([]byte, error) {
	begin := copies[:bytes.IndexByte(copies, '\n')+1]
	notes := bytes.SplitAfter(copies, append([]byte("\n"), begin...))
	first := notes[0]
	if len(notes) < 2 {
		return nil, fmt.Errorf("there is only one checkpoint")
	}
	return first[:len(first)-len(begin)], nil
}

// cutTo leaves of a ledger what an older checkpoint covers.
func cutTo(d *disk, checkpoint []byte) {
	var size uint64
	_, _ = fmt.Sscanf(strings.Split(string(checkpoint), "\n")[1], "%d", &size)
	names, _ := d.list(onDisk)
	for i, n := range names {
		if strings.HasSuffix(n, packed) { // the record of its hash is cut off, too
			unpack(d, n)
			names[i] = strings.TrimSuffix(n, ".gz")
		}
	}
	for _, n := range names {
		if first := firstOf(n); first >= size && n != checkpointName {
			delete(d.names, join(onDisk, n))
		} else if strings.HasSuffix(n, plain) {
			lines := bytes.SplitAfter(d.bytes(n), []byte("\n"))
			d.put(n, bytes.Join(lines[:min(uint64(len(lines)), size-first)], nil))
		}
	}
	d.put(checkpointName, checkpoint)
}

// rechain changes a record and makes the chain whole again after it.
func rechain(t *testing.T, lines []string, at int) []string {
	t.Helper()
	var prev Record
	for i := at; i < len(lines); i++ {
		r, err := ParseRecord([]byte(strings.TrimSuffix(lines[i], "\n")))
		if err != nil {
			t.Fatal(err)
		}
		if i == at {
			r.Sandbox = "bax"
		} else {
			r.Prev = tlog.RecordHash(prev.Line)
		}
		r.Line = appendLine(nil, &r)
		lines[i] = string(r.Line) + "\n"
		prev = r
	}
	return lines
}

// A log that does not hold its callers to it could record an outcome of nothing.
func TestOutcomeWithoutIntent(t *testing.T) {
	d := newDisk()
	l := open(t, onDisk, quiet(d))
	in := add(t, l, intent(1))
	l.intents[99] = struct{}{}
	add(t, l, outcome(99))
	bad := add(t, l, outcome(in))
	l.intents[in] = struct{}{}
	twice := add(t, l, outcome(in))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r := check(t, onDisk, VerifyOptions{Key: l.VerifierKey(), layer: d})
	if len(r.Findings) == 0 || r.Findings[0].Kind != NoIntent || r.Findings[0].Seq != bad-1 {
		t.Errorf("found %v, and the outcomes %d and %d are of nothing", r.Findings, bad-1, twice)
	}
}

// Checkpoints are what a verifier of signed notes takes, and say the root that
// another implementation of the tree comes to.
func TestStandardNote(t *testing.T) {
	d, key, copies := small(t)
	v, err := note.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(d.bytes(checkpointName), note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range at {
			out = append(out, hashes[i])
		}
		return out, nil
	})
	var size int64
	for c := openCursor(d, onDisk, 0); ; size++ {
		r, err := c.Next()
		if err != nil {
			break
		}
		more, err := tlog.StoredHashes(size, r.Line, reader)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
	}
	root, err := tlog.TreeHash(size, reader)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%s\n%d\n%s\n", v.Name(), size, root); n.Text != want {
		t.Errorf("the checkpoint says\n%s and the records make\n%s", n.Text, want)
	}
	all, torn, err := OpenCheckpoints(append(slices.Clone(copies), copies[:60]...), v)
	if err != nil || torn != 1 || len(all) < 2 {
		t.Errorf("%d checkpoints, %d torn, %v", len(all), torn, err)
	}
}

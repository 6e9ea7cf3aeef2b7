package ledger

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// small is a closed ledger of several segments, some of them packed, with its
// checkpoints copied. It lies on a disk in memory, to be tampered with.
func small(t testing.TB) (d *disk, key string, copies []byte) {
	d, key, copies = closed(t, 26)
	// The newest of the packed ones is unpacked again, so that there are both kinds
	// whatever the keeper had time for.
	last := ""
	for _, n := range d.files(t) {
		if strings.HasSuffix(n, packed) {
			last = n
		}
	}
	unpack(d, last)
	return d, key, copies
}

func closed(t testing.TB, pairs int) (d *disk, key string, copies []byte) {
	t.Helper()
	d = newDisk()
	o := quiet(d)
	o.Copies = []string{copied}
	l := open(t, onDisk, o)
	for i := range pairs {
		fill(t, l, 1)
		if i == pairs/2 {
			if err := l.tidy(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(l.tidy(), l.Close()); err != nil {
		t.Fatal(err)
	}
	return d.kill(), l.VerifierKey(), d.names[copied].data
}

func unpack(d *disk, name string) {
	z, err := gzip.NewReader(bytes.NewReader(d.bytes(name)))
	if err != nil {
		panic(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		panic(err)
	}
	delete(d.names, join(onDisk, name))
	d.put(strings.TrimSuffix(name, ".gz"), data)
}

func (d *disk) bytes(name string) []byte { return d.names[join(onDisk, name)].data }

func (d *disk) put(name string, data []byte) {
	d.names[join(onDisk, name)] = &inode{data: data, synced: data}
}

func (d *disk) files(t testing.TB) []string {
	t.Helper()
	names, err := d.list(onDisk)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// A bit of each byte of each file is flipped, each bit with TIGHTSHIP_E2E. What is found must be in that
// file, or at the record that the byte belongs to.
func TestEveryByte(t *testing.T) {
	t.Parallel()
	d, key, _ := closed(t, 7)
	opts := VerifyOptions{Key: key, layer: d}
	intact(t, onDisk, opts)
	bits := 1
	if os.Getenv("TIGHTSHIP_E2E") != "" {
		bits = 8
	}
	flips := 0
	for _, name := range d.files(t) {
		data := d.bytes(name)
		line := 1
		for i := range data {
			for n := range bits {
				bit := byte(1) << ((i + n) % 8)
				flips++
				data[i] ^= bit
				r := check(t, onDisk, opts)
				if r.Intact() {
					t.Errorf("%s byte %d, bit %02x: not found", name, i, bit)
				} else if !near(r.Findings, name, line) {
					t.Errorf("%s byte %d (line %d), bit %02x: found elsewhere: %v", name, i, line, bit, r.Findings)
				}
				data[i] ^= bit
			}
			if data[i] == '\n' {
				line++
			}
		}
	}
	if flips < 3000 {
		t.Errorf("only %d flips", flips)
	}
}

// near reports that a finding names the file and, of a segment, the line or, for
// a line feed, the one after. In a packed file the line is not that of the byte.
func near(all []Finding, name string, line int) bool {
	return slices.ContainsFunc(all, func(f Finding) bool {
		if f.File != name {
			return false
		}
		return !strings.HasSuffix(name, plain) || f.Line == line || f.Line == line+1
	})
}

// edit changes the lines of the last segment.
func edit(d *disk, f func(lines []string) []string) {
	name := newest(d)
	lines := strings.SplitAfter(string(d.bytes(name)), "\n")
	lines = lines[:len(lines)-1]
	d.put(name, []byte(strings.Join(f(slices.Clone(lines)), "")))
}

func newest(d *disk) string {
	names, _ := d.list(onDisk)
	slices.Sort(names)
	last := ""
	for _, n := range names {
		if strings.HasSuffix(n, plain) {
			last = n
		}
	}
	return last
}

// alter changes a record of whatever kind.
func alter(line string) string { return strings.Replace(line, `"mono_ns":`, `"mono_ns":1`, 1) }

// firstOf is the number in a segment's name.
func firstOf(name string) (n uint64) {
	_, _ = fmt.Sscanf(name, "%d", &n)
	return n
}

func TestTampering(t *testing.T) {
	original, key, copies := small(t)
	otherDisk, _, _ := small(t)
	last := newest(original)
	base := firstOf(last)
	if n := bytes.Count(original.bytes(last), []byte("\n")); n < 6 {
		t.Fatalf("the last segment has only %d records", n)
	}
	old, err := firstCheckpoint(copies)
	if err != nil {
		t.Fatal(err)
	}
	var plains []string
	for _, n := range original.files(t) {
		if strings.HasSuffix(n, plain) {
			plains = append(plains, n)
		}
	}
	if len(plains) < 2 {
		t.Fatal("not two plain segments")
	}
	withCopy := map[string][]byte{"copy": copies}
	for _, row := range []struct {
		name   string
		do     func(d *disk)
		copies map[string][]byte
		want   string
		file   string
		seq    uint64
	}{
		{name: "a record changed", want: Changed, file: last, seq: base + 2, do: func(d *disk) {
			edit(d, func(l []string) []string { l[2] = alter(l[2]); return l })
		}},
		{name: "the hash in a record changed", want: Changed, file: last, seq: base + 2, do: func(d *disk) {
			edit(d, func(l []string) []string {
				i := strings.Index(l[2], `"prev":"`) + 8
				l[2] = l[2][:i] + "0000" + l[2][i+4:]
				return l
			})
		}},
		{name: "a record removed", want: Removed, file: last, seq: base + 2, do: func(d *disk) {
			edit(d, func(l []string) []string { return slices.Delete(l, 2, 3) })
		}},
		{name: "the first record removed", want: Swapped, file: last, seq: base + 1, do: func(d *disk) {
			edit(d, func(l []string) []string { return l[1:] })
		}},
		{name: "a record inserted", want: Inserted, file: last, seq: base + 2, do: func(d *disk) {
			edit(d, func(l []string) []string { return slices.Insert(l, 3, alter(l[2])) })
		}},
		{name: "a record from elsewhere inserted", want: Inserted, file: last, seq: base + 900, do: func(d *disk) {
			edit(d, func(l []string) []string {
				return slices.Insert(l, 3, strings.Replace(l[2], fmt.Sprintf(`"seq":%d,`, base+2), fmt.Sprintf(`"seq":%d,`, base+900), 1))
			})
		}},
		{name: "a record duplicated", want: Duplicated, file: last, seq: base + 2, do: func(d *disk) {
			edit(d, func(l []string) []string { return slices.Insert(l, 3, l[2]) })
		}},
		{name: "two records reordered", want: Reordered, file: last, seq: base + 3, do: func(d *disk) {
			edit(d, func(l []string) []string { l[2], l[3] = l[3], l[2]; return l })
		}},
		{name: "a record moved to the end", want: Reordered, file: last, seq: base + 1, do: func(d *disk) {
			edit(d, func(l []string) []string { m := l[1]; return append(slices.Delete(l, 1, 2), m) })
		}},
		{name: "the tail cut", want: CutTail, file: last, seq: base + 4, do: func(d *disk) {
			edit(d, func(l []string) []string { return l[:4] })
		}},
		{name: "the tail cut within a line", want: Malformed, file: last, seq: base + 4, do: func(d *disk) {
			edit(d, func(l []string) []string { l[4] = l[4][:30]; return l[:5] })
		}},
		{name: "the last segment removed", want: Removed, file: last, seq: base, do: func(d *disk) {
			delete(d.names, join(onDisk, last))
		}},
		{name: "the last segment and its start removed", want: CutTail, file: plains[len(plains)-2], seq: base, do: func(d *disk) {
			delete(d.names, join(onDisk, last))
			delete(d.names, join(onDisk, segmentName(base, started)))
		}},
		{name: "a segment in the middle removed", want: Removed, file: segmentName(firstOf(plains[0]), plain), seq: firstOf(plains[0]), do: func(d *disk) {
			delete(d.names, join(onDisk, plains[0]))
		}},
		{name: "the first segment removed without a word", want: DroppedSilent, do: func(d *disk) {
			delete(d.names, join(onDisk, segmentName(0, packed)))
			delete(d.names, join(onDisk, segmentName(0, started)))
		}},
		{name: "two segments swapped", want: Swapped, file: last, do: func(d *disk) {
			a, b := d.bytes(plains[0]), d.bytes(last)
			d.put(plains[0], b)
			d.put(last, a)
		}, seq: firstOf(plains[0])},
		{name: "two starts swapped", want: Swapped, file: segmentName(base, started), seq: base, do: func(d *disk) {
			a, b := segmentName(firstOf(plains[0]), started), segmentName(base, started)
			x, y := d.bytes(a), d.bytes(b)
			d.put(a, y)
			d.put(b, x)
		}},
		{name: "the chain rewritten", want: Rewritten, file: last, do: func(d *disk) {
			edit(d, func(l []string) []string { return rechain(t, l, 2) })
		}, seq: base + uint64(bytes.Count(original.bytes(last), []byte("\n"))) - 1},
		{name: "the checkpoint removed", want: Removed, file: checkpointName, do: func(d *disk) {
			delete(d.names, join(onDisk, checkpointName))
		}},
		{name: "the checkpoint rolled back", want: RolledBack, file: checkpointName, do: func(d *disk) {
			d.put(checkpointName, old)
		}},
		{name: "the checkpoint is a start", want: Changed, file: checkpointName, do: func(d *disk) {
			d.put(checkpointName, d.bytes(segmentName(base, started)))
		}},
		{name: "the tail cut and the checkpoint rolled back", want: CutTail, copies: withCopy, do: func(d *disk) { cutTo(d, old) }},
		{name: "the key swapped", want: WrongKey, file: checkpointName, do: func(d *disk) {
			for _, n := range otherDisk.files(t) {
				d.put(n, otherDisk.bytes(n))
			}
		}},
		{name: "another's checkpoints", want: WrongKey, file: "copy", do: func(*disk) {},
			copies: map[string][]byte{"copy": otherDisk.bytes(checkpointName)}},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := original.kill()
			row.do(d)
			r := check(t, onDisk, VerifyOptions{Key: key, Checkpoints: row.copies, layer: d})
			found := slices.ContainsFunc(r.Findings, func(f Finding) bool {
				return f.Kind == row.want && (row.file == "" || f.File == row.file) && (row.seq == 0 || f.Seq == row.seq)
			})
			if !found {
				t.Errorf("want %s in %s at record %d, found %v", row.want, row.file, row.seq, r.Findings)
			}
		})
	}
}

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

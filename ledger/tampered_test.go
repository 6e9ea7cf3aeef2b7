package ledger

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

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

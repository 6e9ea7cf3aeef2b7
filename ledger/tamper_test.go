package ledger

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

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

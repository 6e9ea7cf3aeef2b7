package ledger

import (
	"slices"
	"strings"
	"testing"
)

// A bit of each byte of each file is flipped, and each of its bits; or, as a
// sample, a bit of every 7th byte, of each line feed and of each end. What is found
// must be in that file, at the record that the byte belongs to.
func TestEveryByte(t *testing.T) {
	t.Parallel()
	d, key, _ := closed(t, 7)
	opts := VerifyOptions{Key: key, layer: d}
	intact(t, onDisk, opts)
	bits := 1
	if exhaustive {
		bits = 8
	}
	flips := map[string]int{}
	for _, name := range d.files(t) {
		data := d.bytes(name)
		line := 1
		for i := range data {
			if !exhaustive && i%7 != 0 && i != len(data)-1 && data[i] != '\n' {
				continue
			}
			for n := range bits {
				bit := byte(1) << ((i + n) % 8)
				flips[strings.TrimLeft(name, "0123456789")]++
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
	for _, kind := range []string{plain, packed, started, checkpointName} {
		if flips[kind] < 20 {
			t.Errorf("only %d flips in %s", flips[kind], kind)
		}
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

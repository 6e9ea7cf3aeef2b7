package redact

import (
	"crypto/subtle"
	"encoding/binary"
	"math/bits"
)

// index finds the ends of patterns by fingerprints.
//
// It takes the gram bytes before a position, as two words that may overlap, mixes
// them with a key that nobody outside knows, and looks up one bit. The key keeps
// those who know this code from making text that has the fingerprint of a pattern
// without being like it. Each pattern is in the index with the grams that end at
// its end, one byte before that, and so on, stride times: so only every strideth
// position is looked at. All positions cost the same, as none depends on what was
// before it, and the processor works on several at a time.
type index struct {
	gram   int // from 8 to 16
	stride int // 8, or less where a pattern is short
	key    uint64
	filter *[1 << bucketBits]byte
	heads  []int32 // by bucket: one more than the place of its first entry
	chain  []entry
}

// entry is one gram of one pattern.
type entry struct {
	first, last uint64
	pattern     *pattern
	after       int   // bytes of the pattern behind the gram
	next        int32 // in its bucket, like heads
}

const (
	bucketBits = 14 // the filter has 16 KiB, half of a small first-level cache
	word       = 8
	maxGram    = 2 * word
)

func newIndex(patterns []pattern, key uint64) index {
	x := index{stride: 8, key: key | 1, filter: new([1 << bucketBits]byte), heads: make([]int32, 1<<bucketBits)}
	shortest := MaxValue
	for i := range patterns {
		shortest = min(shortest, len(patterns[i].text))
	}
	switch {
	case shortest < 16:
		x.stride = 1
	case shortest < maxGram+7:
		x.stride = 4
	}
	x.gram = min(maxGram, shortest-x.stride+1)
	for i := range patterns {
		p := &patterns[i]
		for after := range x.stride {
			e := entry{pattern: p, after: after}
			e.first, e.last = x.words(p.text, len(p.text)-after)
			h := x.mix(e.first, e.last)
			e.next = x.heads[bucket(h)]
			x.chain = append(x.chain, e)
			x.heads[bucket(h)] = int32(len(x.chain))
			x.filter[bucket(h)] |= bit(h)
		}
	}
	return x
}

func (x *index) words(b []byte, end int) (first, last uint64) {
	return binary.LittleEndian.Uint64(b[end-x.gram:]), binary.LittleEndian.Uint64(b[end-word:])
}

func (x *index) mix(first, last uint64) uint64 {
	return (last ^ bits.RotateLeft64(first, 29)) * x.key
}

func bucket(h uint64) uint64 { return h >> (64 - bucketBits) }

func bit(h uint64) byte { return 1 << (h >> (64 - bucketBits - 3) & 7) }

// scan calls found for each pattern that ends in b at from ≤ end < to. It says how
// many positions it looked at, and how many patterns it had to compare.
func (x *index) scan(b []byte, from, to int, found func(end int, p *pattern)) (looked, compared int) {
	from = max(from, x.gram) // a pattern that ends earlier has no room
	filter := x.filter
	for end := from; end < to; end += x.stride {
		looked++
		h := x.mix(x.words(b, end))
		if filter[bucket(h)]&bit(h) == 0 {
			continue
		}
		compared += x.candidates(b, end, to, found)
	}
	return looked, compared
}

// candidates calls found for the patterns that have the gram before end.
func (x *index) candidates(b []byte, end, to int, found func(end int, p *pattern)) (compared int) {
	first, last := x.words(b, end)
	for i := x.heads[bucket(x.mix(first, last))]; i > 0; i = x.chain[i-1].next {
		e := &x.chain[i-1]
		text, stop := e.pattern.text, end+e.after
		if e.first != first || e.last != last || stop < len(text) || stop >= to {
			continue
		}
		compared++
		if subtle.ConstantTimeCompare(text, b[stop-len(text):stop]) == 1 {
			found(stop, e.pattern)
		}
	}
	return compared
}

func (x *index) wipe() {
	clear(x.chain)
	clear(x.heads)
	if x.filter != nil {
		clear(x.filter[:])
	}
	x.chain, x.key = nil, 0
}

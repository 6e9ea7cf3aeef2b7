package redact

import (
	"crypto/subtle"
	"encoding/binary"
	"math/bits"
)

// index finds the ends of patterns by fingerprints.
//
// At each position it takes the gram bytes before it, as two words that may
// overlap, mixes them with a key that nobody outside knows, and looks up one bit.
// The key keeps those who know this code from making text that has the fingerprint
// of a pattern without being like it. All positions cost the same, as none depends
// on what was before it, and the processor works on several at a time.
type index struct {
	gram   int    // bytes that a fingerprint is of: from 8 to 16
	key    uint64 // odd
	filter *[1 << bucketBits]byte
	heads  []int // by bucket: one more than the index of the first pattern
	chain  []pattern
}

const (
	bucketBits = 14 // the filter has 16 KiB, half of a small first-level cache
	word       = 8
	maxGram    = 2 * word
)

func newIndex(patterns []pattern, key uint64) index {
	x := index{gram: maxGram, key: key | 1, filter: new([1 << bucketBits]byte), heads: make([]int, 1<<bucketBits), chain: patterns}
	for i := range patterns {
		x.gram = min(x.gram, len(patterns[i].text))
	}
	for i := range patterns {
		p := &patterns[i]
		p.first, p.last = x.words(p.text, len(p.text))
		h := x.mix(p.first, p.last)
		p.next = x.heads[h>>(64-bucketBits)]
		x.heads[h>>(64-bucketBits)] = i + 1
		x.filter[h>>(64-bucketBits)] |= bit(h)
	}
	return x
}

func (x *index) words(b []byte, end int) (first, last uint64) {
	return binary.LittleEndian.Uint64(b[end-x.gram:]), binary.LittleEndian.Uint64(b[end-word:])
}

func (x *index) mix(first, last uint64) uint64 {
	return (last ^ bits.RotateLeft64(first, 29)) * x.key
}

func bit(h uint64) byte { return 1 << (h >> (64 - bucketBits - 3) & 7) }

// scan looks at the positions from ≤ end < to of b and calls found for each pattern
// that ends there. It says how many patterns it had to compare.
func (x *index) scan(b []byte, from, to int, found func(end int, p *pattern)) (compared int) {
	from = max(from, x.gram)
	if from >= to {
		return 0
	}
	first, last, n := b[from-x.gram:], b[from-word:], to-from
	filter, key := x.filter, x.key
	i := 0
	for ; i+4 <= n; i += 4 {
		f, l := first[i:i+word+3], last[i:i+word+3]
		h0 := (binary.LittleEndian.Uint64(l[0:]) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(f[0:]), 29)) * key
		h1 := (binary.LittleEndian.Uint64(l[1:]) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(f[1:]), 29)) * key
		h2 := (binary.LittleEndian.Uint64(l[2:]) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(f[2:]), 29)) * key
		h3 := (binary.LittleEndian.Uint64(l[3:]) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(f[3:]), 29)) * key
		if filter[h0>>(64-bucketBits)]&bit(h0)|filter[h1>>(64-bucketBits)]&bit(h1)|
			filter[h2>>(64-bucketBits)]&bit(h2)|filter[h3>>(64-bucketBits)]&bit(h3) != 0 {
			for j := range 4 {
				compared += x.candidates(b, from+i+j, found)
			}
		}
	}
	for ; i < n; i++ {
		compared += x.candidates(b, from+i, found)
	}
	return compared
}

// candidates calls found for the patterns that end at one position.
func (x *index) candidates(b []byte, end int, found func(end int, p *pattern)) (compared int) {
	first, last := x.words(b, end)
	for i := x.heads[x.mix(first, last)>>(64-bucketBits)]; i > 0; i = x.chain[i-1].next {
		p := &x.chain[i-1]
		if p.first != first || p.last != last || end < len(p.text) {
			continue
		}
		compared++
		if subtle.ConstantTimeCompare(p.text, b[end-len(p.text):end]) == 1 {
			found(end, p)
		}
	}
	return compared
}

func (x *index) wipe() {
	x.key = 0
	clear(x.heads)
	clear(x.chain)
	if x.filter != nil {
		clear(x.filter[:])
	}
	x.chain = nil
}

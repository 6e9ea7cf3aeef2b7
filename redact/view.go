package redact

import (
	"bytes"
	"encoding/binary"
	"sort"
)

// view looks at the stream as it is with one kind of escapes decoded. Away from
// escapes that is the stream itself, which the reader has looked at: the view
// decodes from a pattern's length before an escape to a pattern's length behind it.
// A stream without escapes costs it no more than the search for one byte.
//
// A view's places, ints, are in its text; those in the stream are int64.
type view struct {
	decode   decoder
	escaping int // in escapings

	pos     int64 // what was decoded, or passed over
	text    []byte
	origin  int64 // the place of text[0] in the stream
	escapes []escape
	active  bool
	next    int // the first end in text that was not looked at
	until   int // the last end to look at because of an escape
}

// escape is one that was decoded: size bytes at a place in the stream became text.
type escape struct {
	at         int64
	size       int
	text, long int
}

// advance decodes what is new in the reader's buffer and looks at it. An escape
// that has only begun waits for more; it cannot where that is a line break.
func (v *view) advance(r *reader, end bool) {
	total := r.base + int64(len(r.buf))
	for v.pos < total {
		rest := r.buf[v.pos-r.base:]
		run := bytes.IndexByte(rest, v.decode.marker)
		if run < 0 {
			v.literal(r, rest)
			break
		}
		c, size := v.decode.next(rest[run:], end)
		if size == none {
			v.literal(r, rest[:run+1])
			continue
		}
		v.literal(r, rest[:run])
		if size == more {
			break
		}
		v.escape(r, c, size)
	}
	if v.active {
		v.look(r, end)
	}
}

// literal takes in bytes that are no escape, as far as there is one near.
func (v *view) literal(r *reader, b []byte) {
	v.pos += int64(len(b))
	if !v.active {
		return
	}
	// One more than until, as an end is looked at with the character after it.
	if need := v.until + 1 - len(v.text); need <= len(b) {
		v.text = append(v.text, b[:need]...)
		v.look(r, false)
		v.active = false
		return
	}
	v.text = append(v.text, b...)
	v.trim(r)
}

func (v *view) escape(r *reader, c char, size int) {
	longest := r.set.longest
	if !v.active {
		before := r.buf[max(0, int(v.pos-r.base)-longest-1) : v.pos-r.base]
		v.text = append(v.text[:0], before...)
		v.origin = v.pos - int64(len(before))
		v.escapes = v.escapes[:0]
		v.next = len(v.text)
		v.active = true
	}
	v.escapes = append(v.escapes, escape{v.pos, size, len(v.text), c.long})
	v.text = binary.LittleEndian.AppendUint32(v.text, c.text)[:len(v.text)+c.long]
	v.until = len(v.text) + longest
	v.pos += int64(size)
	v.trim(r)
}

// look searches the text up to where it is known, one character after a match.
func (v *view) look(r *reader, end bool) {
	to := len(v.text)
	if end {
		to++
	}
	to = min(to, v.until+1)
	r.look(v.text, v.next, to, func(at int, p *pattern) {
		start := at - len(p.text)
		// No encoder writes a part of a character.
		if !v.whole(start) || !v.whole(at) || v.place(at)-v.place(start) > int64(p.reach) {
			return
		}
		first, last := p.within(v.text, at)
		r.add(v.place(first), v.place(last), p, v.escaping)
	})
	v.next = max(v.next, to)
}

// trim forgets text that no match can begin in.
func (v *view) trim(r *reader) {
	if len(v.text) < chunk+2*r.set.longest {
		return
	}
	v.look(r, false)
	// Half a character at the beginning does no harm: no match reaches it.
	drop := v.next - r.set.longest - 1
	v.origin = v.place(drop)
	v.text = v.text[:copy(v.text, v.text[drop:])]
	v.escapes = v.escapes[:copy(v.escapes, v.escapes[v.before(drop):])]
	for i := range v.escapes {
		v.escapes[i].text -= drop
	}
	v.next -= drop
	v.until -= drop
}

// before is how many escapes lie before a place in the text, or around it.
func (v *view) before(i int) int {
	return sort.Search(len(v.escapes), func(k int) bool { return v.escapes[k].text >= i })
}

// whole says whether a place in the text is between characters.
func (v *view) whole(i int) bool {
	k := v.before(i)
	return k == 0 || v.escapes[k-1].text+v.escapes[k-1].long <= i
}

// place is where in the stream the character at a whole place in the text begins,
// which is where the one before it ends. In a character, it is as far before its end.
func (v *view) place(i int) int64 {
	k := v.before(i)
	if k == 0 {
		return v.origin + int64(i)
	}
	e := v.escapes[k-1]
	return e.at + int64(e.size) + int64(i-e.text-e.long)
}

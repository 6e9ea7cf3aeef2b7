package redact

import (
	"bytes"
	"cmp"
	"io"
	"slices"
)

// chunk is how much a Reader asks its source for, at least a half of it at once.
const chunk = 32 << 10

// idleReads is how often a source may say neither bytes nor error.
const idleReads = 100

// span is a match: the bytes from ≤ i < to of the stream.
type span struct {
	from, to int64
	rank     int    // in Forms, to choose among equals
	form     string // its name
}

// reader is what Set.Reader gives. All int64 are places in the stream.
//
// It goes: read into buf, look at what is new (advance), which moves sure; give out
// what is before sure. Nothing before sure can become part of a match any more.
type reader struct {
	set   *Set
	src   io.Reader
	hit   func(form string)
	lines bool

	buf   []byte
	home  *[]byte // where buf is from, until it is given back
	base  int64   // place of buf[0]
	pos   int64   // what was given out, or replaced
	sure  int64
	next  int64 // the first end that was not looked at, in the stream without decoding
	views []view
	spans []span // found and not begun, sorted when given
	cover int64  // end of the matches that the last placeholder stands for
	mark  string // what is left of it to give
	err   error  // after everything that is sure

	looked, compared int // positions and patterns, for the tests
}

func (s *Set) reader(src io.Reader, hit func(string)) *reader {
	r := &reader{set: s, src: src, hit: hit}
	r.home, _ = s.buffers.Get().(*[]byte)
	if r.home == nil {
		b := make([]byte, 0, s.Reach()+chunk)
		r.home = &b
	}
	r.buf = *r.home
	r.start()
	return r
}

func (r *reader) start() {
	for i, d := range r.set.views {
		r.views = append(r.views, view{decode: d, escaping: i + 1})
	}
}

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if n := r.give(p); n > 0 {
			return n, nil
		}
		if r.err != nil {
			r.release()
			return 0, r.err
		}
		r.fill()
	}
}

// fill reads once, and looks at what it got. All that is sure was given out, so the
// buffer can begin there: no match and no escape begins before.
func (r *reader) fill() {
	if cap(r.buf)-len(r.buf) < chunk/2 {
		if size := r.set.Reach() + chunk; cap(r.buf) < size { // there are longer values now
			r.grow(size)
		}
		r.buf = r.buf[:copy(r.buf, r.buf[r.pos-r.base:])]
		r.base = r.pos
	}
	free := r.buf[len(r.buf):cap(r.buf)]
	n, err := 0, error(nil)
	for range idleReads {
		if n, err = r.src.Read(free); n > 0 || err != nil {
			break
		}
	}
	if n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	r.buf = r.buf[:len(r.buf)+n]
	if bad := r.advance(err == io.EOF); bad != nil {
		err = bad
	}
	r.err = err
}

func (r *reader) grow(size int) {
	b := append(make([]byte, 0, size), r.buf...)
	clear(r.buf)
	*r.home = b
	r.buf = b
}

// advance looks at what is in the buffer and was not looked at, and says what of it
// is sure. At the end everything is.
func (r *reader) advance(end bool) error {
	s := r.set
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return ErrClosed
	}
	found := len(r.spans)
	to := len(r.buf) // the end of the buffer itself has no next character yet
	if end {
		to++
	}
	from := int(r.next - r.base)
	r.look(r.buf, from, to, func(at int, p *pattern) {
		first, last := p.within(r.buf, at)
		r.add(r.base+int64(first), r.base+int64(last), p, 0)
	})
	r.next = r.base + int64(to)
	for i := range r.views {
		r.views[i].advance(r, end)
	}
	if len(r.spans) > found {
		slices.SortStableFunc(r.spans, func(a, b span) int {
			return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to), cmp.Compare(a.rank, b.rank))
		})
	}
	total := r.base + int64(len(r.buf))
	if end {
		r.sure = total
		return nil
	}
	r.sure = max(r.sure, total-int64(s.hold))
	if r.lines {
		fresh := min(from, len(r.buf))
		if i := max(bytes.LastIndexByte(r.buf[fresh:], '\n'), bytes.LastIndexByte(r.buf[fresh:], '\r')); i >= 0 {
			r.sure = max(r.sure, r.base+int64(fresh+i)+1)
		}
	}
	return nil
}

// look is scan, counted.
func (r *reader) look(b []byte, from, to int, found func(end int, p *pattern)) {
	looked, compared := r.set.index.scan(b, from, to, found)
	r.looked += looked
	r.compared += compared
}

func (r *reader) add(from, to int64, p *pattern, escaping int) {
	r.spans = append(r.spans, span{from, to, escaping*len(renderings) + p.rendering, name(p.rendering, escapings[escaping].Name)})
}

// within is where a match that ends at end begins and ends in b, with the
// characters on either side that are shared.
func (p *pattern) within(b []byte, end int) (first, last int) {
	first, last = end-len(p.text), end
	if p.left && first > 0 && inBase64(b[first-1]) {
		first--
	}
	if p.right && last < len(b) && inBase64(b[last]) {
		last++
	}
	return first, last
}

// give copies what is sure to p, with placeholders for the matches.
func (r *reader) give(p []byte) (n int) {
	for n < len(p) {
		if r.mark != "" {
			k := copy(p[n:], r.mark)
			r.mark, n = r.mark[k:], n+k
			continue
		}
		stop := r.sure
		if len(r.spans) > 0 && r.spans[0].from < stop {
			next := r.spans[0]
			if next.from < r.cover || next.from <= r.pos {
				if next.from >= r.cover {
					r.mark = Placeholder
					if r.hit != nil {
						r.hit(next.form)
					}
				}
				r.cover = max(r.cover, next.to)
				r.spans = r.spans[1:]
				continue
			}
			stop = next.from
		}
		r.pos = max(r.pos, min(r.cover, r.sure))
		if r.pos >= stop {
			if stop == r.sure {
				break
			}
			continue
		}
		k := copy(p[n:], r.buf[r.pos-r.base:stop-r.base])
		r.pos, n = r.pos+int64(k), n+k
	}
	return n
}

// release overwrites the buffers, and lets the next Reader have the big one.
func (r *reader) release() {
	if r.home == nil {
		return
	}
	clear(r.buf[:cap(r.buf)])
	*r.home = r.buf[:0]
	r.set.buffers.Put(r.home)
	for i := range r.views {
		clear(r.views[i].text[:cap(r.views[i].text)])
	}
	r.home, r.buf, r.views = nil, nil, nil
}

package redact

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Placeholder stands where a value was. It is safe in a header, a URL's query and
// a JSON string.
const Placeholder = "[redacted]"

// How many bytes a value may have. A shorter one would be found by chance, and
// found out by trying; the longest sets how much a Reader holds back.
const (
	MinValue = 8
	MaxValue = 16 << 10
)

// Errors.
var (
	// ErrUnfit says that a value cannot be redacted, so must not be used either.
	ErrUnfit = errors.New("the value cannot be redacted")
	// ErrClosed says that the Set was closed. What was not looked at is not given out.
	ErrClosed = errors.New("the set of values to redact is closed")
)

// Set finds a number of values in all forms. It can be used by many at once.
type Set struct {
	mu     sync.RWMutex // held for writing by Replace and Close alone
	closed bool
	finder

	views   []decoder
	buffers sync.Pool // of *[]byte, zeroed
}

// finder is what Replace replaces.
type finder struct {
	patterns []pattern
	index    index
	longest  int // bytes in the longest pattern
	hold     int // bytes that a Reader holds back
}

// Compile makes a Set of values, which it copies. A Set of none finds nothing. The
// error wraps ErrUnfit, and says which value it is by its place, never what it is.
func Compile(values ...[]byte) (*Set, error) {
	f, err := newFinder(values)
	if err != nil {
		return nil, err
	}
	return &Set{views: []decoder{percent, escaped}, finder: f}, nil
}

// Replace puts other values in the place of those that the Set has, which it
// overwrites. A Reader that is under way looks for them in all that it reads from now
// on, so a value that is replaced before it is used for the first time is found in
// every answer. After an error nothing has changed; it wraps ErrUnfit or is ErrClosed.
func (s *Set) Replace(values ...[]byte) error {
	f, err := newFinder(values)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		f.wipe()
		return ErrClosed
	}
	s.wipe()
	s.finder = f
	return nil
}

func newFinder(values [][]byte) (finder, error) {
	f := finder{hold: lookahead - 1} // an escape that has begun, if there are no values
	for i, v := range values {
		if err := fit(v); err != nil {
			f.wipe()
			return f, fmt.Errorf("%w: value %d of %d %w", ErrUnfit, i+1, len(values), err)
		}
		f.add(v)
	}
	for i := range f.patterns {
		f.longest = max(f.longest, len(f.patterns[i].text))
	}
	var key [8]byte
	rand.Read(key[:]) // never fails
	f.index = newIndex(f.patterns, binary.LittleEndian.Uint64(key[:]))
	return f, nil
}

// Fit says whether a value can be redacted. The error wraps ErrUnfit, and does not
// hold the value.
func Fit(value []byte) error {
	if err := fit(value); err != nil {
		return fmt.Errorf("%w: it %w", ErrUnfit, err)
	}
	return nil
}

func fit(v []byte) error {
	switch {
	case len(v) < MinValue:
		return fmt.Errorf("has %d bytes, and %d are the fewest: use a longer one", len(v), MinValue)
	case len(v) > MaxValue:
		return fmt.Errorf("has %d bytes, and %d are the most", len(v), MaxValue)
	case bytes.ContainsAny(v, "\r\n"):
		return errors.New("has a line break: take it out, also at the end")
	}
	return nil
}

func (f *finder) add(value []byte) {
	for _, p := range render(value) {
		if !f.has(p) {
			f.patterns = append(f.patterns, p)
		}
	}
	f.hold = max(f.hold, widest*len(value)+lookahead-1)
}

// has says whether something is found already: the two alphabets of base64 often
// agree, and the same value may be given twice.
func (f *finder) has(p pattern) bool {
	for i := range f.patterns {
		q := &f.patterns[i]
		if q.left == p.left && q.right == p.right && q.reach == p.reach && bytes.Equal(q.text, p.text) {
			return true
		}
	}
	return false
}

// Reader reads r with the values taken out. It calls hit, which may be nil, with
// the form's name (see Forms) for each placeholder, from within Read. An error of r
// is passed on when everything before it that is certain was read; after any error
// but io.EOF the bytes that were held back are not given out, as the beginning of
// a value could be among them.
func (s *Set) Reader(r io.Reader, hit func(form string)) io.Reader {
	return s.reader(r, hit)
}

// Lines is Reader for a stream of lines that somebody waits for, such as
// server-sent events: what is before a line break is not held back.
func (s *Set) Lines(r io.Reader, hit func(form string)) io.Reader {
	l := s.reader(r, hit)
	l.lines = true
	return l
}

// Text takes the values out of a short text, such as a header's value, a URL or an
// error's words, and says how many placeholders it has now. Of a closed Set
// everything is one.
func (s *Set) Text(text string) (string, int) {
	if text == "" {
		return "", 0
	}
	n := 0
	r := reader{set: s, hit: func(string) { n++ }, buf: []byte(text)}
	defer func() { clear(r.buf) }()
	r.start()
	if err := r.advance(true); err != nil {
		return Placeholder, 1
	}
	if len(r.spans) == 0 {
		return text, 0
	}
	var out bytes.Buffer
	var part [512]byte
	for {
		k := r.give(part[:])
		if k == 0 {
			return out.String(), n
		}
		out.Write(part[:k])
	}
}

// Reach is the most bytes of a stream that decide about one match: whoever cuts a
// stream into parts and looks at each alone keeps as many of what came before.
func (s *Set) Reach() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.hold + 1
}

// Close overwrites the values. It waits for those who are looking for them at the
// moment; what is read later through the Set's Readers ends with ErrClosed.
func (s *Set) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.wipe()
	return nil
}

func (f *finder) wipe() {
	for i := range f.patterns {
		clear(f.patterns[i].text)
		f.patterns[i] = pattern{}
	}
	f.patterns = nil
	f.index.wipe()
}

// Format says nothing, whatever the verb: a Set must not end up in a log.
func (s *Set) Format(f fmt.State, _ rune) { io.WriteString(f, Placeholder) }

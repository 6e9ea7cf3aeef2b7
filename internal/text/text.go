// Package text makes fit for a message what others wrote: an engine, a runtime,
// a process. Whatever it is, it ends up short, on one line and without control
// characters, so that it can neither fill a terminal nor command it.
package text

import (
	"strings"
	"sync"
	"unicode"
)

// most is how many characters of a foreign text a message holds.
const most = 400

// OneLine is s on one line, without control characters, and not long.
func OneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return s
}

// Tail keeps the last Most bytes of what is written to it. It is safe for
// concurrent use.
type Tail struct {
	Most int

	mu  sync.Mutex
	buf []byte
}

// Write never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p[max(0, len(p)-t.Most):]...)
	t.buf = t.buf[max(0, len(t.buf)-t.Most):]
	return len(p), nil
}

// String is what is kept, as valid UTF-8.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(t.buf), "?")
}

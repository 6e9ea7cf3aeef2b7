package redact

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// decoder knows one kind of escapes. They begin with its marker. next decodes the
// one at the start of b, and says how many bytes it has; or none, or that more are
// needed to tell, which it does not say at the end of the stream.
//
// A stream is decoded from its beginning, so that `\\u0041` is a backslash and
// "u0041" for us as for whoever decodes it later.
type decoder struct {
	marker byte
	next   func(b []byte, end bool) (c char, size int)
}

// char is what an escape stands for: long bytes, the first of them the lowest of
// text. It is for speed that this is no slice.
type char struct {
	text uint32
	long int
}

// char8 is a character in UTF-8.
func char8(r rune) char {
	if r < utf8.RuneSelf {
		return char{uint32(r), 1}
	}
	var b [4]byte
	n := utf8.EncodeRune(b[:], r)
	return char{binary.LittleEndian.Uint32(b[:]), n}
}

const (
	none = 0
	more = -1
)

var percent = decoder{'%', func(b []byte, end bool) (c char, size int) {
	n, ok := hexRun(b[1:min(len(b), 3)])
	switch {
	case !ok:
		return char{}, none
	case len(b) >= 3:
		return char{uint32(n), 1}, 3
	case end:
		return char{}, none
	}
	return char{}, more
}}

// short is what JSON's escapes of two characters stand for, by the second.
var short = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

var escaped = decoder{'\\', func(b []byte, end bool) (c char, size int) {
	if len(b) < 2 {
		return char{}, unless(end)
	}
	if c := short[b[1]]; c != 0 {
		return char{uint32(c), 1}, 2
	}
	u, size := unit(b, end)
	if size != widest {
		return char{}, size
	}
	if !utf16.IsSurrogate(u) {
		return char8(u), widest
	}
	// Half of a pair, whose other half is an escape of the same kind. Alone it is
	// nothing, and is written as U+FFFD by those who go on.
	if low, size := unit(b[widest:], end); size == more {
		return char{}, more
	} else if both := utf16.DecodeRune(u, low); size == widest && both != utf8.RuneError {
		return char8(both), 2 * widest
	}
	return char8(utf8.RuneError), widest
}}

// unit reads \uXXXX.
func unit(b []byte, end bool) (rune, int) {
	switch {
	case len(b) > 0 && b[0] != '\\', len(b) > 1 && b[1] != 'u':
		return 0, none
	case len(b) < 2:
		return 0, unless(end)
	}
	n, ok := hexRun(b[2:min(len(b), widest)])
	switch {
	case !ok:
		return 0, none
	case len(b) < widest:
		return 0, unless(end)
	}
	return n, widest
}

func unless(end bool) int {
	if end {
		return none
	}
	return more
}

// hexRun reads digits, in either case.
func hexRun(b []byte) (n rune, ok bool) {
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		n = n<<4 | rune(c)
	}
	return n, true
}

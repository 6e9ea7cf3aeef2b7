package redact

import (
	"bytes"
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
	next   func(b []byte, end bool) (text []byte, size int)
}

const (
	none = 0
	more = -1
)

var percent = decoder{'%', func(b []byte, end bool) ([]byte, int) {
	n, ok := hexRun(b[1:min(len(b), 3)])
	switch {
	case !ok:
		return nil, none
	case len(b) >= 3:
		return []byte{byte(n)}, 3
	case end:
		return nil, none
	}
	return nil, more
}}

var escaped = decoder{'\\', func(b []byte, end bool) ([]byte, int) {
	if len(b) < 2 {
		return nil, unless(end)
	}
	if i := bytes.IndexByte([]byte(`"\/bfnrt`), b[1]); i >= 0 {
		return []byte{"\"\\/\b\f\n\r\t"[i]}, 2
	}
	u, size := unit(b, end)
	if size != widest {
		return nil, size
	}
	if !utf16.IsSurrogate(u) {
		return utf8.AppendRune(nil, u), widest
	}
	// Half of a pair, whose other half is an escape of the same kind. Alone it is
	// nothing, and is written as U+FFFD by those who go on.
	if low, size := unit(b[widest:], end); size == more {
		return nil, more
	} else if both := utf16.DecodeRune(u, low); size == widest && both != utf8.RuneError {
		return utf8.AppendRune(nil, both), 2 * widest
	}
	return utf8.AppendRune(nil, utf8.RuneError), widest
}}

// unit reads \uXXXX.
func unit(b []byte, end bool) (rune, int) {
	head := b[:min(len(b), 2)]
	if !bytes.HasPrefix([]byte(`\u`), head) {
		return 0, none
	}
	if len(head) < 2 {
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

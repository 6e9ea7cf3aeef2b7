package report

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How many characters of a field a reader gets to see.
const (
	maxName    = 160  // an ID, a title, an image's name
	maxField   = 600  // a reason, an observation
	maxVerbose = 4000 // the same where all evidence was asked for
)

// maxMarks is how many combining marks may follow each other. Living languages
// need three or four; more is text that climbs over its neighbours' lines.
const maxMarks = 4

// Sanitize makes hostile text safe to show on one line of anything: a
// terminal, a log, an XML document. It is the only place that decides this.
//
// What is left over are printable characters and U+0020. Everything else is
// shown as Go would escape it in a string, so that nothing disappears without
// a trace: control characters (\n, \x1b), invisible and direction-changing ones
// (\u202e), look-alikes of the space (\u00a0), and bytes that are not UTF-8
// (\xff). Of a text longer than limit characters the beginning and the end are
// kept and the middle is counted; limit counts before escaping.
//
// Build services read their own log for commands: GitHub a line that begins with
// "::error" or has "##[error]" in it, Azure "##vso[…]". Their brackets and colons
// are escaped too, or a container's output could hide secrets from the masking,
// stop the commands of others, or put its own words on a pull request.
func Sanitize(s string, limit int) string {
	n := utf8.RuneCountInString(s)
	if n <= limit {
		return disarm(escape(s))
	}
	head := limit * 2 / 3
	tail := limit - head
	return disarm(fmt.Sprintf("%s … [%d characters left out] … %s",
		escape(s[:headEnd(s, head)]), n-limit, escape(s[tailStart(s, tail):])))
}

var (
	lineCommand    = regexp.MustCompile(`(^| )::([A-Za-z])`)
	bracketCommand = regexp.MustCompile(`(##[A-Za-z]*)\[`)
)

// disarm escapes what a build service would take for a command. Wrap keeps a line
// from beginning with the colons that stand in the middle of a word.
func disarm(s string) string {
	if strings.Contains(s, "::") {
		s = lineCommand.ReplaceAllString(s, `${1}\x3a:${2}`)
	}
	if strings.Contains(s, "##") {
		s = bracketCommand.ReplaceAllString(s, `${1}\x5b`)
	}
	return s
}

// headEnd is the index after the first n characters of s.
func headEnd(s string, n int) int {
	i := 0
	for ; n > 0 && i < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return i
}

// tailStart is the index of the last n characters of s.
func tailStart(s string, n int) int {
	i := len(s)
	for ; n > 0 && i > 0; n-- {
		_, size := utf8.DecodeLastRuneInString(s[:i])
		i -= size
	}
	return i
}

func escape(s string) string {
	if harmless(s) {
		return s
	}
	var b strings.Builder
	marks := maxMarks // a mark at the beginning would change our own last character
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
			marks = 0
		case unicode.Is(unicode.M, r) && marks < maxMarks && !blank(r):
			b.WriteRune(r)
			marks++
		case unicode.Is(unicode.M, r) || !unicode.IsPrint(r) || blank(r):
			writeEscaped(&b, r)
		default:
			b.WriteRune(r)
			marks = 0
		}
		s = s[size:]
	}
	return b.String()
}

// harmless says that there is nothing but ASCII that prints, as mostly.
func harmless(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func writeEscaped(b *strings.Builder, r rune) {
	switch {
	case r == '\n':
		b.WriteString(`\n`)
	case r == '\r':
		b.WriteString(`\r`)
	case r == '\t':
		b.WriteString(`\t`)
	case r < utf8.RuneSelf:
		fmt.Fprintf(b, `\x%02x`, r)
	case r <= 0xffff:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		fmt.Fprintf(b, `\U%08x`, r)
	}
}

// blank reports letters and marks that Unicode counts as printable although
// they show nothing.
func blank(r rune) bool {
	switch r {
	case 0x034f, // combining grapheme joiner
		0x115f, 0x1160, 0x3164, 0xffa0, // Hangul fillers
		0x17b4, 0x17b5, // Khmer inherent vowels
		0x2800: // Braille pattern with no dot
		return true
	}
	return r >= 0xfe00 && r <= 0xfe0f || // variation selectors: they change a character's width
		r >= 0xe0100 && r <= 0xe01ef
}

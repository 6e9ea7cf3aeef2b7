package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
)

// Form is one way of writing a value that is found.
type Form struct {
	Name string // as hit gets it
	Text string // what it is
}

// renderings are the ways of writing a value as other bytes; their order is that
// of the constants.
var renderings = []Form{
	raw:       {"raw", "the value as it is"},
	form:      {"form", "the value with + for its spaces, as in a form"},
	base64std: {"base64", "base64 (RFC 4648 section 4) of any text with the value in it, Basic among them"},
	base64url: {"base64url", "base64 in the alphabet for URLs and file names (RFC 4648 section 5)"},
	hexLower:  {"hex", "hexadecimal in lower case"},
	hexUpper:  {"hex-upper", "hexadecimal in upper case"},
}

const (
	raw = iota
	form
	base64std
	base64url
	hexLower
	hexUpper
)

// escapings are the ways of writing the characters of a rendering; their order is
// that of the decoders in Set.views, after the first, which is none.
var escapings = []Form{
	{},
	{"percent", "any of the characters as %XX (RFC 3986 section 2.1), in either case"},
	{"json", `any of the characters as \uXXXX, in either case, or as \", \\, \/, \b, \f, \n, \r, \t (RFC 8259 section 7)`},
}

// Forms is all that is claimed to be found, in a fixed order.
func Forms() []Form {
	var all []Form
	for _, e := range escapings {
		for i, r := range renderings {
			f := Form{Name: name(i, e.Name), Text: r.Text}
			if e.Name != "" {
				f.Text += "; " + e.Text
			}
			all = append(all, f)
		}
	}
	return all
}

// name of a rendering under an escaping: "json" alone is the value itself.
func name(rendering int, escaping string) string {
	switch {
	case escaping == "":
		return renderings[rendering].Name
	case rendering == raw:
		return escaping
	default:
		return escaping + "(" + renderings[rendering].Name + ")"
	}
}

// pattern is one rendering of one value.
type pattern struct {
	text      []byte
	rendering int
	// Whether the characters before and after have some bits of the value, and some
	// of its neighbours: they are not compared, and are replaced too.
	left, right bool
	// The most bytes that the text may take in the stream, without those characters.
	reach int
}

const (
	// One character is at most this long, as \u0041. (Beyond the first plane one takes
	// twelve, for four bytes of text.)
	widest = 6
	// A match is known one character after its end, and the longest character is a
	// pair of \uXXXX.
	lookahead = 2 * widest
)

// render makes the patterns of a value.
//
// A Reader sees the last byte that decides about a match at most widest × the
// value's length + lookahead after its first. The value itself fits by nature: no
// character is longer than widest for each byte. The others are longer texts, and
// fit unless most of their characters are \uXXXX, which no encoder has a reason
// for; those that do not fit are not found, so that the hold-back can be half as
// long. Base64 leaves room for the character before.
func render(value []byte) []pattern {
	most := widest * len(value)
	all := []pattern{{text: bytes.Clone(value), rendering: raw, reach: most}}
	if bytes.IndexByte(value, ' ') >= 0 {
		all = append(all, pattern{text: bytes.ReplaceAll(value, []byte(" "), []byte("+")), rendering: form, reach: most})
	}
	lower := hex.AppendEncode(nil, value)
	all = append(all,
		pattern{text: lower, rendering: hexLower, reach: most},
		pattern{text: bytes.ToUpper(lower), rendering: hexUpper, reach: most})
	for offset := range 3 {
		std, url := inner(value, offset, base64.RawStdEncoding), inner(value, offset, base64.RawURLEncoding)
		std.rendering, std.reach = base64std, most-widest
		url.rendering, url.reach = base64url, most-widest
		all = append(all, std, url)
	}
	return all
}

// inner is the part of a value's base64 that is the same whatever is around the
// value, where offset bytes (mod 3) come before it. On the left a character is
// shared with the neighbour unless the offset is 0, on the right unless the value
// ends with a character.
func inner(value []byte, offset int, alphabet *base64.Encoding) pattern {
	whole := append(make([]byte, offset, offset+len(value)), value...)
	text := alphabet.AppendEncode(nil, whole)
	from := (8*offset + 5) / 6
	to := 8 * len(whole) / 6
	p := pattern{text: bytes.Clone(text[from:to]), left: offset > 0, right: 8*len(whole)%6 > 0}
	clear(whole)
	clear(text)
	return p
}

// inBase64 says whether a character is in one of base64's alphabets.
func inBase64(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '+' || c == '/' || c == '-' || c == '_'
}

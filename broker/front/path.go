package front

import (
	"strings"
	"unicode/utf8"
)

// Bits of the table of characters.
const (
	inToken = 1 << iota
	inPath
	inQuery
)

// chars is which characters may stand where: tokens (RFC 9110 section 5.6.2),
// paths (RFC 3986 pchar and /) and queries. In queries, [ ] and | are taken as well,
// which many clients leave as they are and no server reads in two ways.
var chars = func() (t [256]byte) {
	set := func(bits byte, s string) {
		for i := range len(s) {
			t[s[i]] |= bits
		}
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	set(inToken|inPath|inQuery, letters)
	set(inToken, "!#$%&'*+-.^_`|~")
	set(inPath|inQuery, "-._~!$&'()*+,;=:@/%")
	set(inQuery, "?[]|")
	return t
}()

func isToken(s string) bool {
	for i := range len(s) {
		if chars[s[i]]&inToken == 0 {
			return false
		}
	}
	return s != ""
}

// checkPath refuses a path that two programs could read as two. It reports whether
// the path holds an encoded slash, which some registries have in their names: who
// allows that must say so.
func checkPath(path string) (encodedSlash bool, r *Refusal) {
	plain := true
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\':
			return false, Refuse("backslash", "the path has a backslash")
		case chars[c]&inPath == 0:
			return false, Refuse("path-character", "the path has the byte %#02x, which must be percent-encoded", c)
		case c == '%':
			plain = false
			v, ok := hexPair(path, i)
			if !ok {
				return false, Refuse("percent", "the path has a %% without two hexadecimal digits behind it")
			}
			switch {
			case v == '/':
				encodedSlash = true
			case v == '.':
				return false, Refuse("encoded-dot", "the path has an encoded dot")
			case v == '\\':
				return false, Refuse("backslash", "the path has an encoded backslash")
			case v < ' ' || v == 0x7f:
				return false, Refuse("encoded-control", "the path has an encoded control character, %#02x", v)
			}
			i += 2
		}
	}
	decoded := path
	if !plain {
		decoded = Unescape(path)
		for i := range len(decoded) {
			if _, again := hexPair(decoded, i); decoded[i] == '%' && (again || strings.HasPrefix(decoded[i+1:], "u")) {
				return false, Refuse("double-encoding", "the path is percent-encoded twice")
			}
		}
		if r := checkText(decoded); r != nil {
			return false, r
		}
	}
	return encodedSlash, checkSegments(decoded)
}

// hexPair is the byte that the two digits behind s[i] stand for.
func hexPair(s string, i int) (byte, bool) {
	if i+2 >= len(s) {
		return 0, false
	}
	hi, lo := unhex(s[i+1]), unhex(s[i+2])
	return hi<<4 | lo, hi < 16 && lo < 16
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}

// Unescape undoes the percent-encoding of what ReadHead let pass.
func Unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if v, ok := hexPair(s, i); s[i] == '%' && ok {
			b.WriteByte(v)
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// checkText wants UTF-8, whose shortest forms have no second spelling of a slash,
// and none of the characters that compatibility folding (NFKC) or a careless
// conversion to ASCII turns into one.
func checkText(s string) *Refusal {
	if !utf8.ValidString(s) {
		return Refuse("utf8", "the path decodes to bytes that are not UTF-8")
	}
	if i := strings.IndexAny(s, "\u2024\u2025\u2026\u2044\u2215\u2216\u29f5\u29f8\ufe52\ufe68\uff0e\uff0f\uff3c"); i >= 0 {
		c, _ := utf8.DecodeRuneInString(s[i:])
		return Refuse("lookalike", "the path has %U, which some servers read as a dot or a slash", c)
	}
	return nil
}

// checkSegments refuses what servers remove from a path before they look at it.
func checkSegments(path string) *Refusal {
	for rest := path[1:]; ; {
		segment, after, more := strings.Cut(rest, "/")
		name, _, _ := strings.Cut(segment, ";") // "..;x" is ".." to some
		switch {
		case name == "." || name == "..":
			return Refuse("dot-segment", "the path has a segment %q", segment)
		case name == "" && (more || segment != ""): // nothing but parameters is nothing, to some
			return Refuse("empty-segment", "the path has an empty segment")
		case !more:
			return nil
		}
		rest = after
	}
}

func checkQuery(query string) *Refusal {
	for i := range len(query) {
		switch c := query[i]; {
		case c == '%':
			if _, ok := hexPair(query, i); !ok {
				return Refuse("percent", "the query has a %% without two hexadecimal digits behind it")
			}
		case chars[c]&inQuery == 0:
			return Refuse("query-character", "the query has the byte %#02x, which must be percent-encoded", c)
		}
	}
	return nil
}

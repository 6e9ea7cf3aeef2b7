package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// The reference does all at once and in the obvious way: decode the whole text with
// the standard library's decoders, look for every rendering everywhere. It shares
// with the package the names of the forms and nothing else.

// decodedText is a text and where each of its bytes is from: from whole[i] is true
// on, byte i begins a character, and that begins at start[i]. Both have one more.
type decodedText struct {
	text  []byte
	start []int
	whole []bool
}

var escapes = []*regexp.Regexp{
	nil,
	regexp.MustCompile(`%[0-9a-fA-F]{2}`),
	regexp.MustCompile(`\\(["\\/bfnrt]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4})`),
}

func decodeAll(escaping int, in []byte) (d decodedText) {
	at := 0
	put := func(text []byte, size int) {
		for i, c := range text {
			d.text, d.start, d.whole = append(d.text, c), append(d.start, at), append(d.whole, i == 0)
		}
		at += size
	}
	var found [][]int
	if re := escapes[escaping]; re != nil {
		found = re.FindAllIndex(in, -1)
	}
	for _, f := range append(found, []int{len(in), len(in)}) {
		for at < f[0] {
			put(in[at:at+1], 1)
		}
		token := in[f[0]:f[1]]
		switch {
		case len(token) == 0:
		case token[0] == '%':
			b, _ := hex.DecodeString(string(token[1:]))
			put(b, len(token))
		default:
			var s string
			if err := json.Unmarshal([]byte(`"`+string(token)+`"`), &s); err != nil {
				panic(err)
			}
			put([]byte(s), len(token))
		}
	}
	d.start, d.whole = append(d.start, at), append(d.whole, true)
	return d
}

type rendition struct {
	name        string
	text        string
	left, right bool
	reach       int
}

// base64Core is what does not change of a value's base64 when its neighbours do.
func base64Core(value []byte, offset int, e *base64.Encoding) string {
	encode := func(fill byte) string {
		around := bytes.Repeat([]byte{fill}, offset)
		whole := slices.Concat(around, value, bytes.Repeat([]byte{fill}, 3))
		return e.EncodeToString(whole[:len(whole)/3*3])
	}
	a, b := encode(0x00), encode(0xff)
	var core []byte
	for i := range a {
		if a[i] == b[i] {
			core = append(core, a[i])
		}
	}
	return string(core)
}

func renditions(value []byte) []rendition {
	n := len(value)
	all := []rendition{
		{"raw", string(value), false, false, 6 * n},
		{"form", strings.ReplaceAll(string(value), " ", "+"), false, false, 6 * n},
	}
	for i, name := range []string{"base64", "base64url"} {
		for offset := range 3 {
			e := []*base64.Encoding{base64.StdEncoding, base64.URLEncoding}[i]
			all = append(all, rendition{name, base64Core(value, offset, e), offset > 0, (offset+n)%3 != 0, 6*n - 6})
		}
	}
	return append(all,
		rendition{"hex", fmt.Sprintf("%x", value), false, false, 6 * n},
		rendition{"hex-upper", fmt.Sprintf("%X", value), false, false, 6 * n})
}

var base64Letter = regexp.MustCompile(`^[A-Za-z0-9+/_-]$`)

// reference says what becomes of a text, and the names of the forms in order.
func reference(values [][]byte, in []byte) (string, []string) {
	type match struct {
		from, to, rank int
		name           string
	}
	var all []match
	rank := func(name string) int {
		return slices.IndexFunc(Forms(), func(f Form) bool { return f.Name == name })
	}
	for escaping, prefix := range []string{"", "percent", "json"} {
		d := decodeAll(escaping, in)
		for _, value := range values {
			for _, r := range renditions(value) {
				for at := 0; ; at++ {
					i := bytes.Index(d.text[at:], []byte(r.text))
					if i < 0 {
						break
					}
					at += i
					from, to := at, at+len(r.text)
					if !d.whole[from] || !d.whole[to] || d.start[to]-d.start[from] > r.reach {
						continue
					}
					if r.left && from > 0 && base64Letter.Match(d.text[from-1:from]) {
						from--
					}
					if r.right && to < len(d.text) && base64Letter.Match(d.text[to:to+1]) {
						to++
					}
					name := r.name
					if prefix != "" {
						name = strings.ReplaceAll(prefix+"("+name+")", "(raw)", "")
					}
					all = append(all, match{d.start[from], d.start[to], rank(name), name})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b match) int {
		return slices.Compare([]int{a.from, -a.to, a.rank}, []int{b.from, -b.to, b.rank})
	})
	var out strings.Builder
	var names []string
	end := 0
	for _, m := range all {
		if m.from < end {
			end = max(end, m.to)
			continue
		}
		out.Write(in[end:m.from])
		out.WriteString(Placeholder)
		names = append(names, m.name)
		end = m.to
	}
	out.Write(in[end:])
	return out.String(), names
}

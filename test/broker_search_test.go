package test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
)

// searcher finds values, in whatever form they are written down, in streams of any
// length. It is not the redactor's code: a form that one of them forgot, the other
// would forget with it.
type searcher struct {
	// starts has a bit for the hash of each form's first four bytes, so that most of
	// a stream is passed over at the speed of a load.
	starts  [1 << 16 / 64]uint64
	forms   map[uint32][]form
	longest int
	window  int // how much is read at once
}

type form struct {
	name, kind string // whose value, and how it is written
	text       []byte
}

func newSearcher(values map[string]string) *searcher {
	s := &searcher{forms: map[uint32][]form{}, window: 1 << 20}
	for name, v := range values {
		for kind, text := range formsOf(v) {
			if len(text) < 8 {
				panic("too short to be told from noise: " + text)
			}
			first := binary.LittleEndian.Uint32([]byte(text))
			h := hash16(first)
			s.starts[h/64] |= 1 << (h % 64)
			s.forms[first] = append(s.forms[first], form{name, kind, []byte(text)})
			s.longest = max(s.longest, len(text))
		}
	}
	return s
}

func hash16(v uint32) uint32 { return v * 2654435761 >> 16 }

// formsOf is how a value may be written down.
func formsOf(v string) map[string]string {
	all := map[string]string{
		"raw": v, "hex": hex.EncodeToString([]byte(v)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(v))),
		"query": url.QueryEscape(v), "path": url.PathEscape(v),
	}
	all["query, lower case"] = lowerEscapes(all["query"])
	all["path, lower case"] = lowerEscapes(all["path"])
	var every, wide strings.Builder
	for _, b := range []byte(v) {
		fmt.Fprintf(&every, "%%%02X", b)
	}
	all["percent"] = every.String()
	all["percent, lower case"] = strings.ToLower(every.String())
	for _, u := range utf16.Encode([]rune(v)) {
		wide.Write([]byte{byte(u), byte(u >> 8)})
	}
	all["utf-16"] = wide.String()
	quoted, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	all["json"] = strings.Trim(string(quoted), `"`)
	all["json, slashes"] = strings.ReplaceAll(all["json"], "/", `\/`)
	// In base64 three bytes are four characters, so that a value within a longer text
	// has three forms; the characters at either end are shared with its neighbours.
	for offset := range 3 {
		padded := append(make([]byte, offset), v...)
		padded = padded[:len(padded)/3*3]
		text := base64.StdEncoding.EncodeToString(padded)
		if offset > 0 {
			text = text[4:]
		}
		all[fmt.Sprintf("base64, offset %d", offset)] = text
		all[fmt.Sprintf("base64url, offset %d", offset)] = strings.NewReplacer("+", "-", "/", "_").Replace(text)
	}
	return all
}

// lowerEscapes is %2f for %2F.
func lowerEscapes(s string) string {
	b := []byte(s)
	for i := range b {
		if b[i] == '%' {
			copy(b[i:], bytes.ToLower(b[i:i+3]))
		}
	}
	return string(b)
}

// found is a value that lies where it was looked for.
type found struct {
	name, kind string
	at         int64
	around     string
}

func (f found) String() string {
	return fmt.Sprintf("%s as %s at byte %d: …%q…", f.name, f.kind, f.at, f.around)
}

// scan reads to the end and returns what it found, each value in each form once, and
// how many bytes it read.
func (s *searcher) scan(r io.Reader) ([]found, int64, error) {
	var all []found
	buf := make([]byte, 0, s.window)
	begin := int64(0) // of buf in the stream
	for {
		n, err := io.ReadFull(r, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		end := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !end {
			return all, begin + int64(len(buf)), err
		}
		safe := len(buf) - s.longest // what begins before it lies in buf as a whole
		if end {
			safe = len(buf)
		}
		for i := 0; i < safe && i+4 <= len(buf); i++ {
			first := binary.LittleEndian.Uint32(buf[i:])
			if h := hash16(first); s.starts[h/64]&(1<<(h%64)) == 0 {
				continue
			}
			for _, f := range s.forms[first] {
				known := func(x found) bool { return x.name == f.name && x.kind == f.kind }
				if bytes.HasPrefix(buf[i:], f.text) && !slices.ContainsFunc(all, known) {
					around := buf[max(0, i-40):min(len(buf), i+len(f.text)+20)]
					all = append(all, found{f.name, f.kind, begin + int64(i), string(around)})
				}
			}
		}
		if end {
			return all, begin + int64(len(buf)), nil
		}
		begin += int64(safe)
		buf = buf[:copy(buf[:cap(buf)], buf[safe:])]
	}
}

// names is whose values were found.
func names(all []found) []string {
	var out []string
	for _, f := range all {
		out = append(out, f.name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Every form is found wherever it lies, also across the edges of what is read at once,
// and nothing is found where there is nothing.
func TestSearcher(t *testing.T) {
	t.Parallel()
	const value = `0123/45+67"89<ab=cdefghij`
	s := newSearcher(map[string]string{"v": value, "other": "zzzzzzzzzzzzzzzzzzzzzzzzz"})
	s.window = 1 << 10
	wrap := func(kind, text string) string {
		if kind == "raw" {
			return text
		}
		return "=" + text + "="
	}
	for kind, text := range formsOf(value) {
		for _, at := range []int{0, s.window - 3, s.window - len(text) - 1, s.window + 5} {
			in := strings.Repeat("x", at) + wrap(kind, text)
			all, n, err := s.scan(strings.NewReader(in))
			if err != nil || n != int64(len(in)) || !slices.Equal(names(all), []string{"v"}) {
				t.Errorf("%s at %d: %v, %d bytes, %v", kind, at, all, n, err)
			}
		}
	}
	// What encoders write, in longer texts.
	for offset := range 7 {
		padded := strings.Repeat("p", offset) + value + "tail"
		encoded := []string{base64.StdEncoding.EncodeToString([]byte(padded)), base64.RawURLEncoding.EncodeToString([]byte(padded))}
		for _, in := range encoded {
			if all, _, err := s.scan(iotest.OneByteReader(strings.NewReader(in))); err != nil || len(all) == 0 {
				t.Errorf("offset %d: not found in %s", offset, in)
			}
		}
	}
	for _, in := range []string{"", "x", value[1:], value[:len(value)-1], strings.Repeat(value[:20], 1<<10)} {
		if all, _, err := s.scan(strings.NewReader(in)); err != nil || len(all) > 0 {
			t.Errorf("%v in %.40q, %v", all, in, err)
		}
	}
	if _, _, err := s.scan(iotest.ErrReader(errors.New("broken"))); err == nil {
		t.Error("half a search counts as one")
	}
}

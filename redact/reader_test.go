package redact

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

var stdAlphabet = base64.RawStdEncoding

const secret = "sk-ant-api03-p9Zq_7/x+W2=dEmB4"

func TestOverlaps(t *testing.T) {
	long := secret + "-and-more"
	hexOf := []byte(hexed("%02x", secret))
	values := [][]byte{[]byte(secret), []byte(long), []byte(secret[10:] + "TAIL4567"), []byte("aaaaaaaa"),
		[]byte("\xa9 half a character"), hexOf[:20]}
	for _, row := range []struct {
		name, in, out string
		forms         []string
	}{
		{"one a prefix of another, the short", "<" + secret + ">", "<[redacted]>", []string{"raw"}},
		{"one a prefix of another, the long", "<" + long + ">", "<[redacted]>", []string{"raw"}},
		{"the long one cut off", "<" + secret + "-and-mor", "<[redacted]-and-mor", []string{"raw"}},
		{"two that overlap", "<" + secret + "TAIL4567>", "<[redacted]>", []string{"raw"}},
		{"twice in a row", secret + secret, "[redacted][redacted]", []string{"raw", "raw"}},
		{"only a beginning", "<" + secret[:29] + ">", "<" + secret[:29] + ">", nil},
		{"only an end", "<" + secret[1:] + ">", "<" + secret[1:] + ">", nil},
		{"a period of itself", "<" + strings.Repeat("a", 100) + ">", "<[redacted]>", []string{"raw"}},
		{"other forms beside", fmt.Sprintf("%x%s", secret, secret), "[redacted][redacted]", []string{"hex", "raw"}},
		{"the longest of those that begin together", "<" + string(hexOf) + ">", "<[redacted]>", []string{"hex"}},
		{"half a pair before it", `\ud83d` + units(`\u%04x`, secret), `\ud83d[redacted]`, []string{"json"}},
		{"half a character of an escape", `\u00e9 half a character`, `\u00e9 half a character`, nil},
		{"an escaped backslash", `\` + units(`\u%04x`, secret), `\` + units(`\u%04x`, secret), nil},
		{"a placeholder", "<[redacted]>", "<[redacted]>", nil},
		{"nothing", "", "", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			for size := 1; size < 40; size += 3 {
				if err := same(mustCompile(values...).Reader, size, row.out, row.forms, slices.Collect(slices.Chunk([]byte(row.in), size))...); err != nil {
					t.Error(err)
				}
			}
			if out, n := mustCompile(values...).Text(row.in); out != row.out || n != len(row.forms) {
				t.Errorf("Text gave %q %d", out, n)
			}
		})
	}
}

// TestBasic has user names of all lengths mod 3, and values too.
func TestBasic(t *testing.T) {
	for user := range 7 {
		for size := range 7 {
			value := secret[:len(secret)-size]
			name := strings.Repeat("u", user)
			header := "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+value))
			before := "Basic " + base64.StdEncoding.EncodeToString([]byte(name + ":..."))[:8*(user+1)/6]
			out, n := mustCompile([]byte(value)).Text(header)
			if rest := strings.TrimRight(out, "="); n != 1 || rest != before+Placeholder {
				t.Errorf("user %d, value -%d: %s became %s", user, size, header, out)
			}
		}
	}
}

// TestFlow says what is given out when: all but the hold-back at each read, and
// of lines all up to the last break.
func TestFlow(t *testing.T) {
	set := mustCompile([]byte(secret))
	hold := 6*len(secret) + 12 - 1
	for _, row := range []struct {
		name  string
		with  reading
		parts []string
		given []int // after each part
	}{
		{"text", set.Reader, []string{strings.Repeat("x", hold), "y", "zz"}, []int{0, 1, 3}},
		{"text with line breaks", set.Reader, []string{"data: a\n\n", strings.Repeat("x", hold)}, []int{0, 9}},
		{"lines", set.Lines, []string{"data: a\n\n", "data: ", "b\n", "\nda", "ta\r"}, []int{9, 9, 17, 18, 23}},
		{"a long line", set.Lines, []string{"a\n", strings.Repeat("x", hold), "yy"}, []int{2, 2, 4}},
		{"an escape cut by a break", set.Lines, []string{"\\u00\n", "%4\r", "\\ud83d\\\n"}, []int{5, 8, 16}},
	} {
		t.Run(row.name, func(t *testing.T) {
			given := 0
			r := row.with(&stepping{parts: row.parts, before: func(part int) {
				if part > 0 && given != row.given[part-1] {
					t.Errorf("after part %d: %d bytes were given, not %d", part, given, row.given[part-1])
				}
			}}, nil)
			for p := make([]byte, 1024); ; {
				n, err := r.Read(p)
				if err != nil {
					break
				}
				given += n
			}
			if want := len(strings.Join(row.parts, "")); given != want {
				t.Errorf("%d bytes of %d came", given, want)
			}
		})
	}
}

// stepping tells of each read that it gets.
type stepping struct {
	parts  []string
	before func(part int)
	at     int
}

func (s *stepping) Read(p []byte) (int, error) {
	s.before(s.at)
	if s.at == len(s.parts) {
		return 0, io.EOF
	}
	s.at++
	return copy(p, s.parts[s.at-1]), nil
}

// TestBrokenSource wants of a source that fails everything that is certain, and not
// the value whose end never came. At a proper end a piece is no value.
func TestBrokenSource(t *testing.T) {
	errBroken := errors.New("the connection broke")
	text := secret + strings.Repeat(".", 400) + secret[:len(secret)-1]
	set := mustCompile([]byte(secret))
	for _, err := range []error{errBroken, io.ErrUnexpectedEOF} {
		r := set.Reader(io.MultiReader(strings.NewReader(text), iotest.ErrReader(err)), nil)
		got, gotErr := io.ReadAll(r)
		if !errors.Is(gotErr, err) {
			t.Errorf("the error is %v, not %v", gotErr, err)
		}
		want := Placeholder + text[len(secret):len(text)-set.hold]
		if string(got) != want {
			t.Errorf("before the error came %q, not %q", got, want)
		}
		if n, again := r.Read(make([]byte, 10)); n != 0 || !errors.Is(again, err) {
			t.Errorf("after the error: %d %v", n, again)
		}
	}
	got, err := io.ReadAll(set.Reader(strings.NewReader(text), nil))
	if want := Placeholder + text[len(secret):]; string(got) != want || err != nil {
		t.Errorf("to its end: %q %v", got, err)
	}
}

func TestOddReads(t *testing.T) {
	set := mustCompile([]byte(secret))
	text := strings.Repeat("x", 300) + secret + "y"
	for name, src := range map[string]io.Reader{
		"data with the end": iotest.DataErrReader(strings.NewReader(text)),
		"single bytes":      iotest.OneByteReader(strings.NewReader(text)),
		"empty reads":       &chunks{parts: [][]byte{nil, []byte(text[:310]), nil, nil, []byte(text[310:])}, err: io.EOF},
	} {
		r := set.Reader(src, nil)
		if n, err := r.Read(nil); n != 0 || err != nil {
			t.Errorf("%s: reading nothing gave %d %v", name, n, err)
		}
		got, err := io.ReadAll(r)
		if want := strings.Repeat("x", 300) + Placeholder + "y"; string(got) != want || err != nil {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	_, err := io.ReadAll(set.Reader(&chunks{parts: make([][]byte, 1000), err: io.EOF}, nil))
	if !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a source that gives nothing: %v", err)
	}
	if err := iotest.TestReader(set.Reader(strings.NewReader(text), nil), []byte(strings.Repeat("x", 300)+Placeholder+"y")); err != nil {
		t.Error(err)
	}
}

// TestLong has forms at all distances from the edges of the buffers, and counts them.
func TestLong(t *testing.T) {
	// The long value keeps the views at work from each escape to the next.
	set := mustCompile([]byte(secret), bytes.Repeat([]byte("long"), 60))
	count := func(name, block, first, second string, size int) {
		want := size / len(block)
		for how, with := range map[string]reading{"Reader": set.Reader, "Lines": set.Lines} {
			counts := map[string]int{}
			src := io.LimitReader(&endless{block: []byte(block)}, int64(want*len(block)))
			clean := set.Reader(
				with(src, func(form string) { counts[form]++ }),
				func(form string) { t.Errorf("%s, %s left %s", name, how, form) })
			if _, err := io.Copy(io.Discard, clean); err != nil {
				t.Error(err)
			}
			if len(counts) != 2 || counts[first] != want || counts[second] != want {
				t.Errorf("%s, %s: %v, not %d of %s and %s", name, how, counts, want, first, second)
			}
		}
	}
	count("few escapes", fmt.Sprintf(`{"a": "\n%s", "b": "%x%%41"}.`, secret, secret), "raw", "hex", 1<<20)
	for pad := range 40 {
		// The views forget old text at an escape: it must be another one each time.
		block := strings.Repeat(`\u20ac`, pad) + units(`\u%04x`, secret) + strings.Repeat("%41", pad/2) + hexed("%%%02X", secret)
		count(fmt.Sprintf("%d escapes more", pad), block, "json", "percent", 160<<10)
	}
}

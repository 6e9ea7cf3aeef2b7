package redact

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// turning is a source that does something before it gives one of its parts.
type turning struct {
	chunks
	at int // parts before the turn
	do func()
}

func (s *turning) Read(p []byte) (int, error) {
	if s.at--; s.at < 0 && s.do != nil {
		s.do()
		s.do = nil
	}
	return s.chunks.Read(p)
}

// A stream that began before a value was known has it echoed afterwards: in all forms,
// cut anywhere, from a Set that had shorter values, longer ones or none.
func TestReplaceUnderWay(t *testing.T) {
	long := []byte(strings.Repeat("long-", 2000))
	before := map[string][][]byte{"none": nil, "shorter": {[]byte("12345678")}, "longer": {long}}
	text := strings.Repeat("a%41", 50)
	for name, values := range before {
		for _, v := range testValues {
			set := mustCompile(values...)
			seen := map[string]bool{}
			for _, s := range sampled(v.value) {
				if seen[s.form] {
					continue
				}
				seen[s.form] = true
				for _, cut := range []int{1, len(s.text()) / 2, len(s.text()) - 1} {
					if err := set.Replace(values...); err != nil {
						t.Fatal(err)
					}
					src := &turning{at: 1, do: func() {
						if err := set.Replace([]byte(v.value)); err != nil {
							t.Error(err)
						}
					}}
					src.err, src.parts = io.EOF, [][]byte{[]byte("x" + text + "%4"), []byte("1" + s.text()[:cut]), []byte(s.text()[cut:] + text)}
					got, err := io.ReadAll(set.Reader(src, nil))
					if want := "x" + text + "%41" + s.before + Placeholder + s.after + text; string(got) != want || err != nil {
						t.Fatalf("from %s, %s, %s cut at %d: %d bytes and not %d, %v", name, v.name, s.form, cut, len(got), len(want), err)
					}
				}
			}
		}
	}
}

// A value of which the forms are longer than all that a reader had room for.
func TestReplaceByLonger(t *testing.T) {
	value := []byte(strings.Repeat("0123456789abcdeF", MaxValue/16))
	escaped := strings.ReplaceAll(string(value), "F", "\\u0046")
	set := mustCompile([]byte(secret))
	src := &turning{at: 1, do: func() {
		if err := set.Replace([]byte(secret), value); err != nil {
			t.Error(err)
		}
	}}
	// An escape just before the turn has the view at work, with what was the longest.
	src.parts = [][]byte{[]byte(strings.Repeat("\\u0078", chunk))}
	for b := []byte(escaped + secret + string(value)); len(b) > 0; b = b[min(len(b), 999):] {
		src.parts = append(src.parts, b[:min(len(b), 999)])
	}
	src.err, src.at = io.EOF, 3
	got, err := io.ReadAll(set.Reader(src, nil))
	if want := strings.Repeat("\\u0078", chunk) + strings.Repeat(Placeholder, 3); string(got) != want || err != nil {
		t.Errorf("%d bytes and not %d, %v", len(got), len(want), err)
	}
}

// A Set of none keeps what could become an escape until there is more of it.
func TestNoValuesEscaped(t *testing.T) {
	part := strings.Repeat("x", chunk-3) + "%4"
	src := &chunks{parts: [][]byte{[]byte(part), []byte("1" + part), []byte("1" + part)}, err: io.EOF}
	got, err := io.ReadAll(mustCompile().Reader(src, nil))
	if want := part + "1" + part + "1" + part; string(got) != want || err != nil {
		t.Errorf("%d bytes and not %d, %v", len(got), len(want), err)
	}
}

func TestReplaceErrors(t *testing.T) {
	set := mustCompile([]byte(secret))
	old := set.patterns[0].text
	if err := set.Replace([]byte("another value"), []byte("short")); !errors.Is(err, ErrUnfit) || strings.Contains(err.Error(), "short") {
		t.Errorf("%v", err)
	}
	if out, n := set.Text("x" + secret); n != 1 {
		t.Errorf("after an error %q", out)
	}
	if err := set.Replace([]byte("another value")); err != nil {
		t.Fatal(err)
	}
	if len(bytes.Trim(old, "\x00")) > 0 {
		t.Errorf("%q is left", old)
	}
	if out, n := set.Text(secret + " another value"); out != secret+" "+Placeholder || n != 1 {
		t.Errorf("%q", out)
	}
	set.Close()
	if err := set.Replace([]byte(secret)); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
}

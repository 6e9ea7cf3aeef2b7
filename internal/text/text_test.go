package text

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		" a\n\tb\r\nc ":             "a b c",
		"\x1b[31mred\x07":           "[31mred",
		"a\u202eb":                  "a b", // would turn the line around
		strings.Repeat("x", most):   strings.Repeat("x", most),
		strings.Repeat("ü", most+1): strings.Repeat("ü", most) + "…",
	} {
		if got := OneLine(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzOneLine(f *testing.F) {
	f.Add("a\x00b\xff\u2028c")
	f.Fuzz(func(t *testing.T, s string) {
		got := OneLine(s)
		if utf8.RuneCountInString(got) > most+1 || strings.ContainsFunc(got, unicode.IsControl) {
			t.Errorf("%q", got)
		}
	})
}

func TestTail(t *testing.T) {
	tail := Tail{Most: 4}
	for _, s := range []string{"", "ab", "cdefgh", "i"} {
		if n, err := tail.Write([]byte(s)); n != len(s) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	}
	if got := tail.String(); got != "fghi" {
		t.Errorf("kept %q", got)
	}
	tail.Write([]byte("\xff"))
	if !utf8.ValidString(tail.String()) {
		t.Errorf("%q", tail.String())
	}
}

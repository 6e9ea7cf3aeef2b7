package report

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestSanitize(t *testing.T) {
	for _, row := range []struct{ name, in, want string }{
		{"plain", "noexec on /tmp", "noexec on /tmp"},
		{"escape sequence", "\x1b[31mred", `\x1b[31mred`},
		{"line ends and tab", "a\r\nb\tc", `a\r\nb\tc`},
		{"C1 control", "\u009b31m", `\u009b31m`},
		{"direction override", "\u202etxt.exe", `\u202etxt.exe`},
		{"zero width", "a\u200bb\ufeff", `a\u200bb\ufeff`},
		{"no-break space", "a\u00a0b", `a\u00a0b`},
		{"line separator", "a\u2028b", `a\u2028b`},
		{"not UTF-8", "a\xffb\xc3", `a\xffb\xc3`},
		{"surrogate in UTF-8", "\xed\xa0\x80", `\xed\xa0\x80`},
		{"a real replacement character", "\ufffd", "\ufffd"},
		{"noncharacter", "\uffff", `\uffff`},
		{"tag characters", "\U000e0041", `\U000e0041`},
		{"variation selector", "✓\ufe0f", `✓\ufe0f`},
		{"Hangul filler", "\u3164", `\u3164`},
		{"accent", "e\u0301", "e\u0301"},
		{"accent with nothing to stand on", "\u0301e", `\u0301e`},
		{"more accents than a language needs", "e\u0301\u0301\u0301\u0301\u0301", "e\u0301\u0301\u0301\u0301" + `\u0301`},
		{"wide", "日本語", "日本語"},
		{"too long", strings.Repeat("a", 20) + strings.Repeat("b", 100) + strings.Repeat("c", 10), strings.Repeat("a", 20) + " … [100 characters left out] … " + strings.Repeat("c", 10)},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := Sanitize(row.in, 30); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func FuzzSanitize(f *testing.F) {
	for _, h := range hostile {
		f.Add(h, 100)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = min(max(limit, 0), 1000)
		out := Sanitize(s, limit)
		if !utf8.ValidString(out) {
			t.Errorf("not UTF-8: %q", out)
		}
		for _, r := range out {
			if !unicode.IsPrint(r) {
				t.Errorf("%U in %q", r, out)
			}
		}
		if Sanitize(out, len(out)) != out {
			t.Errorf("not stable: %q", out)
		}
		if n := utf8.RuneCountInString(out); n > limit*10+100 {
			t.Errorf("%d characters at limit %d", n, limit)
		}
	})
}

func TestWrap(t *testing.T) {
	for _, row := range []struct {
		name  string
		in    string
		width int
		want  string
	}{
		{"fits", "one two", 7, "one two"},
		{"breaks at a space", "one two three", 7, "one two|three"},
		{"word too long", "a verylongword b", 5, "a|veryl|ongwo|rd b"},
		{"wide characters", "日本語日本語", 5, "日本|語日|本語"},
		{"wide character in odd column", "a日本", 4, "a日|本"},
		{"empty", "", 10, ""},
		{"no width", "ab", 0, "ab"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := strings.Join(Wrap(row.in, row.width), "|"); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

package report

import (
	"fmt"
	"io"
	"strings"
)

// mdPage is Markdown in the making, with room for so many bytes.
type mdPage struct {
	b    strings.Builder
	room int
	lost int // pieces that had no room
}

// mdReserve is kept for saying what was left out.
const mdReserve = 512

func newMdPage() *mdPage { return &mdPage{room: MaxMarkdown - mdReserve} }

// add appends a piece, or counts it where there is no room for it.
func (p *mdPage) add(format string, args ...any) bool {
	s := fmt.Sprintf(format, args...)
	if len(s) > p.room {
		p.lost++
		return false
	}
	p.room -= len(s)
	p.b.WriteString(s)
	return true
}

const mdClose = "\n</details>\n\n"

// open begins something to unfold, for whose end there will be room.
func (p *mdPage) open(s string) bool {
	if len(s)+len(mdClose) > p.room {
		p.lost++
		return false
	}
	p.add("%s", s)
	p.room -= len(mdClose)
	return true
}

func (p *mdPage) close() { p.b.WriteString(mdClose) }

func (p *mdPage) table(columns ...string) {
	p.add("| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
}

func (p *mdPage) row(cells ...string) { p.add("| %s |\n", strings.Join(cells, " | ")) }

func (p *mdPage) writeTo(w io.Writer) error {
	if p.lost > 0 {
		fmt.Fprintf(&p.b, "\n**%d parts had no room here** (%d bytes at most); the report as JSON or HTML has all of it.\n", p.lost, MaxMarkdown)
	}
	_, err := io.WriteString(w, p.b.String())
	return err
}

// mdText makes hostile text safe inside Markdown and inside HTML within it: every
// character that could mean something there becomes a character reference, which
// means itself in both. Mentions, emoji and addresses are found by GitHub after
// that, in the text: a comment takes those apart and shows nothing. The first
// character could begin a list or a heading.
func mdText(s string) string { return mdEscape(Sanitize(s, maxField)) }

// mdCode is the same, shown as code. Code spans would need care with pipes and
// backslashes inside of tables; the element needs none.
func mdCode(s string) string { return "<code>" + mdText(s) + "</code>" }

func mdEscape(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == '@', r == ':' && i+1 < len(s) && s[i+1] != ' ', r == '.' && i > 0 && (s[i-1]|0x20) == 'w':
			fmt.Fprintf(&b, "&#%d;<!-- -->", r)
		case strings.ContainsRune("\\`*_[]<>#|~&$", r),
			i == 0 && r < 0x80 && (r|0x20 < 'a' || r|0x20 > 'z'):
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// longestRun is how often c stands in a row in s, at most.
func longestRun(s string, c byte) int {
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

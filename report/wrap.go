package report

import (
	"strings"

	"github.com/clipperhouse/displaywidth"
)

// Wrap breaks one line of sanitized text into lines of at most width terminal
// columns, at spaces where it can. A word that is too long by itself is broken
// between characters, but never so that a line begins with "::", which would be a
// command in a build service's log. It returns at least one line.
func Wrap(s string, width int) []string {
	width = max(width, 2) // a wide character must fit
	var lines []string
	line, used := "", 0
	for _, word := range strings.Fields(s) {
		w := displaywidth.String(word)
		switch {
		case used > 0 && used+1+w <= width:
			line, used = line+" "+word, used+1+w
			continue
		case used > 0:
			lines = append(lines, line)
		}
		for w > width {
			var head string
			head, word = cut(word, width)
			lines = append(lines, head)
			w = displaywidth.String(word)
		}
		line, used = word, w
	}
	return append(lines, line)
}

// cut divides a word after the last character that ends within width columns.
func cut(word string, width int) (head, rest string) {
	used, end, before := 0, 0, 0
	for g := displaywidth.StringGraphemes(word); g.Next(); {
		if used += g.Width(); used > width && end > 0 {
			break
		}
		end, before = end+len(g.Value()), end
	}
	if before > 0 && strings.HasPrefix(word[end:], "::") {
		end = before
	}
	return word[:end], word[end:]
}

// pad fills s with spaces up to width columns.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-displaywidth.String(s)))
}

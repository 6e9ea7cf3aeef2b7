// Package docs holds what keeps the documentation true: a test of its links and
// of the commands it shows, and the generators of checks.md and standards.md.
package docs

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var update = flag.Bool("update", false, "write checks.md and standards.md")

const root = ".."

// pages is the text of every page, by its path from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		names, err := fs.Glob(os.DirFS(root), pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			b, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			all[name] = string(b)
		}
	}
	if len(all) < 8 {
		t.Fatalf("only %d pages found", len(all))
	}
	return all
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

func TestLinks(t *testing.T) {
	all := pages(t)
	for page, text := range all {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := page
			if file != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(page), file))
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s links to %s, which does not exist", page, m[1])
			} else if anchor != "" && !anchors(all[target])[anchor] {
				t.Errorf("%s links to %s, which has no such heading", page, m[1])
			}
		}
	}
}

// anchors is what headings are called in links, as GitHub makes them.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, m[1])
		all[name] = true
	}
	return all
}

var (
	// A command in a block, at the beginning of a line, or in a code span, which
	// may run over a line's end.
	inBlock = regexp.MustCompile(`(?m)^(?:\s*(?:- run: |- |\$ |CODE=)?)(?:\S*bin/)?(tightship [a-z-].*)$`)
	inSpan  = regexp.MustCompile("`(tightship\\s[^`]+)`")
	fence   = regexp.MustCompile("(?ms)^```.*?^```$")
	flagged = regexp.MustCompile(`(?:^|\s)(--?[a-z][a-z-]*)`)
)

// Every command and flag that the pages show is one that a manual page has.
func TestCommands(t *testing.T) {
	seen := 0
	for page, text := range pages(t) {
		var lines []string
		for _, block := range fence.FindAllString(text, -1) {
			for _, m := range inBlock.FindAllStringSubmatch(block, -1) {
				lines = append(lines, m[1])
			}
		}
		for _, m := range inSpan.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			lines = append(lines, m[1])
		}
		for _, line := range lines {
			seen++
			checkCommand(t, page, line)
		}
	}
	if seen < 30 {
		t.Errorf("only %d commands found: has the pattern gone blind?", seen)
	}
}

func checkCommand(t *testing.T, page, line string) {
	t.Helper()
	line, _, _ = strings.Cut(line, " #") // a comment
	words := strings.Fields(line)
	manual, text := "", ""
	for n := len(words); n > 1; n-- { // the longest name that is a command's
		name := strings.Join(words[:n], "-") + ".1"
		if strings.ContainsAny(name, "/[") {
			continue
		}
		if b, err := os.ReadFile(filepath.Join("man", name)); err == nil {
			manual, text = name, string(b)
			break
		}
	}
	if manual == "" {
		// Output of the program begins with its name, too.
		if !strings.HasSuffix(words[1], ":") {
			t.Errorf("%s shows %q, and no manual page has that command", page, line)
		}
		return
	}
	for _, m := range flagged.FindAllStringSubmatch(line, -1) {
		if !strings.Contains(text, `\fB`+m[1]+`\fP`) {
			t.Errorf("%s shows %q, and %s has no flag %s", page, line, manual, m[1])
		}
	}
}

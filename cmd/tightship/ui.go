package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/tightship-dev/tightship/report"
)

// This file is how the program talks to people. The rules are:
//
//   - Results go to standard output, and nothing else does: what was asked for
//     can be piped, stored and compared.
//
//   - Everything else goes to standard error: an error as "tightship: what
//     happened", followed where we know it by "tightship: hint: what to do".
//     No capital at the beginning, no full stop at the end.
//
//   - Text that goes to standard output is written section by section, as the
//     sections finish. Where standard output carries a machine format or the
//     terminal would show nothing, the progress is a line per section on
//     standard error, with the same prefix.
//
//   - A status line ("waiting for: …") is shown only where standard error is a
//     terminal, is never longer than one line, and is erased before anything
//     else is written.
//
//   - Escape sequences are for colour alone, and only for a terminal; NO_COLOR
//     and TERM=dumb forbid them. A pipe or a file never sees a control character
//     other than a line feed.
//
//   - A reader that went away (EPIPE) is no error. A full disk is: what cannot
//     be written is said, and a finished report is never thrown away.
//
//   - Nothing is ever asked, but the passphrase of a key. --quiet leaves results and errors.
//
//   - Text that we did not write ourselves passes through report.Sanitize.

type ui struct {
	out *output // standard output, errors remembered
	err *erasing

	outWidth, errWidth int // columns; 0 is not a terminal
	color              bool
	quiet              bool

	mu     sync.Mutex // guards status, and keeps it out of other output
	status *status
}

func newUI(stdout, stderr io.Writer, terminal func(io.Writer) (int, bool), getenv func(string) string) *ui {
	u := &ui{}
	u.out = &output{w: &erasing{stdout, u}, file: stdout}
	u.err = &erasing{stderr, u}
	dumb := getenv("TERM") == "dumb"
	if columns, ok := terminal(stdout); ok {
		u.outWidth = max(columns, 1)
		u.color = !dumb && getenv("NO_COLOR") == ""
	}
	if columns, ok := terminal(stderr); ok && !dumb {
		u.errWidth = max(columns, 1)
	}
	return u
}

// terminal is the real answer to app.terminal.
func terminal(w io.Writer) (columns int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil || columns <= 0 {
		columns = report.DefaultWidth
	}
	return columns, true
}

// maxTextWidth keeps lines readable on a very wide terminal.
const maxTextWidth = 110

// textWidth is how wide text on standard output should be.
func (u *ui) textWidth() int {
	if u.outWidth == 0 {
		return report.DefaultWidth
	}
	return min(u.outWidth, maxTextWidth)
}

// error says what happened and what to do about it.
func (u *ui) error(err error) {
	u.lines("", err.Error())
	if h := hint(err); h != "" {
		u.lines("hint: ", h)
	}
}

// note is progress: something worth a line that is not a result.
func (u *ui) note(format string, args ...any) {
	if !u.quiet {
		u.lines("", fmt.Sprintf(format, args...))
	}
}

// lines writes text with our prefix on every line. That nobody can be told
// when standard error fails is the one error that is dropped.
func (u *ui) lines(kind, text string) {
	const longest = 4000
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		_, _ = fmt.Fprintf(u.err, "tightship: %s%s%s\n", kind, indent, report.Sanitize(strings.TrimSpace(line), longest))
	}
}

// output is standard output. It remembers the first error, so that a command
// need not check every write, and takes a reader that went away as a reader
// that has seen enough.
type output struct {
	w    io.Writer
	file any // what to close: an *os.File or nothing
	err  error
	gone bool
}

func (o *output) Write(p []byte) (int, error) {
	if o.gone {
		return len(p), nil
	}
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.w.Write(p)
	if err != nil && brokenPipe(err) {
		o.gone = true
		return len(p), nil
	}
	o.err = err
	return n, err
}

// close ends standard output and returns the first error it ever had; some
// file systems tell only now that they are full.
func (o *output) close() error {
	if f, ok := o.file.(*os.File); ok {
		if err := f.Close(); err != nil && o.err == nil && !errors.Is(err, fs.ErrClosed) && !brokenPipe(err) {
			o.err = err
		}
	}
	if o.err == nil {
		return nil
	}
	return fmt.Errorf("cannot write to standard output: %w", cause(o.err))
}

// cause takes the operation and the path off an error of package os, for
// messages that say them in their own words.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// erasing is a writer that takes the status line away first. The next tick
// draws it again.
type erasing struct {
	w  io.Writer
	ui *ui
}

func (e *erasing) Write(p []byte) (int, error) {
	e.ui.mu.Lock()
	defer e.ui.mu.Unlock()
	if s := e.ui.status; s != nil {
		s.erase()
	}
	return e.w.Write(p)
}

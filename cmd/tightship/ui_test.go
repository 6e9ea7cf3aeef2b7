package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// screen is a terminal that remembers what was written.
type screen struct {
	mu sync.Mutex
	bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Buffer.Write(p)
}

func everywhere(columns int) func(io.Writer) (int, bool) {
	return func(io.Writer) (int, bool) { return columns, true }
}

func nowhere(io.Writer) (int, bool) { return 0, false }

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// shown is what a terminal shows in the end: carriage returns overwrite.
func shown(s string) string {
	var lines []string
	for line := range strings.SplitSeq(s, "\n") {
		cells := []rune{}
		for _, part := range strings.Split(line, "\r") {
			for i, r := range []rune(part) {
				if i < len(cells) {
					cells[i] = r
				} else {
					cells = append(cells, r)
				}
			}
		}
		lines = append(lines, strings.TrimRight(string(cells), " "))
	}
	return strings.Join(lines, "\n")
}

func TestStatusLineLeavesNothingBehind(t *testing.T) {
	var tty screen
	u := newUI(&tty, &tty, everywhere(60), env())
	u.startStatus("waiting for: the engine")
	time.Sleep(3 * tick)
	u.setStatus("waiting for: everything that comes after the engine")
	if _, err := io.WriteString(u.out, "a result\n"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * tick)
	u.note("a note")
	u.stopStatus()
	u.stopStatus()
	time.Sleep(2 * tick)
	if got, want := shown(tty.String()), "a result\ntightship: a note\n"; got != want {
		t.Errorf("the terminal shows %q, want %q", got, want)
	}
	if strings.Contains(tty.String(), "\x1b") {
		t.Error("escape sequence")
	}
}

func TestStatusLineFitsTheTerminal(t *testing.T) {
	var tty screen
	u := newUI(&tty, &tty, everywhere(20), env())
	u.startStatus("waiting for: more than there is room for on twenty columns")
	u.stopStatus()
	for part := range strings.SplitSeq(tty.String(), "\r") {
		if len(part) >= 20 {
			t.Errorf("%d columns: %q", len(part), part)
		}
	}
}

func TestWhereTheStatusLineIs(t *testing.T) {
	for _, row := range []struct {
		name     string
		terminal func(io.Writer) (int, bool)
		env      func(string) string
		quiet    bool
		want     bool
	}{
		{"terminal", everywhere(80), env(), false, true},
		{"terminal without colour", everywhere(80), env("NO_COLOR", "1"), false, true},
		{"pipe", nowhere, env(), false, false},
		{"dumb terminal", everywhere(80), env("TERM", "dumb"), false, false},
		{"quiet", everywhere(80), env(), true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			var tty screen
			u := newUI(&tty, &tty, row.terminal, row.env)
			u.quiet = row.quiet
			u.startStatus("waiting")
			u.stopStatus()
			if got := tty.Len() > 0; got != row.want {
				t.Errorf("shown: %v, want %v", got, row.want)
			}
		})
	}
}

func TestWhereColorIs(t *testing.T) {
	for _, row := range []struct {
		name     string
		terminal func(io.Writer) (int, bool)
		env      func(string) string
		want     bool
	}{
		{"terminal", everywhere(80), env(), true},
		{"NO_COLOR", everywhere(80), env("NO_COLOR", "1"), false},
		{"empty NO_COLOR", everywhere(80), env("NO_COLOR", ""), true},
		{"dumb", everywhere(80), env("TERM", "dumb"), false},
		{"pipe", nowhere, env(), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := newUI(io.Discard, io.Discard, row.terminal, row.env).color; got != row.want {
				t.Errorf("colour: %v, want %v", got, row.want)
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestOutputErrors(t *testing.T) {
	for _, row := range []struct {
		err  error
		want string
	}{
		{syscall.EPIPE, ""},
		{syscall.ENOSPC, "cannot write to standard output: no space left on device"},
	} {
		u := newUI(failing{row.err}, io.Discard, nowhere, env())
		_, _ = io.WriteString(u.out, "one")
		_, _ = io.WriteString(u.out, "two")
		got := ""
		if err := u.out.close(); err != nil {
			got = err.Error()
		}
		if got != row.want {
			t.Errorf("%v: got %q, want %q", row.err, got, row.want)
		}
	}
}

func TestErrorsAreOnePrefixedLineEach(t *testing.T) {
	var b screen
	u := newUI(io.Discard, &b, nowhere, env())
	u.error(withHint(errors.New("first\n  second\x1b[2J\r\xff\n"), "do this"))
	want := "tightship: first\n" + `tightship:   second\x1b[2J\r\xff` + "\ntightship: hint: do this\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

// Every command and flag has help, and no command succeeds by doing nothing.
func TestEveryCommandIsDescribed(t *testing.T) {
	a := fakeApp("")
	a.ui = newUI(io.Discard, io.Discard, nowhere, env())
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short help %q", c.CommandPath(), c.Short)
		}
		if c.RunE == nil && c.Run == nil {
			t.Errorf("%s does nothing", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(a.rootCommand())
}

package secret

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWords(t *testing.T) {
	for in, want := range map[string][]string{
		`gh auth token`:          {"gh", "auth", "token"},
		"  a \t b  ":             {"a", "b"},
		`a 'b  c' d`:             {"a", "b  c", "d"},
		`a "b  c"'d'e`:           {"a", "b  cde"},
		`a ''`:                   {"a", ""},
		`a "" b`:                 {"a", "", "b"},
		`a b\ c \\ \'`:           {"a", "b c", `\`, "'"},
		`a "\"\\\$\n"`:           {"a", `"\$\n`},
		`a '$HOME|\' x`:          {"a", `$HOME|\`, "x"},
		`pass show a/b~c#d`:      {"pass", "show", "a/b~c#d"},
		`sh -c 'a | b'`:          {"sh", "-c", "a | b"},
		`op read op://v/i/f ü=1`: {"op", "read", "op://v/i/f", "ü=1"},
	} {
		got, err := words(in)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", in, err, diff)
		}
	}
	for _, in := range []string{"", " ", `''`, `a 'b`, `a "b`, `a "b\"`, `a \`, "a | b", "a;b", "a&", "a >b", "a <b", "$A", `a "$A"`, "a `b`", "a *.c", "a ?", "a [b]", "~/a", "a ~/b", "a #b", "(a)"} {
		if got, err := words(in); !errors.Is(err, ErrReference) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestExec(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TIGHTSHIP_TEST_INHERITED", "inherited")
	for from, want := range map[string]string{
		"exec:printf abc": "abc", "exec:echo abc": "abc", `exec:printf 'a\r\n'`: "a", "exec:pwd": dir,
		`exec:sh -c 'echo "$TIGHTSHIP_TEST_INHERITED"'`:   "inherited",
		"exec:sh -c 'echo warning >&2; echo abc; cat'":    "abc", // no input to wait for
		"exec:sh -c 'echo abc; exec >&- 2>&-; sleep 5 &'": "abc", // what is left behind holds nothing open
		"exec:sh -c 'echo abc; exec >&-; sleep 5 &'":      "abc", // or standard error alone
	} {
		if got, err := fetch(t, from, Options{BaseDir: dir}); got != want || err != nil {
			t.Errorf("%s: %q, %v", from, got, err)
		}
	}
	for _, tt := range []struct {
		name, from string
		want       error
		text       string
	}{
		{"failed", "exec:sh -c 'echo not\x20logged in >&2; exit 3'", ErrCommand, "exit status 3: run it by hand"},
		{"nothing", "exec:true", ErrEmpty, "exec:true: the command gave no credential: the credential is empty: run it by hand"},
		{"no such program", "exec:tightship-no-such-program", ErrCommand, "not found"},
		{"too much", "exec:yes", ErrTooLong, "64 KiB"},
		{"kept open", "exec:sh -c 'sleep 5 & echo abc'", ErrCommand, "keeps its output open"},
	} {
		if got, err := fetch(t, tt.from, Options{}); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
}

// A command that fails may have the credential in what it says, where nobody knows it
// yet: as it is, in pieces, or in another form. Nothing of that is in the error, which
// goes to the ledger.
func TestExecErrorsRepeatNothing(t *testing.T) {
	const value = "planted-4f9c1b7e"
	for how, from := range map[string]string{
		"on standard error alone":       "exec:sh -c 'echo cannot store planted-4f9c1b7e >&2; exit 1'",
		"and nothing on the other":      "exec:sh -c 'echo planted-4f9c1b7e >&2'",
		"on both":                       "exec:sh -c 'echo planted-4f9c1b7e; echo planted-4f9c1b7e >&2; exit 1'",
		"cut up":                        "exec:sh -c 'echo planted-4f9c1b7e; echo planted- >&2; echo 4f9c1b7e >&2; exit 1'",
		"in base64":                     "exec:sh -c 'printf planted-4f9c1b7e | base64 >&2; exit 1'",
		"in what it prints, and killed": "exec:sh -c 'echo planted-4f9c1b7e >&2; kill -9 $$'",
	} {
		got, err := fetch(t, from, Options{})
		if !errors.Is(err, ErrCommand) {
			t.Errorf("%s: %q, %v", how, got, err)
			continue
		}
		for _, part := range []string{value, "planted", "4f9c1b7e", "cGxhbnRlZC"} {
			if strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q is in: %v", how, part, err)
			}
		}
	}
}

// At the limit, and when nobody waits any more, all that the command started is
// killed.
func TestExecKillsTheGroup(t *testing.T) {
	for _, how := range []string{"limit", "caller"} {
		t.Run(how, func(t *testing.T) {
			alive := filepath.Join(t.TempDir(), "alive")
			if err := syscall.Mkfifo(alive, 0o600); err != nil {
				t.Fatal(err)
			}
			// The pipe has a writer for as long as one of the two sleeps.
			s, err := Open(fmt.Sprintf("exec:sh -c 'exec 3>%s; sleep 60 & sleep 60'", alive), Options{})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if how == "limit" {
				s.(*execSource).limit = time.Second
			}
			done := make(chan error, 1)
			go func() {
				_, _, err := s.Fetch(ctx)
				done <- err
			}()
			r, err := os.Open(alive) // waits until the command has begun
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			want := ErrCommand
			if how == "caller" {
				cancel()
				want = context.Canceled
			}
			if err := <-done; !errors.Is(err, want) {
				t.Errorf("got %v", err)
			}
			r.Read(make([]byte, 1)) // returns when all of them are gone
		})
	}
}

package redact

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
)

func TestUnfit(t *testing.T) {
	for _, row := range []struct{ name, value, says string }{
		{"empty", "", "has 0 bytes, and 8 are the fewest"},
		{"short", "1234567", "has 7 bytes, and 8 are the fewest"},
		{"long", strings.Repeat("x", MaxValue+1), "has 16385 bytes, and 16384 are the most"},
		{"line break", "12345678\n", "has a line break"},
		{"carriage return", "1234\r5678", "has a line break"},
	} {
		t.Run(row.name, func(t *testing.T) {
			set, err := Compile([]byte(secret), []byte(row.value))
			if set != nil || !errors.Is(err, ErrUnfit) || !strings.Contains(fmt.Sprint(err), "value 2 of 2 "+row.says) {
				t.Errorf("%v, %v", set, err)
			}
			if row.value != "" && strings.Contains(fmt.Sprint(err), row.value) {
				t.Errorf("the error has the value: %v", err)
			}
		})
	}
	for _, fits := range []string{"12345678", strings.Repeat("x", MaxValue)} {
		if _, err := Compile([]byte(fits)); err != nil {
			t.Errorf("%d bytes: %v", len(fits), err)
		}
	}
}

func TestNoValues(t *testing.T) {
	set := mustCompile()
	got, err := io.ReadAll(set.Reader(strings.NewReader("all of it%41"), nil))
	if string(got) != "all of it%41" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	if out, n := set.Text("all of it"); out != "all of it" || n != 0 {
		t.Errorf("%q %d", out, n)
	}
}

func TestForms(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range Forms() {
		if f.Name == "" || f.Text == "" || seen[f.Name] {
			t.Errorf("%+v is empty, or was there before", f)
		}
		seen[f.Name] = true
	}
}

// TestSilent prints a Set in all ways.
func TestSilent(t *testing.T) {
	set := mustCompile([]byte(secret))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb, set); got != Placeholder {
			t.Errorf("%s prints %.80q", verb, got)
		}
	}
}

// TestClose wants the values gone from the Set, and nothing given out that nobody
// looked at.
func TestClose(t *testing.T) {
	set := mustCompile([]byte(secret), []byte("another one"))
	var texts [][]byte
	for _, p := range set.patterns {
		texts = append(texts, p.text)
	}
	chain, heads := set.index.chain, set.index.heads
	r := set.Reader(&chunks{parts: [][]byte{bytes.Repeat([]byte("x"), 1000), []byte(secret)}, err: io.EOF}, nil)
	first := make([]byte, 10)
	if _, err := io.ReadFull(r, first); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(set.Close(), set.Close()); err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		if len(bytes.Trim(text, "\x00")) > 0 {
			t.Errorf("%q is left", text)
		}
	}
	for _, e := range chain {
		if e != (entry{}) {
			t.Errorf("%+v is left", e)
		}
	}
	for _, h := range heads {
		if h != 0 {
			t.Fatal("the index is left")
		}
	}
	rest, err := io.ReadAll(r)
	if !errors.Is(err, ErrClosed) || len(bytes.Trim(rest, "x")) > 0 || len(rest) != 1000-10-set.hold {
		t.Errorf("%q %v", rest, err)
	}
	if out, n := set.Text("x" + secret); out != Placeholder || n != 1 {
		t.Errorf("%q %d", out, n)
	}
}

// TestBuffersAreClean has a Reader find nothing of the one before it.
func TestBuffersAreClean(t *testing.T) {
	set := mustCompile([]byte(secret))
	r := set.reader(strings.NewReader(strings.Repeat(secret+"%41", 10)), nil)
	whole := r.buf[:cap(r.buf)]
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Fatal(err)
	}
	if len(bytes.Trim(whole, "\x00")) > 0 {
		t.Error("the buffer still has what was read")
	}
}

// TestTogether is for the race detector: many readers, and a Close among them.
func TestTogether(t *testing.T) {
	set := mustCompile([]byte(secret))
	text := strings.Repeat("x", 5000) + secret + "%41"
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for range 20 {
				got, err := io.ReadAll(set.Reader(strings.NewReader(text), nil))
				if strings.Contains(string(got), secret) || err != nil && !errors.Is(err, ErrClosed) {
					t.Errorf("%.100q %v", got, err)
				}
				if i == 0 {
					set.Text(text)
				}
			}
			if i == 7 {
				set.Close()
			}
		})
	}
	wait.Wait()
}

package redact

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A check takes an implementation, so that broken ones can be put through it too.
type (
	reading func(r io.Reader, hit func(string)) io.Reader
	maker   func(values ...[]byte) reading
)

func ours(values ...[]byte) reading  { return mustCompile(values...).Reader }
func lines(values ...[]byte) reading { return mustCompile(values...).Lines }

func mustCompile(values ...[]byte) *Set {
	s, err := Compile(values...)
	if err != nil {
		panic(err)
	}
	return s
}

// chunks is a reader that gives its parts one by one, and then an error.
type chunks struct {
	parts [][]byte
	err   error
	log   *[]int // what it was asked for and gave
}

func (c *chunks) Read(p []byte) (int, error) {
	n, err := 0, error(nil)
	if len(c.parts) == 0 {
		err = c.err
	} else {
		n = copy(p, c.parts[0])
		if c.parts[0] = c.parts[0][n:]; len(c.parts[0]) == 0 {
			c.parts = c.parts[1:]
		}
	}
	if c.log != nil {
		*c.log = append(*c.log, len(p), n)
	}
	return n, err
}

// run reads parts to their end through an implementation, size bytes at a time.
func run(with reading, size int, parts ...[]byte) (string, []string, error) {
	var names []string
	r := with(&chunks{parts: slices.Clone(parts), err: io.EOF}, func(form string) { names = append(names, form) })
	var out []byte
	for p := make([]byte, size); ; {
		n, err := r.Read(p)
		out = append(out, p[:n]...)
		if err == io.EOF {
			return string(out), names, nil
		}
		if err != nil {
			return string(out), names, err
		}
	}
}

// same holds one run against what should come out.
func same(with reading, size int, out string, names []string, parts ...[]byte) error {
	got, gotNames, err := run(with, size, parts...)
	if err != nil || got != out || !slices.Equal(gotNames, names) {
		return fmt.Errorf("%q\n gave %q %q %v\n not  %q %q", parts, got, gotNames, err, out, names)
	}
	return nil
}

// checkForms wants every form of every value found and named, and nothing else
// replaced: also between other text, twice in a row, and at the very end.
func checkForms(m maker) error {
	seen := map[string]bool{}
	for _, v := range testValues {
		with := m([]byte(v.value))
		for _, s := range sampled(v.value) {
			seen[s.form] = true
			out, names := s.before+Placeholder+s.after, []string{s.form}
			if err := same(with, 512, out, names, []byte(s.text())); err != nil {
				return fmt.Errorf("%s, %s: %w", v.name, s.form, err)
			}
			if err := same(with, 7, out+out, append(names, s.form), []byte(s.text()+s.text())); err != nil {
				return fmt.Errorf("%s, %s, twice: %w", v.name, s.form, err)
			}
			if err := same(with, 512, s.before+Placeholder, names, []byte(s.before+s.secret)); err != nil {
				return fmt.Errorf("%s, %s, at the end: %w", v.name, s.form, err)
			}
		}
	}
	for _, f := range Forms() {
		if !seen[f.Name] {
			return fmt.Errorf("no sample has the form %s", f.Name)
		}
	}
	return nil
}

// checkSplits cuts texts in two at each place, and into single bytes.
func checkSplits(m maker) error {
	for _, v := range testValues {
		with := m([]byte(v.value))
		texts := map[string]sample{}
		for _, s := range sampled(v.value) {
			if _, ok := texts[s.form]; !ok {
				// A pair's first half makes the decoder wait the longest that it may.
				s.after = `\ud83d\ud83d` + s.after
				texts[s.form] = s
			}
		}
		for form, s := range texts {
			// Enough behind it that all is read, looked at and given out in pieces.
			text := []byte(s.text() + strings.Repeat("z", 40))
			out, names := reference([][]byte{[]byte(v.value)}, text)
			for i := range text {
				if err := same(with, 512, out, names, text[:i], text[i:]); err != nil {
					return fmt.Errorf("%s, %s, cut at %d: %w", v.name, form, i, err)
				}
			}
			var single [][]byte
			for i := range text {
				single = append(single, text[i:i+1])
			}
			if err := same(with, 512, out, names, single...); err != nil {
				return fmt.Errorf("%s, %s, byte by byte: %w", v.name, form, err)
			}
		}
	}
	return nil
}

// trace is all that somebody on either side can see of a run besides the bytes, and
// what the reader itself counts.
func trace(with reading, input []byte, chunk, size int) (log []int, out string, compared int) {
	src := &chunks{err: io.EOF, log: &log}
	for part := range slices.Chunk(input, chunk) {
		src.parts = append(src.parts, part)
	}
	r := with(src, nil)
	var b bytes.Buffer
	for p := make([]byte, size); ; {
		n, err := r.Read(p)
		b.Write(p[:n])
		log = append(log, -n)
		if own, ok := r.(*reader); ok {
			log = append(log, own.looked)
			compared = own.compared
		}
		if err != nil {
			return log, b.String(), compared
		}
	}
}

// checkQuiet sends the beginning of each form of a value, of each length, through
// an implementation that looks for that value and through one that looks for
// another. All that can be seen must be the same; without escapes, the same as of
// random text. And nothing is compared before a whole fingerprint is right.
func checkQuiet(m maker) error {
	const value, other = "sk-ant-api03-p9Zq_7/x+W2=dEmB4", "0Jv2nCkYt5sXo8LrWb1uQeHgA6iMzD"
	right, wrong := m([]byte(value)), m([]byte(other))
	rnd := rand.New(rand.NewPCG(1, 2))
	filler := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = "GHIJKLMNOPQRSTUVWXYZ"[rnd.IntN(20)]
		}
		return b
	}
	done := map[string]bool{}
	for _, s := range sampled(value) {
		if done[s.form] {
			continue
		}
		done[s.form] = true
		for n := range len(s.secret) - 1 {
			input := slices.Concat(filler(100), []byte(s.secret[:n]), filler(20), []byte("\n"), filler(300-n))
			sizes := [][2]int{{1, 512}, {13, 5}, {len(input), 64}}[n%3]
			a, out, compared := trace(right, input, sizes[0], sizes[1])
			b, _, _ := trace(wrong, input, sizes[0], sizes[1])
			if out != string(input) {
				return fmt.Errorf("%s: %d bytes of it are taken for all", s.form, n)
			}
			if !slices.Equal(a, b) {
				return fmt.Errorf("%s: %d right bytes can be told from wrong ones", s.form, n)
			}
			if strings.ContainsAny(s.secret, `%\`) {
				continue
			}
			random := append(filler(120+n), '\n')
			c, _, _ := trace(right, append(random, filler(300-n)...), sizes[0], sizes[1])
			if !slices.Equal(a, c) {
				return fmt.Errorf("%s: %d right bytes can be told from random ones", s.form, n)
			}
			if n <= len(s.secret)-8-2 && compared > 0 {
				return fmt.Errorf("%s: something was compared for %d right bytes", s.form, n)
			}
		}
	}
	return nil
}

func TestChecks(t *testing.T) {
	for name, m := range map[string]maker{"Reader": ours, "Lines": lines} {
		for check, f := range map[string]func(maker) error{"forms": checkForms, "splits": checkSplits, "quiet": checkQuiet} {
			t.Run(name+"/"+check, func(t *testing.T) {
				if err := f(m); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

package redact

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
)

// greedy holds back what looks like the beginning of a value, as is often done: a
// timing oracle. It knows the value as it is alone.
type greedy struct {
	src     io.Reader
	value   []byte
	hit     func(string)
	in, out []byte
	err     error
}

func (g *greedy) Read(p []byte) (int, error) {
	for len(g.out) == 0 && g.err == nil {
		b := make([]byte, 64)
		n, err := g.src.Read(b)
		g.err = err
		g.in = append(g.in, b[:n]...)
		for {
			before, after, ok := bytes.Cut(g.in, g.value)
			if !ok {
				break
			}
			g.out = append(append(g.out, before...), Placeholder...)
			g.in = after
			if g.hit != nil {
				g.hit("raw")
			}
		}
		keep := 0
		for n := range g.value {
			if err == nil && bytes.HasSuffix(g.in, g.value[:n]) {
				keep = n
			}
		}
		g.out = append(g.out, g.in[:len(g.in)-keep]...)
		g.in = g.in[len(g.in)-keep:]
	}
	n := copy(p, g.out)
	g.out = g.out[n:]
	if n == 0 {
		return 0, g.err
	}
	return n, nil
}

// eager gives out what it holds whenever its source pauses: between two reads.
type eager struct {
	set *Set
	src io.Reader
	hit func(string)
	out []byte
}

func (e *eager) Read(p []byte) (int, error) {
	if len(e.out) == 0 {
		b := make([]byte, 4096)
		n, err := e.src.Read(b)
		if n == 0 {
			return 0, err
		}
		e.out, _ = io.ReadAll(e.set.Reader(bytes.NewReader(b[:n]), e.hit))
	}
	n := copy(p, e.out)
	e.out = e.out[n:]
	return n, nil
}

// TestMutants breaks the implementation, and wants the check that is named to
// notice. If none of a guarantee's mutants were noticed, its check would be hollow.
func TestMutants(t *testing.T) {
	broken := func(break_ func(s *Set)) maker {
		return func(values ...[]byte) reading {
			s := mustCompile(values...)
			break_(s)
			s.index = newIndex(s.patterns, s.index.key)
			return s.Reader
		}
	}
	without := func(which func(p pattern) bool) maker {
		return broken(func(s *Set) { s.patterns = slices.DeleteFunc(s.patterns, which) })
	}
	each := func(change func(p *pattern)) maker {
		return broken(func(s *Set) {
			for i := range s.patterns {
				change(&s.patterns[i])
			}
		})
	}
	rows := []struct {
		name  string
		check func(maker) error
		with  maker
	}{
		{"the hold-back one byte shorter", checkSplits, broken(func(s *Set) { s.hold-- })},
		{"no hold-back", checkSplits, broken(func(s *Set) { s.hold = 0 })},
		{"a hold-back that depends on the value", checkQuiet, broken(func(s *Set) { s.hold += int(s.patterns[0].text[0]) })},
		{"a hold-back of what looks like a value", checkQuiet, func(values ...[]byte) reading {
			return func(r io.Reader, hit func(string)) io.Reader {
				return &greedy{src: r, value: values[0], hit: hit}
			}
		}},
		{"giving out at a pause", checkSplits, func(values ...[]byte) reading {
			return func(r io.Reader, hit func(string)) io.Reader {
				return &eager{set: mustCompile(values...), src: r, hit: hit}
			}
		}},
		{"no base64 behind one byte", checkForms, without(func(p pattern) bool {
			return p.rendering == base64std && bytes.Equal(p.text, inner([]byte(testValues[0].value), 1, stdAlphabet).text)
		})},
		{"no base64 behind two bytes", checkForms, without(func(p pattern) bool {
			return p.rendering == base64std && bytes.Equal(p.text, inner([]byte(testValues[0].value), 2, stdAlphabet).text)
		})},
		{"no base64 for URLs", checkForms, without(func(p pattern) bool { return p.rendering == base64url })},
		{"no hex in upper case", checkForms, without(func(p pattern) bool { return p.rendering == hexUpper })},
		{"no plus signs for spaces", checkForms, without(func(p pattern) bool { return p.rendering == form })},
		{"not the value itself", checkForms, without(func(p pattern) bool { return p.rendering == raw })},
		{"the character before base64 stays", checkForms, each(func(p *pattern) { p.left = false })},
		{"the character after base64 stays", checkForms, each(func(p *pattern) { p.right = false })},
		{"no room for long escapes", checkForms, each(func(p *pattern) { p.reach = 2 * len(p.text) })},
		{"no percent-encoding", checkForms, broken(func(s *Set) { s.views[0].marker = 0 })},
		{"no JSON escapes", checkForms, broken(func(s *Set) { s.views = s.views[:1] })},
		{"escapes looked at too briefly", checkForms, broken(func(s *Set) { s.longest /= 2 })},
		{"escapes that do not wait for their rest", checkSplits, broken(func(s *Set) {
			next := s.views[1].next
			s.views[1].next = func(b []byte, _ bool) (char, int) { return next(b, true) }
		})},
		{"a fingerprint of less", checkQuiet, func(values ...[]byte) reading {
			s := mustCompile(values...)
			s.index.gram, s.index.chain = 8, nil
			clear(s.index.heads)
			for i := range s.patterns {
				p := &s.patterns[i]
				e := entry{pattern: p, after: len(p.text) - 8} // the first eight bytes
				e.first, e.last = s.index.words(p.text, 8)
				h := s.index.mix(e.first, e.last)
				e.next = s.index.heads[bucket(h)]
				s.index.chain = append(s.index.chain, e)
				s.index.heads[bucket(h)] = int32(len(s.index.chain))
				s.index.filter[bucket(h)] |= bit(h)
			}
			s.index.stride = 1
			return s.Reader
		}},
	}
	for _, row := range rows {
		t.Run(strings.ReplaceAll(row.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			err := row.check(row.with)
			if err == nil {
				t.Fatal("nobody noticed")
			}
			t.Log(strings.SplitN(err.Error(), "\n", 2)[0])
		})
	}
}

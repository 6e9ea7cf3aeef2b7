package redact

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
)

// FuzzReader makes a text of pieces that the fuzzer chooses, hands it over in chunks
// that it chooses too, and holds what comes out against the reference. Each byte of
// the plan takes a piece of a rendering, an escape, or stands for itself.
func FuzzReader(f *testing.F) {
	var values [][]byte
	var pieces [][]byte
	for _, v := range testValues {
		values = append(values, []byte(v.value))
		seen := map[string]bool{}
		for _, s := range sampled(v.value) {
			if !seen[s.form] {
				seen[s.form] = true
				pieces = append(pieces, []byte(s.text()), []byte(s.secret))
			}
		}
	}
	for _, s := range []string{"%", "%4", `\`, `\u`, `\u00`, `\ud83d`, `\udd11`, `\/`, "\n", `"`, "+", "/", "aaaaaaaa"} {
		pieces = append(pieces, []byte(s))
	}
	values = append(values, []byte("aaaaaaaa"))
	// The sets have short values, which make the index slow but sure, or only long ones.
	sets := [][][]byte{values, values[:1], values[:2], values[1:4]}
	var compiled []*Set
	for _, s := range sets {
		compiled = append(compiled, mustCompile(s...))
	}
	f.Add([]byte{0, 1, 2, 3}, []byte{1, 2, 3}, uint8(0), uint16(7))
	f.Add([]byte("plain text"), []byte{}, uint8(1), uint16(512))
	for i := range 32 {
		f.Add([]byte{byte(128 + i*4), 'x', byte(129 + i*4), byte(130 + i*4), 131}, []byte{byte(i)}, uint8(i), uint16(i*i))
	}
	f.Fuzz(func(t *testing.T, plan, sizes []byte, which uint8, size uint16) {
		if len(plan) > 64 {
			return
		}
		var text []byte
		for i := 0; i < len(plan); i++ {
			switch c := plan[i]; {
			case c < 128 || i+1 == len(plan):
				text = append(text, c)
			case c < 250: // a whole piece
				text = append(text, pieces[(int(c)*7+int(plan[i+1]))%len(pieces)]...)
				i++
			default: // the beginning of one
				p := pieces[(int(c)*7+int(plan[i+1]))%len(pieces)]
				text = append(text, p[:len(p)*(int(c)-249)/8]...)
				i++
			}
		}
		var parts [][]byte
		for i, rest := 0, text; len(rest) > 0; i++ {
			n := len(rest)
			if len(sizes) > 0 {
				n = min(n, 1+int(sizes[i%len(sizes)]))
			}
			parts, rest = append(parts, rest[:n]), rest[n:]
		}
		set := compiled[int(which)%len(sets)]
		out, names := reference(sets[int(which)%len(sets)], text)
		p := 1 + int(size)%2000
		if err := same(set.Reader, p, out, names, parts...); err != nil {
			t.Fatal(err)
		}
		if err := same(set.Lines, p, out, names, parts...); err != nil {
			t.Fatal("lines:", err)
		}
		if got, n := set.Text(string(text)); got != out || n != len(names) {
			t.Fatalf("Text gave %q, %d\n not %q", got, n, out)
		}
		// What comes before an error is the beginning of what would have come.
		errBroken := errors.New("broken")
		got, err := io.ReadAll(set.Reader(&chunks{parts: slices.Clone(parts), err: errBroken}, nil))
		if !errors.Is(err, errBroken) || !bytes.HasPrefix([]byte(out), got) {
			t.Fatalf("with an error at the end it gave %q, %v\n which does not begin %q", got, err, out)
		}
	})
}

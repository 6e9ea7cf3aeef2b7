package gitwire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// copyPack runs an Inspector over a pack, and holds it to its promise: what it sends
// is the pack, and all of it only after a yes.
func copyPack(t *testing.T, i Inspector, pack []byte) (Answer, error) {
	t.Helper()
	if i.Limits == (Limits{}) {
		i.Limits = DefaultLimits()
	}
	i.Format = SHA1
	var out bytes.Buffer
	err := i.Copy(t.Context(), &out, bytes.NewReader(pack))
	if !bytes.HasPrefix(pack, out.Bytes()) || err == nil && out.Len() < len(pack) {
		t.Fatalf("sent %d of %d bytes, with the error %v", out.Len(), len(pack), err)
	}
	if err == nil {
		return Yes, nil
	}
	// What was cut off before it came has no end to hold back.
	if out.Len() > max(0, len(pack)-20) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("sent %d of %d bytes, with the error %v", out.Len(), len(pack), err)
	}
	var force *ForceError
	if errors.As(err, &force) {
		return force.Answers[i.Ask[0]], err
	}
	return Unknown, err
}

func TestInspector(t *testing.T) {
	old := commitID(commitBody("old"))
	elsewhere := strings.Repeat("e", 40)
	blob := strings.Repeat("a blob\n", 1000)
	for name, row := range map[string]struct {
		make func(w *packWriter) string // returns the new id
		want Answer
	}{
		"one commit":         {func(w *packWriter) string { return w.commit(commitBody("a", old)) }, Yes},
		"nothing moves":      {func(*packWriter) string { return old }, Yes},
		"a second parent":    {func(w *packWriter) string { return w.commit(commitBody("a", elsewhere, old)) }, Yes},
		"a chain":            {chain(10, false, old), Yes},
		"a chain, backwards": {chain(10, true, old), Yes},
		"blobs first": {func(w *packWriter) string {
			w.object(packBlob, blob)
			w.object(packTree, "")
			return w.commit(commitBody("a", old))
		}, Yes},
		"blobs between": {func(w *packWriter) string {
			b := commitBody("b", old)
			a := w.commit(commitBody("a", commitID(b)))
			w.object(packBlob, blob)
			w.commit(b)
			return a
		}, Yes},
		"ofs deltas":        {deltas((*packWriter).ofsDelta, old), Yes},
		"ref deltas":        {deltas((*packWriter).refDelta, old), Yes},
		"a long message":    {func(w *packWriter) string { return w.commit(commitBody(strings.Repeat("x", 900_000), old)) }, Yes},
		"the pack is empty": {func(*packWriter) string { return elsewhere }, Unknown},
		"from elsewhere":    {func(w *packWriter) string { return w.commit(commitBody("a", elsewhere)) }, Unknown},
		"unrelated":         {func(w *packWriter) string { return w.commit(commitBody("a")) }, No},
		"an unrelated chain": {func(w *packWriter) string {
			return w.commit(commitBody("a", w.commit(commitBody("b")), w.commit(commitBody("c"))))
		}, No},
		"old as the tree": {func(w *packWriter) string {
			return w.commit(strings.Replace(commitBody("a"), strings.Repeat("4", 40), old, 1))
		}, No},
		"old in the message": {func(w *packWriter) string {
			return w.commit(commitBody("a\n\nparent " + old + "\n"))
		}, No},
		"a parent behind the author": {func(w *packWriter) string {
			return w.commit(strings.Replace(commitBody("a"), "committer", "parent "+old+"\ncommitter", 1))
		}, No},
		"a parent before the tree": {func(w *packWriter) string {
			return w.commit("parent " + old + "\n" + commitBody("a"))
		}, Unknown},
		"an upper-case parent": {func(w *packWriter) string { return w.commit(commitBody("a", strings.ToUpper(old))) }, Unknown},
		"a parent too long":    {func(w *packWriter) string { return w.commit(commitBody("a", old+"00")) }, Unknown},
		"old's own history":    {func(w *packWriter) string { return w.commit(commitBody("root")) }, No},
		"another commit has old": {func(w *packWriter) string {
			w.commit(commitBody("bait", old))
			return w.commit(commitBody("a", elsewhere))
		}, Unknown},
		"a tag of a commit that has it": {func(w *packWriter) string {
			w.object(packTag, "object "+w.commit(commitBody("a", old))+"\ntype commit\ntag x\n\n")
			return elsewhere
		}, Unknown},
		"a blob that looks like a commit": {func(w *packWriter) string {
			w.object(packBlob, commitBody("a", old))
			return commitID(commitBody("a", old))
		}, Unknown},
		"a commit that is too long": {func(w *packWriter) string {
			return w.commit(commitBody(strings.Repeat("x", maxCommit), old))
		}, Unknown},
		"a delta before its base": {func(w *packWriter) string {
			base := commitBody("base", elsewhere)
			id := w.refDelta(base, commitID(base), commitBody("a", old))
			w.commit(base)
			return id
		}, Unknown},
		"a delta of something else": {func(w *packWriter) string {
			w.at[elsewhere] = w.Len()
			w.object(packBlob, commitBody("base"))
			return w.ofsDelta(commitBody("base"), elsewhere, commitBody("a", old))
		}, Unknown},
		"a delta that is broken": {func(w *packWriter) string {
			base := commitBody("base", elsewhere)
			id := w.commit(base)
			return w.refDelta(base[1:], id, commitBody("a", old))
		}, Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPack()
			u := RefUpdate{Ref: "refs/heads/x", Old: old, New: row.make(w)}
			if got, err := copyPack(t, Inspector{Ask: []RefUpdate{u}}, w.end()); got != row.want {
				t.Errorf("the answer is %v: %v", got, err)
			}
			// With one question more that has no answer, it isn't sent either.
			other := RefUpdate{Ref: "refs/heads/y", Old: idA, New: elsewhere}
			if got, err := copyPack(t, Inspector{Ask: []RefUpdate{u, other}}, w.end()); got != row.want || err == nil {
				t.Errorf("the answer is %v: %v", got, err)
			}
			if _, err := copyPack(t, Inspector{}, w.end()); err != nil {
				t.Errorf("nothing was asked: %v", err)
			}
		})
	}
}

func chain(n int, backwards bool, old string) func(w *packWriter) string {
	return func(w *packWriter) string {
		var bodies []string
		id := old
		for i := range n {
			bodies = append(bodies, commitBody(fmt.Sprint(i), id))
			id = commitID(bodies[i])
		}
		if backwards {
			slices.Reverse(bodies)
		}
		for _, b := range bodies {
			w.commit(b)
		}
		return id
	}
}

func deltas(add func(w *packWriter, base, id, body string) string, old string) func(w *packWriter) string {
	return func(w *packWriter) string {
		message := strings.Repeat("the same in all\n", 200)
		body := commitBody("0\n"+message, old)
		id := w.commit(body)
		for i := range 5 {
			next := commitBody(fmt.Sprint(i+1, "\n", message), id)
			id, body = add(w, body, id, next), next
		}
		return id
	}
}

// Random histories, of which the pack has a part in a random order: the answer is yes
// exactly if a walk over the commits of the pack arrives at the old one.
func TestInspectorRandom(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	answers := map[Answer]int{}
	for range 200 {
		var bodies, ids []string
		parents := map[string][]string{}
		for n := range 2 + r.IntN(12) {
			var from []string
			for _, id := range ids {
				if r.IntN(3) == 0 {
					from = append(from, id)
				}
			}
			body := commitBody(fmt.Sprint(n), from...)
			bodies, ids = append(bodies, body), append(ids, commitID(body))
			parents[commitID(body)] = from
		}
		in := map[string]bool{}
		w := newPack()
		for _, n := range r.Perm(len(ids)) {
			if r.IntN(5) > 0 {
				in[ids[n]] = true
				w.commit(bodies[n])
				if r.IntN(3) == 0 {
					w.object(packBlob, "blob")
				}
			}
		}
		u := RefUpdate{Ref: "refs/heads/x", Old: ids[r.IntN(len(ids))], New: ids[r.IntN(len(ids))]}
		want := No
		var visit func(id string)
		visit = func(id string) {
			switch {
			case id == u.Old:
				want = Yes
			case !in[id] && want == No:
				want = Unknown
			case in[id]:
				for _, p := range parents[id] {
					visit(p)
				}
			}
		}
		visit(u.New)
		got, err := copyPack(t, Inspector{Ask: []RefUpdate{u}}, w.end())
		if got != want {
			t.Fatalf("seed %d: %v, want %v: %v", seed, got, want, err)
		}
		answers[got]++
	}
	if len(answers) != 3 {
		t.Errorf("only %v came up", answers)
	}
}

func TestInspectorHostile(t *testing.T) {
	old := strings.Repeat("b", 40)
	good := func() *packWriter {
		w := newPack()
		w.object(packBlob, "a blob")
		return w
	}
	for name, row := range map[string]struct {
		pack []byte
		why  string
	}{
		"nothing":             {nil, "ends too early"},
		"no pack":             {[]byte("0000PACK\x00\x00\x00\x02\x00\x00"), "no pack of version 2"},
		"version 3":           {[]byte("PACK\x00\x00\x00\x03\x00\x00\x00\x00"), "no pack of version 2"},
		"half a header":       {[]byte("PACK\x00\x00"), "ends too early"},
		"type 0":              {raw("\x05"), "type 0"},
		"type 5":              {raw("\x55"), "type 5"},
		"a size without end":  {raw("\xb5" + strings.Repeat("\xff", 30)), "too many digits"},
		"an offset without":   {raw("\xe5\x01" + strings.Repeat("\xff", 30)), "too many digits"},
		"a size that is less": {raw("\x35" + string(deflate("a blob"))), "size"},
		"a size that is more": {raw("\x37" + string(deflate("a blob"))), "size"},
		"no zlib":             {raw("\x36a blob" + strings.Repeat(" ", 40)), "invalid header"},
		"a dictionary":        {raw("\x36\x78\x20\x00\x00\x00\x02" + strings.Repeat(" ", 40)), "dictionary"},
		"a bad block":         {raw("\x36\x78\x9c\xff\xff\xff\xff" + strings.Repeat(" ", 40)), "corrupt"},
		"a bad checksum":      {raw("\x36" + string(deflate("a blob")[:len(deflate("a blob"))-1]) + "\x00" + strings.Repeat(" ", 40)), "checksum"},
		"something behind":    {append(good().end(), 'x'), "follows its end"},
		"a second pack":       {append(good().end(), good().end()...), "follows its end"},
		"more than it has":    {[]byte(strings.Replace(string(good().end()), "\x02\x00\x00\x00\x01", "\x02\x00\x00\x00\x02", 1)), ""},
		"4 billion objects":   {[]byte("PACK\x00\x00\x00\x02\xff\xff\xff\xff" + string(good().end()[12:])), ""},
		"cut in the checksum": {good().end()[:len(good().end())-1], "unexpected EOF"},
		"cut in an object":    {good().end()[:16], "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := copyPack(t, Inspector{Ask: []RefUpdate{{"refs/heads/x", old, idA}}}, row.pack)
			if err == nil || !strings.Contains(err.Error(), row.why) {
				t.Fatalf("%v", err)
			}
			if !errors.Is(err, ErrPack) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%v wraps neither", err)
			}
		})
	}
}

// raw is a pack that says it has one object.
func raw(object string) []byte {
	w := newPack()
	w.WriteString(object)
	w.count = 1
	return w.end()
}

// Cut anywhere, a pack is never sent to an end.
func TestInspectorCut(t *testing.T) {
	w := newPack()
	elsewhere := strings.Repeat("e", 40)
	u := RefUpdate{Ref: "refs/heads/x", Old: idB, New: w.commit(commitBody("a", elsewhere))}
	w.object(packBlob, strings.Repeat("blob", 100))
	whole := w.end()
	for n := range len(whole) {
		i := Inspector{Format: SHA1, Limits: DefaultLimits(), Ask: []RefUpdate{u}}
		var out bytes.Buffer
		if err := i.Copy(t.Context(), &out, iotest.HalfReader(bytes.NewReader(whole[:n]))); err == nil || out.Len() > len(whole)-20 {
			t.Fatalf("cut at %d: sent %d, %v", n, out.Len(), err)
		}
	}
}

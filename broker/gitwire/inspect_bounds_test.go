package gitwire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestInspectorLimits(t *testing.T) {
	w := newPack()
	u := RefUpdate{Ref: "refs/heads/x", Old: idB, New: chain(10, false, idB)(w)}
	w.object(packBlob, strings.Repeat("blob", 1000))
	d := newPack()
	v := RefUpdate{Ref: "refs/heads/x", Old: idB, New: deltas((*packWriter).ofsDelta, idB)(d)}
	for name, row := range map[string]struct {
		change func(l *Limits)
		update RefUpdate
		pack   []byte
		want   Answer
	}{
		"none":            {func(*Limits) {}, u, w.end(), Yes},
		"commits, fit":    {func(l *Limits) { l.Commits = 10 }, u, w.end(), Yes},
		"commits":         {func(l *Limits) { l.Commits = 9 }, u, w.end(), Unknown},
		"steps, fit":      {func(l *Limits) { l.Steps = 10 }, u, w.end(), Yes},
		"steps":           {func(l *Limits) { l.Steps = 9 }, u, w.end(), Unknown},
		"bytes, no delta": {func(l *Limits) { l.CommitBytes = 0 }, u, w.end(), Yes},
		"bytes":           {func(l *Limits) { l.CommitBytes = 4000 }, v, d.end(), Unknown},
		"deltas":          {func(l *Limits) { l.FromDeltas = 4000 }, v, d.end(), Unknown},
		"deltas, fit":     {func(l *Limits) { l.FromDeltas = 30_000 }, v, d.end(), Yes},
		"bytes, fit":      {func(l *Limits) { l.CommitBytes = 30_000 }, v, d.end(), Yes},
	} {
		t.Run(name, func(t *testing.T) {
			l := DefaultLimits()
			row.change(&l)
			if got, err := copyPack(t, Inspector{Limits: l, Ask: []RefUpdate{row.update}}, row.pack); got != row.want {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	t.Run("inflated", func(t *testing.T) {
		bomb := newPack()
		for range 20 {
			bomb.object(packBlob, strings.Repeat("\x00", 1<<20))
		}
		l := DefaultLimits()
		l.Inflated = 10 << 20
		if _, err := copyPack(t, Inspector{Limits: l, Ask: []RefUpdate{u}}, bomb.end()); !errors.Is(err, ErrPack) || !strings.Contains(err.Error(), "inflates to more") {
			t.Error(err)
		}
	})
	t.Run("copies of one commit take no room", func(t *testing.T) {
		w := newPack()
		for range 50 {
			w.commit(commitBody("again", strings.Repeat("e", 40)))
		}
		l := DefaultLimits()
		l.Commits = 2
		s := &scanner{source: source{r: bytes.NewReader(w.end()), w: io.Discard}, graph: newGraph(SHA1, l), at: map[int64]object{}}
		count, err := s.header()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.objects(t.Context(), count, func() bool { return false }); err != nil || len(s.at) > 2 || len(s.graph.parents) != 1 {
			t.Errorf("%v: %d places, %d commits", err, len(s.at), len(s.graph.parents))
		}
	})
	t.Run("a commit with many parents", func(t *testing.T) {
		var many []string
		for n := range 100 {
			many = append(many, fmt.Sprintf("%040x", n))
		}
		w := newPack()
		u := RefUpdate{Ref: "refs/heads/x", Old: many[99], New: w.commit(commitBody("a", many...))}
		l := DefaultLimits()
		l.Commits = 49
		if got, _ := copyPack(t, Inspector{Limits: l, Ask: []RefUpdate{u}}, w.end()); got != Unknown {
			t.Error(got)
		}
	})
}

// server is an Ancestry that says what it is told, and notes what it was asked.
type server struct {
	yes   bool
	err   error
	newer []string
	older string
}

func (s *server) Descends(_ context.Context, newer []string, older string) (bool, error) {
	s.newer, s.older = newer, older
	return s.yes, s.err
}

func TestInspectorAsksServer(t *testing.T) {
	e, f := strings.Repeat("e", 40), strings.Repeat("f", 40)
	w := newPack()
	u := RefUpdate{Ref: "refs/heads/x", Old: idB, New: w.commit(commitBody("a", w.commit(commitBody("c", f)), e))}
	broken := errors.New("it is away")
	for name, row := range map[string]struct {
		server server
		want   Answer
	}{"yes": {server{yes: true}, Yes}, "no": {server{}, No}, "broken": {server{err: broken}, Unknown}, "broken, and yes": {server{yes: true, err: broken}, Unknown}} {
		t.Run(name, func(t *testing.T) {
			got, err := copyPack(t, Inspector{Ask: []RefUpdate{u}, Server: &row.server}, w.end())
			slices.Sort(row.server.newer)
			if got != row.want || !slices.Equal(row.server.newer, []string{e, f}) || row.server.older != idB {
				t.Errorf("%v, %v, asked %+v", got, err, row.server)
			}
			if row.server.err != nil && !errors.Is(err, broken) {
				t.Errorf("%v does not say why", err)
			}
		})
	}
	t.Run("not asked for what is clear", func(t *testing.T) {
		w := newPack()
		s := &server{yes: true}
		u := RefUpdate{Ref: "refs/heads/x", Old: idB, New: w.commit(commitBody("root"))}
		if got, _ := copyPack(t, Inspector{Ask: []RefUpdate{u}, Server: s}, w.end()); got != No || s.older != "" {
			t.Errorf("%v, asked %+v", got, s)
		}
	})
}

// The errors of both ends, and of the context, come out as they are.
func TestInspectorErrors(t *testing.T) {
	w := newPack()
	u := RefUpdate{Ref: "refs/heads/x", Old: idB, New: w.commit(commitBody("a", idA))}
	for range 300 {
		w.object(packBlob, fmt.Sprint(rand.Uint64()))
	}
	pack := w.end()
	i := Inspector{Format: SHA1, Limits: DefaultLimits(), Ask: []RefUpdate{u}}
	broken := errors.New("it broke")
	if err := i.Copy(t.Context(), io.Discard, io.MultiReader(bytes.NewReader(pack[:500]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("reading: %v", err)
	}
	r, pw := io.Pipe()
	r.CloseWithError(broken)
	if err := i.Copy(t.Context(), pw, bytes.NewReader(pack)); !errors.Is(err, broken) {
		t.Errorf("writing: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := i.Copy(ctx, io.Discard, bytes.NewReader(pack)); !errors.Is(err, context.Canceled) {
		t.Errorf("context: %v", err)
	}
}

func FuzzInspector(f *testing.F) {
	for _, name := range []string{"create", "forward-merge", "forward-deltas", "forward-ref-deltas", "force", "forward-existing"} {
		p, err := ReadCommands(bytes.NewReader(fixture(f, name+".request")), DefaultLimits())
		if err != nil {
			f.Fatal(err)
		}
		pack, err := io.ReadAll(p.Rest)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(pack, p.Updates[0].Old, p.Updates[0].New)
	}
	l := DefaultLimits()
	l.Inflated = 10 << 20
	f.Fuzz(func(t *testing.T, pack []byte, old, next string) {
		if !SHA1.validID(old) || !SHA1.validID(next) {
			return
		}
		// The id of an update that nobody can know the commits of: no pack may
		// pass as a proof of it.
		impossible := RefUpdate{Ref: "refs/heads/y", Old: strings.Repeat("0", 39) + "1", New: next}
		if next != impossible.Old {
			if _, err := copyPack(t, Inspector{Limits: l, Ask: []RefUpdate{impossible}}, pack); err == nil && !bytes.Contains(pack, []byte(impossible.Old)) {
				t.Fatal("a fast-forward from nowhere")
			}
		}
		u := RefUpdate{Ref: "refs/heads/x", Old: old, New: next}
		got, err := copyPack(t, Inspector{Limits: l, Ask: []RefUpdate{u}}, pack)
		if whole, _ := copyPack(t, Inspector{Limits: l, Ask: []RefUpdate{u, impossible}}, pack); err == nil && whole == No {
			t.Fatalf("%v with one question, %v with two", got, whole)
		}
	})
}

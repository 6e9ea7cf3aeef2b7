package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// quiet is a log that does by itself only what it must, so that a test decides when.
func quiet(l layer) Options {
	return Options{SegmentBytes: minSegment, CheckpointRecords: 1 << 30, CheckpointInterval: time.Hour, layer: l, lag: 1}
}

func open(t testing.TB, dir string, o Options) *Log {
	t.Helper()
	l, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func add(t testing.TB, l *Log, e Entry) uint64 {
	t.Helper()
	seq, err := l.Append(context.Background(), e)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func intent(i int) Entry {
	return Entry{Kind: Intent, Sandbox: "box", Container: "0123456789abcdef", Credential: "anthropic", Route: "/anthropic", Method: "POST", Path: fmt.Sprintf("/v1/messages/%d", i), Decision: "allow", Rule: "allow[0]"}
}

func outcome(of uint64) Entry {
	return Entry{Kind: Outcome, Of: of, Sandbox: "box", Credential: "anthropic", Status: 200, BytesIn: 17, BytesOut: 1234, Latency: 1500 * time.Microsecond}
}

// fill records pairs of intents and outcomes.
func fill(t testing.TB, l *Log, pairs int) {
	t.Helper()
	for i := range pairs {
		add(t, l, outcome(add(t, l, intent(i))))
	}
}

func check(t testing.TB, dir string, o VerifyOptions) Result {
	t.Helper()
	r, err := Verify(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func intact(t testing.TB, dir string, o VerifyOptions) Result {
	t.Helper()
	r := check(t, dir, o)
	for _, f := range r.Findings {
		t.Error("found in an intact ledger: ", f)
	}
	return r
}

func TestRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	l := open(t, dir, quiet(nil))
	key := l.VerifierKey()
	fill(t, l, 50)
	if err := l.tidy(); err != nil {
		t.Fatal(err)
	}
	live := intact(t, dir, VerifyOptions{Key: key})
	if live.Records < 101 || live.Segments < 3 {
		t.Errorf("%+v", live)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, quiet(nil))
	if l.VerifierKey() != key {
		t.Error("another key")
	}
	add(t, l, intent(1))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error("a second Close:", err)
	}
	if _, err := l.Append(context.Background(), intent(1)); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	r := intact(t, dir, VerifyOptions{Key: key})
	if r.Records != r.Checkpoint || r.Root == "" {
		t.Errorf("%+v", r)
	}
	if len(r.Notes) != 1 || r.Notes[0].Kind != NoOutcome {
		t.Errorf("notes: %v", r.Notes)
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*.gz"))
	if len(names) == 0 {
		t.Error("nothing was packed")
	}
	if info, err := os.Stat(KeyFileOf(dir)); err != nil || info.Mode().Perm() != 0o600 {
		t.Error("the key's mode", info.Mode(), err)
	}
}

func TestMany(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	o := quiet(nil)
	o.SegmentBytes, o.CheckpointRecords, o.KeepSegments = 64<<10, 100, 2
	o.CheckpointInterval = 5 * time.Millisecond
	o.Copies = []string{filepath.Join(t.TempDir(), "copy")}
	l := open(t, dir, o)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() { fill(t, l, 40) })
	}
	for range 3 {
		intact(t, dir, VerifyOptions{Key: l.VerifierKey()})
	}
	wg.Wait()
	if err := errors.Join(l.tidy(), l.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(o.Copies[0])
	if err != nil {
		t.Fatal(err)
	}
	r := intact(t, dir, VerifyOptions{Key: l.VerifierKey(), Checkpoints: map[string][]byte{"copy": data}})
	if r.First == 0 || len(r.Notes) > 0 {
		t.Errorf("nothing was dropped, or %v", r.Notes)
	}
}

func TestRefusedEntries(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "ledger"), quiet(nil))
	defer l.Close()
	in := add(t, l, intent(1))
	add(t, l, outcome(in))
	for name, e := range map[string]Entry{
		"no kind":             {},
		"an unknown kind":     {Kind: "intend"},
		"an unnamed event":    {Kind: Event},
		"our own event":       {Kind: Event, Event: eventDropped},
		"a named intent":      {Kind: Intent, Event: "x"},
		"of nothing":          {Kind: Outcome},
		"of no intent":        {Kind: Outcome, Of: 999},
		"a second outcome":    outcome(in),
		"an intent of":        {Kind: Intent, Of: in},
		"a negative number":   {Kind: Denied, BytesIn: -1},
		"too long":            {Kind: Denied, Path: strings.Repeat("a", MaxRecord)},
		"too long if escaped": {Kind: Denied, Path: strings.Repeat("\x01", MaxRecord/5)},
	} {
		if _, err := l.Append(context.Background(), e); !errors.Is(err, ErrEntry) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.Append(ctx, intent(1)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if seq := add(t, l, intent(2)); seq != in+2 {
		t.Errorf("record %d: a refused one took a number", seq)
	}
}

func TestInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	l := open(t, dir, quiet(nil))
	if _, err := Open(dir, quiet(nil)); !errors.Is(err, ErrInUse) {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir, quiet(nil)).Close(); err != nil {
		t.Error(err)
	}
}

func TestKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	l := open(t, dir, quiet(nil))
	fill(t, l, 2)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		do   func(key string) error
		want error
	}{
		{"open to others", func(k string) error { return os.Chmod(k, 0o640) }, ErrKey},
		{"gone", func(k string) error { return os.Rename(k, k+".away") }, ErrKey},
		{"another's", func(k string) error {
			other := filepath.Join(t.TempDir(), "other")
			if err := open(t, other, quiet(nil)).Close(); err != nil {
				return err
			}
			return os.Rename(KeyFileOf(other), k)
		}, ErrTampered},
		{"no key", func(k string) error { return os.WriteFile(k, []byte("x\n"), 0o600) }, ErrKey},
	} {
		t.Run(row.name, func(t *testing.T) {
			key := KeyFileOf(dir)
			old, err := os.ReadFile(key)
			if err != nil {
				t.Fatal(err)
			}
			if err := row.do(key); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, quiet(nil)); !errors.Is(err, row.want) {
				t.Error(err)
			}
			_ = os.Remove(key)
			if err := os.WriteFile(key, old, 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, quiet(nil)); !errors.Is(err, ErrTampered) {
		t.Errorf("the key is there, the ledger is gone: %v", err)
	}
	o := quiet(nil)
	o.KeyFile = filepath.Join(dir, "key")
	if _, err := Open(dir, o); err == nil {
		t.Error("a key in the ledger is taken")
	}
}

// There is one way to write a time, and it is the standard library's.
func TestAppendTime(t *testing.T) {
	for _, at := range []time.Time{
		{}, time.Unix(0, 0), time.Unix(0, 1), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Date(2026, 10, 9, 8, 7, 6, 50_000_000, time.UTC), time.Date(2028, 2, 29, 0, 0, 0, 123456789, time.UTC),
	} {
		at = at.UTC()
		if got, want := string(appendTime([]byte("x"), at)), "x"+at.Format(timeFormat); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

package ledger

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A verifier that was written from the documentation alone comes to the same.
func TestIndependentVerifier(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not here")
	}
	dir := filepath.Join(t.TempDir(), "ledger")
	o := quiet(nil)
	o.KeepSegments = 2
	l := open(t, dir, o)
	fill(t, l, 40)
	if err := l.tidy(); err != nil {
		t.Fatal(err)
	}
	fill(t, l, 3)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r := intact(t, dir, VerifyOptions{Key: l.VerifierKey()})
	if r.First == 0 {
		t.Error("nothing was dropped")
	}
	out, err := exec.Command(python, "testdata/verify.py", dir).CombinedOutput()
	if want := fmt.Sprintf("%d %s\n", r.First+r.Records, r.Root); err != nil || string(out) != want {
		t.Fatalf("%v: it says %q, and we %q", err, out, want)
	}
	// It must be able to fail.
	names, err := filepath.Glob(filepath.Join(dir, "*"+plain))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	last := names[len(names)-1]
	data, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(last, []byte(strings.Replace(string(data), `"mono_ns":`, `"mono_ns":1`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(python, "testdata/verify.py", dir).CombinedOutput(); err == nil {
		t.Errorf("it takes a changed record: %s", out)
	}
}

func TestProof(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	o := quiet(nil)
	o.KeepSegments = 2
	l := open(t, dir, o)
	fill(t, l, 40)
	if err := l.tidy(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	key := l.VerifierKey()
	r := intact(t, dir, VerifyOptions{Key: key})
	if r.First == 0 {
		t.Error("nothing was dropped")
	}
	for seq := r.First; seq < r.First+r.Records; seq++ {
		p, err := Prove(t.Context(), dir, key, seq)
		if err != nil {
			t.Fatalf("record %d: %v", seq, err)
		}
		rec, _, err := p.Check(key)
		if err != nil || rec.Seq != seq {
			t.Fatalf("record %d: %v", seq, err)
		}
		p.Hashes[0][0] ^= 1
		if _, _, err := p.Check(key); err == nil {
			t.Fatalf("record %d: a changed path proves it", seq)
		}
	}
	if _, err := Prove(t.Context(), dir, key, 0); err == nil {
		t.Error("a record that was dropped is proven")
	}
	if _, err := Prove(t.Context(), dir, key, r.First+r.Records); err == nil {
		t.Error("a record that is not there is proven")
	}
}

package ledger

import (
	"fmt"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoints are what a verifier of signed notes takes, and say the root that
// another implementation of the tree comes to.
func TestStandardNote(t *testing.T) {
	d, key, copies := small(t)
	v, err := note.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(d.bytes(checkpointName), note.VerifierList(v))
	if err != nil {
		t.Fatal(err)
	}
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range at {
			out = append(out, hashes[i])
		}
		return out, nil
	})
	var size int64
	for c := openCursor(d, onDisk, 0); ; size++ {
		r, err := c.Next()
		if err != nil {
			break
		}
		more, err := tlog.StoredHashes(size, r.Line, reader)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, more...)
	}
	root, err := tlog.TreeHash(size, reader)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%s\n%d\n%s\n", v.Name(), size, root); n.Text != want {
		t.Errorf("the checkpoint says\n%s and the records make\n%s", n.Text, want)
	}
	all, torn, err := OpenCheckpoints(append(slices.Clone(copies), copies[:60]...), v)
	if err != nil || torn != 1 || len(all) < 2 {
		t.Errorf("%d checkpoints, %d torn, %v", len(all), torn, err)
	}
}

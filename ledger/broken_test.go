package ledger

import (
	"context"
	"errors"
	"testing"
)

// TestBroken fails the write of a record that was only posted: nobody is told, and the
// log knows.
func TestBroken(t *testing.T) {
	d := newDisk()
	l, err := Open(onDisk, quiet(d))
	if err != nil {
		t.Fatal(err)
	}
	fill(t, l, 2)
	if err := l.Broken(); err != nil {
		t.Errorf("all is well: %v", err)
	}
	d.fault = fault{segmentWrite, d.ops[segmentWrite] + 1, 0}
	if err := l.Post(intent(3)); err != nil {
		t.Fatal(err)
	}
	_ = l.own("ledger.test", Own{}) // waits until the one before it is done with
	if err := l.Broken(); !errors.Is(err, ErrBroken) {
		t.Errorf("after a write that failed: %v", err)
	}
	_ = l.Close()
	if _, err := l.Append(context.Background(), intent(4)); err == nil {
		t.Error("it goes on")
	}
	// To be closed is none of that.
	l, err = Open(onDisk, quiet(newDisk()))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil || l.Broken() != nil {
		t.Errorf("closed: %v, %v", err, l.Broken())
	}
}

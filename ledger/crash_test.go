package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

const (
	onDisk = "/d/ledger"
	copied = "/elsewhere/copy"
)

// deed is what a run recorded and was told is durable.
type deed struct {
	seq  uint64
	path string
}

// story is a run of a ledger with everything in it: it is made, written to,
// rotated, packed, dropped from, closed, and opened again. It returns what was
// acknowledged, also where something failed.
func story(d *disk, o Options, pairs int) (done []deed, err error) {
	o.layer = d
	o.KeepSegments = 1
	o.Copies = []string{copied}
	for run := range 2 {
		l, err := Open(onDisk, o)
		if err != nil {
			return done, err
		}
		for i := range pairs {
			e := intent(1000*run + i)
			seq, err := l.Append(context.Background(), e)
			if err == nil {
				done = append(done, deed{seq, e.Path})
				_, err = l.Append(context.Background(), outcome(seq))
			}
			if err == nil && i%4 == 3 {
				err = l.tidy()
			}
			if err != nil {
				if !errors.Is(err, ErrBroken) {
					return done, fmt.Errorf("not ErrBroken: %w", err)
				}
				if _, again := l.Append(context.Background(), e); !errors.Is(again, ErrBroken) {
					return done, fmt.Errorf("a broken log goes on: %w", again)
				}
				return done, errors.Join(err, l.Close())
			}
		}
		if err := l.Close(); err != nil {
			return done, err
		}
	}
	return done, nil
}

// survives opens what is left of a ledger and looks for everything that was
// acknowledged. It returns what is wrong.
func survives(d *disk, done []deed) error {
	ctx := context.Background()
	key := d.pub(onDisk)
	before := d.kill() // Verify changes nothing, but Open would
	if len(done) > 0 {
		r, err := Verify(ctx, onDisk, VerifyOptions{Key: key, layer: before})
		if err != nil {
			return fmt.Errorf("verify before it is opened: %w", err)
		}
		if !r.Intact() {
			return fmt.Errorf("verify before it is opened: %v", r.Findings[0])
		}
	}
	o := quiet(d)
	o.Copies = []string{copied}
	l, err := Open(onDisk, o)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if key != "" && len(done) > 0 && l.VerifierKey() != key {
		return errors.New("the key is another one")
	}
	if _, err := l.Append(ctx, intent(1)); err != nil {
		return err
	}
	if err := l.Close(); err != nil {
		return err
	}
	opts := VerifyOptions{Key: l.VerifierKey(), layer: d}
	opts.Checkpoints = map[string][]byte{"copy": d.names[copied].data}
	r, err := Verify(ctx, onDisk, opts)
	if err != nil {
		return err
	}
	if !r.Intact() {
		return fmt.Errorf("verify: %v", r.Findings[0])
	}
	there := map[deed]bool{}
	c := openCursor(d, onDisk, r.First)
	for {
		rec, err := c.Next()
		if err != nil {
			break
		}
		there[deed{rec.Seq, rec.Path}] = true
	}
	for _, a := range done {
		if a.seq >= r.First && !there[a] {
			return fmt.Errorf("record %d was acknowledged and is gone", a.seq)
		}
	}
	return nil
}

// storyPairs is enough for a segment to be dropped.
const storyPairs = 7

// exhaustive is everything instead of a sample, which takes a minute.
var exhaustive = os.Getenv("TIGHTSHIP_E2E") != ""

// faults are the operations of a story that are made to fail: of each kind the
// first, the last and some between, or all of them.
func faults(whole *disk) (all []fault) {
	for _, kind := range slices.Sorted(maps.Keys(whole.ops)) {
		n := whole.ops[kind]
		parts := []int{0}
		if strings.HasPrefix(kind, "write ") {
			parts = []int{0, 100, 1 << 20}
		}
		for nth := 1; nth <= n; nth++ {
			if !exhaustive && nth > 1 && nth < n && nth%8 != 0 {
				continue
			}
			for _, torn := range parts {
				all = append(all, fault{kind, nth, torn})
			}
		}
	}
	return all
}

// Whatever write, sync, rename or removal fails, and however little of it reaches
// the disk: nothing that was acknowledged is lost, and the ledger opens and
// verifies again.
func TestFaults(t *testing.T) {
	t.Parallel()
	whole := newDisk()
	if _, err := story(whole, quiet(nil), storyPairs); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{
		"create " + plain, segmentWrite, "sync " + plain, "remove " + plain, "write " + packed + tmp, "rename " + packed + tmp, "remove " + packed,
		"write " + started + tmp, "rename " + started + tmp, "remove " + started, "write checkpoint.tmp", "rename checkpoint.tmp", "sync checkpoint.tmp",
		"write ledger.key.tmp", "rename ledger.key.tmp", "write copy", "sync copy", "sync ledger", "sync elsewhere",
	} {
		if whole.ops[kind] == 0 {
			t.Errorf("there is no %q: does the story still have everything in it?", kind)
		}
	}
	if whole.names[join(onDisk, segmentName(0, started))] != nil {
		t.Fatal("nothing was dropped")
	}
	for _, f := range faults(whole) {
		d := newDisk()
		d.fault = f
		done, err := story(d, quiet(nil), storyPairs)
		if err == nil && d.failed {
			t.Fatalf("%v failed and nobody noticed", f)
		}
		for name, after := range map[string]*disk{"power loss": d.crash(), "kill": d.kill()} {
			if f.torn == 100 && name == "power loss" {
				continue // what was cut is the same, and what was not is on the disk
			}
			if err := survives(after, done); err != nil {
				t.Errorf("%v, %s: %v", f, name, err)
			}
		}
	}
}

// A write is cut after each of its bytes, or after some and around its ends.
func TestTornWrite(t *testing.T) {
	t.Parallel()
	d := newDisk()
	l, err := Open(onDisk, quiet(d))
	if err != nil {
		t.Fatal(err)
	}
	fill(t, l, 2)
	at, before := d.ops[segmentWrite]+1, len(d.bytes(segmentName(0, plain)))
	add(t, l, intent(3))
	long := len(d.bytes(segmentName(0, plain))) - before
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// The line may come out a few digits longer or shorter the next time.
	for torn := range long + 10 {
		if !exhaustive && torn > 1 && torn < long-10 && torn%12 != 0 {
			continue
		}
		d := newDisk()
		l, err := Open(onDisk, quiet(d))
		if err != nil {
			t.Fatal(err)
		}
		fill(t, l, 2)
		d.fault = fault{segmentWrite, at, torn}
		if _, err := l.Append(context.Background(), intent(3)); !errors.Is(err, ErrBroken) {
			t.Fatalf("after %d bytes: %v", torn, err)
		}
		_ = l.Close()
		after := d.crash()
		if err := survives(after, []deed{{1, intent(0).Path}, {3, intent(1).Path}}); err != nil {
			t.Errorf("after %d bytes: %v", torn, err)
		}
		if torn > 0 && torn < long-10 {
			wantTorn(t, after, int64(torn))
		}
	}
}

// wantTorn looks for the record that says what was cut off.
func wantTorn(t *testing.T, d *disk, torn int64) {
	t.Helper()
	c := openCursor(d, onDisk, 0)
	for {
		r, err := c.Next()
		if err != nil {
			t.Errorf("no record says that %d bytes were cut off", torn)
			return
		}
		if r.Event == eventOpened && r.Torn == torn {
			return
		}
	}
}

// Power fails at any moment: nothing that was acknowledged is lost. Without the
// sync it would be, and this test must notice that.
func TestPowerLoss(t *testing.T) {
	for _, row := range []struct {
		name     string
		noSync   bool
		survives bool
	}{
		{"as it is", false, true},
		{"with the sync taken out", true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDisk()
			l, err := Open(onDisk, quiet(d))
			if err != nil {
				t.Fatal(err)
			}
			d.mu.Lock()
			d.noSync = row.noSync
			d.mu.Unlock()
			lost := 0
			var done []deed
			for i := range 20 {
				e := intent(i)
				done = append(done, deed{add(t, l, e), e.Path})
				if err := survives(d.crash(), done); err != nil {
					lost++
				}
			}
			_ = l.Close()
			if row.survives && lost > 0 {
				t.Errorf("%d of 20 times something was lost", lost)
			}
			if !row.survives && lost == 0 {
				t.Error("nothing was lost: this test would not see a missing sync")
			}
		})
	}
}

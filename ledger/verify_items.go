package ledger

import (
	"crypto/sha256"
	"errors"
	"io"
	"iter"
	"runtime"

	"golang.org/x/mod/sumdb/tlog"
)

// items reads a segment's lines ahead of whoever follows the chain. To hash them is
// most of the work and needs no order, so that each block of them is a goroutine's;
// there are only so many blocks, and each is used again.
type items struct {
	name    string
	covered uint64
	order   chan *block // in the order of the file
	free    chan *block
	stopped chan struct{}
	err     error // why there are no more; counts once order is closed
}

type block struct {
	data  []byte // the lines, each behind the zero byte that a leaf's hash begins with
	items []item
	ready chan struct{}
}

// blockBytes is how much a goroutine hashes: enough that waking another processor for
// it, which takes long in a virtual machine, is nothing.
const blockBytes = 512 << 10

// readItems begins to read. Whoever calls it calls stop.
func readItems(in *lines, name string, covered uint64) *items {
	// One is read, one is followed and one was just followed; the others are hashed.
	n := 3 + min(runtime.GOMAXPROCS(0), 8)
	s := &items{name: name, covered: covered, order: make(chan *block, n), free: make(chan *block, n), stopped: make(chan struct{})}
	for range n {
		s.free <- &block{ready: make(chan struct{}, 1)}
	}
	go s.read(in)
	return s
}

func (s *items) read(in *lines) {
	defer close(s.order)
	for s.err == nil {
		var b *block
		select {
		case b = <-s.free:
		case <-s.stopped:
			return
		}
		b.data, b.items = b.data[:0], b.items[:0]
		for len(b.data) < blockBytes {
			line, err := in.next()
			if err != nil && !errors.Is(err, errLong) {
				s.err = err
				break
			}
			b.items = append(b.items, item{file: s.name, line: in.line, ok: err == nil, from: len(b.data)})
			if err == nil {
				b.data = append(append(b.data, 0), line...)
			} else {
				b.data = append(b.data, 0)
			}
		}
		if len(b.items) > 0 {
			s.order <- b // has room for all
			go b.look(s.covered)
		}
	}
}

// look reads and hashes the lines of a block.
func (b *block) look(covered uint64) {
	to := len(b.data)
	for i := len(b.items) - 1; i >= 0; i-- {
		it := &b.items[i]
		leaf := b.data[it.from:to]
		to = it.from
		if it.ok {
			it.size = len(leaf)
			it.look(leaf, covered)
		}
	}
	b.ready <- struct{}{}
}

// look reads a line. What no checkpoint covers is read in full: nothing but its
// form shows yet that it is a record.
func (it *item) look(leaf []byte, covered uint64) {
	line := leaf[1:]
	it.hash = tlog.Hash(sha256.Sum256(leaf))
	if it.ok = it.head.scan(line); !it.ok {
		return
	}
	if it.kind == Event || it.seq >= covered {
		r, err := ParseRecord(line)
		it.ok = err == nil
		if err == nil && it.kind == Event {
			it.own = &r
		}
	}
}

// all yields the items in order. Each stays as it is until the one after the next.
func (s *items) all() iter.Seq[*item] {
	return func(yield func(*item) bool) {
		var before *block
		for b := range s.order {
			<-b.ready
			for i := range b.items {
				if !yield(&b.items[i]) {
					return
				}
				if i == 0 && before != nil {
					s.free <- before
				}
			}
			before = b
		}
	}
}

// stop ends the reading, if that has not come to its end, and waits for that.
func (s *items) stop() {
	close(s.stopped)
	for b := range s.order {
		<-b.ready
	}
}

// failed is what kept the file from being read to its end, once all is over.
func (s *items) failed() error {
	if errors.Is(s.err, io.EOF) {
		return nil
	}
	return s.err
}

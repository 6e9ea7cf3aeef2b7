package ledger

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Open opens the ledger in dir, which is made where it is not there, for writing.
//
// After a crash a torn last line is cut off, which the next record says, and what
// is whole is written anew and synced before anything is added to it. A ledger
// whose newest segment or checkpoint is not as it was written is left alone, with
// ErrTampered. The error is ErrInUse while another process has it open, and wraps
// ErrKey where the key is the matter.
func Open(dir string, o Options) (*Log, error) {
	dir = filepath.Clean(dir)
	o, err := o.withDefaults(dir)
	if err != nil {
		return nil, err
	}
	l := &Log{
		dir: dir, o: o, files: o.layer, pending: newBatch(), intents: map[uint64]struct{}{},
		wake: make(chan struct{}, 1), kick: make(chan struct{}, 1),
		stopWork: make(chan struct{}), stopKeep: make(chan struct{}), workDone: make(chan struct{}), keepDone: make(chan struct{}),
	}
	if err := l.files.mkdir(dir); err != nil {
		return nil, err
	}
	if l.unlock, err = l.files.lock(join(dir, lockName)); err != nil {
		return nil, err
	}
	if err := l.start(); err != nil {
		if l.out != nil {
			err = errors.Join(err, l.out.Close())
		}
		return nil, errors.Join(err, l.unlock.Close())
	}
	return l, nil
}

func (l *Log) start() error {
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails
	l.run, l.began = hex.EncodeToString(id), time.Now()

	ls, err := list(l.files, l.dir)
	if err != nil {
		return err
	}
	if l.signer, l.vkey, err = loadKey(l.files, l.o.KeyFile); errors.Is(err, fs.ErrNotExist) && len(ls.segments) == 0 {
		if err = l.found(); err == nil {
			ls, err = list(l.files, l.dir)
		}
	}
	if err != nil {
		return err
	}
	key, err := note.NewVerifier(l.vkey)
	if err != nil {
		return err
	}
	opened := Own{Boot: bootID()}
	event := eventOpened
	if err := l.sweep(&ls); err != nil {
		return err
	}
	if opened.Torn, err = l.recover(ls, key); err != nil {
		return err
	}
	if l.durable.n == 0 {
		event, opened.Key = eventCreated, l.vkey
	}
	if err := l.mendCopies(); err != nil {
		return err
	}
	l.next, l.prev = l.durable.n, l.durable.prev

	go l.work()
	if err = l.own(event, opened); err == nil {
		err = l.tidy()
	}
	go l.keep()
	if err != nil {
		return errors.Join(err, l.stop())
	}
	return nil
}

// found makes the key of a new ledger, and its first checkpoint. The key comes
// last: where it is, there is a checkpoint, or somebody has removed it.
func (l *Log) found() (err error) {
	skey, err := newKey()
	if err != nil {
		return err
	}
	if l.signer, l.vkey, err = parseKey(skey); err != nil {
		return err
	}
	c, err := signNote(l.signer, &tree{})
	if err != nil {
		return err
	}
	if err := l.files.mkdir(filepath.Dir(l.o.KeyFile)); err != nil {
		return err
	}
	for _, f := range []struct {
		path, text string
		perm       fs.FileMode
	}{
		{join(l.dir, checkpointName), string(c.Note), 0o600},
		{l.o.KeyFile + ".pub", l.vkey + "\n", 0o644},
		{l.o.KeyFile, skey + "\n", 0o600},
	} {
		if err := replace(l.files, f.path, []byte(f.text), f.perm); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes what a crash left half done.
func (l *Log) sweep(ls *listing) error {
	var gone []string
	gone = append(gone, ls.tmps...)
	for i, s := range ls.segments {
		if s.plain && s.packed {
			// The plain one is whole, and is packed again.
			gone = append(gone, segmentName(s.first, packed))
			ls.segments[i].packed = false
		}
	}
	for _, name := range gone {
		if err := l.files.remove(join(l.dir, name)); err != nil {
			return err
		}
	}
	// The start that a dropped segment left behind, or one whose segment was never begun.
	for len(ls.segments) > 1 && !ls.segments[0].plain && !ls.segments[0].packed {
		if err := l.files.remove(join(l.dir, segmentName(ls.segments[0].first, started))); err != nil {
			return err
		}
		ls.segments = ls.segments[1:]
	}
	if len(gone) == 0 {
		return nil
	}
	return l.files.syncDir(l.dir)
}

// recover finds the end of the chain and opens the newest segment.
func (l *Log) recover(ls listing, key note.Verifier) (torn int64, err error) {
	data, err := readAll(l.files, join(l.dir, checkpointName), maxNote)
	if err != nil {
		return 0, fmt.Errorf("%w: the checkpoint cannot be read: %w", ErrTampered, err)
	}
	c, err := openOwnCheckpoint(data, key)
	if err != nil {
		return 0, fmt.Errorf("%w: the checkpoint: %w", ErrTampered, err)
	}
	l.checkpoint = c.Size
	for _, s := range ls.segments {
		l.segments = append(l.segments, s.first)
	}
	if len(ls.segments) == 0 {
		if c.Size > 0 {
			return 0, fmt.Errorf("%w: the checkpoint is for %d records, and there are none", ErrTampered, c.Size)
		}
		l.segments = []uint64{0}
		return 0, l.begin(&l.durable)
	}
	last := ls.segments[len(ls.segments)-1]
	name := segmentName(last.first, plain)
	data, err = readAll(l.files, join(l.dir, segmentName(last.first, started)), maxNote)
	if err != nil {
		return 0, fmt.Errorf("%w: the start of the newest segment cannot be read: %w", ErrTampered, err)
	}
	st, err := openStart(data, key)
	if err != nil || st.n != last.first {
		return 0, fmt.Errorf("%w: the start of segment %d: %w", ErrTampered, last.first, errors.Join(err, errNote))
	}
	if !last.plain {
		if last.packed {
			return 0, fmt.Errorf("%w: the newest segment is missing", ErrTampered)
		}
		l.durable = *st
		return 0, errors.Join(l.missing(c), l.begin(st))
	}
	whole, torn, clean, err := l.replay(name, st, c)
	if err != nil {
		return 0, err
	}
	l.durable = *st
	if err := l.missing(c); err != nil {
		return 0, err
	}
	path := join(l.dir, name)
	if !clean {
		// Pages whose sync failed may be gone although they can be read: only what
		// is written again and synced is known to be there.
		if err := rewrite(l.files, path, whole); err != nil {
			return 0, err
		}
	}
	l.size = whole
	l.out, err = l.files.open(path, os.O_APPEND|os.O_WRONLY, 0o600)
	return torn, err
}

func (l *Log) missing(c Checkpoint) error {
	if c.Size > l.durable.n {
		return fmt.Errorf("%w: the checkpoint is for %d records, and there are %d", ErrTampered, c.Size, l.durable.n)
	}
	return nil
}

// replay follows the newest segment from its start to its end. It returns how many
// bytes are whole lines, how many are not, and whether the log was closed.
func (l *Log) replay(name string, st *state, c Checkpoint) (whole, torn int64, clean bool, err error) {
	f, err := l.files.open(join(l.dir, name), os.O_RDONLY, 0)
	if err != nil {
		return 0, 0, false, err
	}
	defer f.Close()
	in := newLines(f)
	var last []byte
	bad := false // from here on it is not known that anything was durable
	for {
		line, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, errLong) {
			return 0, 0, false, err
		}
		h, ok := scanHead(line)
		if bad {
			if ok && h.seq > st.n {
				return 0, 0, false, fmt.Errorf("%w: %s line %d is no record, and records follow; `tightship ledger verify` says more", ErrTampered, name, in.line)
			}
			torn += int64(len(line)) + 1
			continue
		}
		if ok && (h.seq != st.n || string(h.prev[:]) != hex.EncodeToString(st.prev[:])) {
			return 0, 0, false, fmt.Errorf("%w: %s line %d does not follow from the record before; `tightship ledger verify` says more", ErrTampered, name, in.line)
		}
		if _, perr := ParseRecord(line); perr != nil {
			bad = true
			torn += int64(len(line)) + 1
			continue
		}
		whole += int64(len(line)) + 1
		last = append(last[:0], line...)
		st.prev = in.hash()
		st.push(st.prev, nil)
		if st.n == c.Size && st.root() != c.Root {
			return 0, 0, false, fmt.Errorf("%w: %s up to line %d is not what the checkpoint was signed for", ErrTampered, name, in.line)
		}
	}
	torn += int64(in.rest())
	if len(last) > 0 {
		r, err := ParseRecord(last)
		clean = err == nil && r.Event == eventClosed && torn == 0
	}
	return whole, torn, clean, nil
}

// rewrite makes a file's first bytes durable, and drops the rest.
func rewrite(files layer, path string, whole int64) error {
	in, err := files.open(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := files.open(path+tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.CopyN(out, in, whole)
	if err == nil {
		err = out.Sync()
	}
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	if err := files.rename(path+tmp, path); err != nil {
		return err
	}
	return files.syncDir(filepath.Dir(path))
}

// mendCopies ends a checkpoint that a crash left half written, so that the next
// one begins on a line of its own.
func (l *Log) mendCopies() error {
	for _, path := range l.o.Copies {
		data, err := readAll(l.files, path, maxCopies)
		if errors.Is(err, fs.ErrNotExist) || err == nil && (len(data) == 0 || bytes.HasSuffix(data, []byte("\n"))) {
			continue
		}
		if err != nil {
			return err
		}
		if err := appendTo(l.files, path, []byte("\n")); err != nil {
			return err
		}
	}
	return nil
}

// maxCopies is how long a file of copied checkpoints may be.
const maxCopies = 256 << 20

// bootID names this boot of the machine, "" where the kernel does not say.
func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}

package ledger

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// keep is the keeper.
func (l *Log) keep() {
	defer close(l.keepDone)
	tick := time.NewTicker(l.o.CheckpointInterval)
	defer tick.Stop()
	for {
		select {
		case <-l.kick:
		case <-tick.C:
		case <-l.stopKeep:
			return
		}
		if err := l.tidy(); err != nil {
			return
		}
	}
}

// tidy does everything that is due. That one of its writes fails breaks the log as
// well: the disk that failed is the one that the records go to.
func (l *Log) tidy() error {
	l.keeping.Lock()
	defer l.keeping.Unlock()
	for {
		err := l.writeCheckpoint()
		did := false
		if err == nil {
			did, err = l.packOne()
		}
		if err == nil && !did {
			did, err = l.dropOld()
		}
		switch {
		case errors.Is(err, ErrBroken) || errors.Is(err, ErrClosed):
			return err
		case err != nil:
			return l.fail(err)
		case !did:
			return nil
		}
	}
}

// writeCheckpoint signs what is durable, if it is more than the last time.
func (l *Log) writeCheckpoint() error {
	l.mu.Lock()
	t, last := l.durable.tree, l.checkpoint
	l.mu.Unlock()
	if t.n == last {
		return nil
	}
	c, err := signNote(l.signer, &t)
	if err != nil {
		return err
	}
	if err := replace(l.files, join(l.dir, checkpointName), c.Note, 0o600); err != nil {
		return err
	}
	if err := l.copyOut(c.Note); err != nil {
		return err
	}
	l.mu.Lock()
	l.checkpoint = t.n
	l.mu.Unlock()
	return nil
}

// copyOut appends to the copies.
func (l *Log) copyOut(data []byte) error {
	for _, path := range l.o.Copies {
		if err := appendTo(l.files, path, data); err != nil {
			return err
		}
	}
	return nil
}

func appendTo(files layer, path string, data []byte) error {
	f, err := files.open(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return files.syncDir(filepath.Dir(path))
}

// packOne compresses the oldest segment that is full and not yet compressed. The
// packed file's hash is recorded before it takes the other's place, since a
// compressed stream can be changed without changing what comes out of it.
func (l *Log) packOne() (bool, error) {
	ls, err := list(l.files, l.dir)
	if err != nil {
		return false, err
	}
	l.mu.Lock()
	current := l.segments[len(l.segments)-1]
	l.mu.Unlock()
	for _, s := range ls.segments {
		if s.first >= current || !s.plain {
			continue
		}
		from, to := join(l.dir, segmentName(s.first, plain)), join(l.dir, segmentName(s.first, packed))
		digest, err := pack(l.files, from, to+tmp)
		if err != nil {
			return false, err
		}
		if err := l.own(eventPacked, Own{Segment: s.first, Digest: digest}); err != nil {
			return false, errors.Join(err, l.files.remove(to+tmp))
		}
		if err := l.files.rename(to+tmp, to); err != nil {
			return false, err
		}
		if err := l.files.syncDir(l.dir); err != nil {
			return false, err
		}
		if err := l.files.remove(from); err != nil {
			return false, err
		}
		return true, l.files.syncDir(l.dir)
	}
	return false, nil
}

func pack(files layer, from, to string) (digest string, err error) {
	in, err := files.open(from, os.O_RDONLY, 0)
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := files.open(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	z := gzip.NewWriter(io.MultiWriter(out, h))
	_, err = io.Copy(z, in)
	if err == nil {
		err = z.Close()
	}
	if err == nil {
		err = out.Sync()
	}
	return hex.EncodeToString(h.Sum(nil)), errors.Join(err, out.Close())
}

// dropOld drops the oldest segments, if there are more than are to stay. First it
// is recorded that they may be missing; then they go, the oldest first.
func (l *Log) dropOld() (bool, error) {
	l.mu.Lock()
	first := 0
	if l.o.KeepSegments > 0 {
		first = max(0, len(l.segments)-1-l.o.KeepSegments)
	}
	gone, kept := l.segments[:first], l.segments[first]
	l.mu.Unlock()
	if len(gone) == 0 {
		return false, nil
	}
	if err := l.own(eventDropped, Own{Segment: kept}); err != nil {
		return false, err
	}
	// The record is signed before what it speaks of is gone.
	if err := l.writeCheckpoint(); err != nil {
		return false, err
	}
	for _, s := range gone {
		for _, ext := range []string{plain, packed, started} {
			if err := l.files.remove(join(l.dir, segmentName(s, ext))); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return false, err
			}
		}
		if err := l.files.syncDir(l.dir); err != nil {
			return false, err
		}
	}
	l.mu.Lock()
	l.segments = l.segments[first:]
	l.mu.Unlock()
	return true, nil
}

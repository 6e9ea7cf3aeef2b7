package ledger

import (
	"errors"
)

// Close waits for what is being recorded, records that the log was closed, and
// writes a checkpoint that covers everything. It returns what broke the log, if
// something did.
func (l *Log) Close() error {
	l.closed.Do(func() {
		err := l.stop()
		if err == nil {
			if err = l.farewell(); err != nil {
				err = l.fail(err)
			}
		}
		l.closeErr = errors.Join(err, l.out.Close(), l.unlock.Close())
	})
	return l.closeErr
}

// stop ends both goroutines, and returns what broke the log.
func (l *Log) stop() error {
	l.mu.Lock()
	if l.err == nil {
		l.err = ErrClosed
	}
	l.mu.Unlock()
	close(l.stopKeep)
	close(l.stopWork)
	<-l.workDone // first: the keeper may wait for a record
	<-l.keepDone
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(l.err, ErrClosed) {
		return nil
	}
	return l.err
}

// farewell writes the last record and its checkpoint. The checkpoint is on the disk
// before the record is, under its temporary name: a ledger whose last record says
// that it was closed has its checkpoint, or somebody has taken it.
func (l *Log) farewell() error {
	r := Record{Entry: Entry{Kind: Event, Event: eventClosed}}
	line, hash := l.line(nil, &r, appendRest(nil, &r))
	t := l.durable.tree
	t.push(hash, nil)
	c, err := signNote(l.signer, &t)
	if err != nil {
		return err
	}
	path := join(l.dir, checkpointName)
	if err := create(l.files, path+tmp, c.Note, 0o600); err != nil {
		return err
	}
	if err := l.files.syncDir(l.dir); err != nil {
		return err
	}
	if err := l.write(append(line, '\n')); err != nil {
		return err
	}
	if err := l.files.rename(path+tmp, path); err != nil {
		return err
	}
	if err := l.files.syncDir(l.dir); err != nil {
		return err
	}
	return l.copyOut(c.Note)
}

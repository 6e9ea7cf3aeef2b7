package ledger

import "errors"

// Broken is why nothing is recorded any more, which wraps ErrBroken, and nil while the
// log is well. It knows of a failed checkpoint, and of a record that was only posted,
// before anybody appends again.
func (l *Log) Broken() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(l.err, ErrBroken) {
		return l.err
	}
	return nil
}

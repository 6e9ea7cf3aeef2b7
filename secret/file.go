package secret

import (
	"context"
	"fmt"
	"time"
)

// fileSource is a file, which is read again when it changes.
type fileSource struct{ path string }

func openFile(rest string, o Options) (Source, error) {
	path, err := o.place(rest)
	if err != nil {
		return nil, err
	}
	return &fileSource{path}, nil
}

func (s *fileSource) Fetch(context.Context) (*Value, time.Time, error) {
	f, _, err := openPrivate(s.path)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	v, err := fill(f)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("%s: %w", s.path, err)
	}
	return v, time.Time{}, nil
}

func (s *fileSource) stamp() string { return stampOf(s.path) }

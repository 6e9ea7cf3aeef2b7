package docker

import (
	"errors"
	"fmt"
)

// hinted is an error with what to do about it, which the command line shows.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// Hint is what to do about the error, in one line.
func (h hinted) Hint() string { return h.hint }

func hintedf(hint, format string, args ...any) error {
	return hinted{fmt.Errorf(format, args...), hint}
}

func hasHint(err error) bool { return errors.As(err, new(hinted)) }

package docker

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
)

// errInput marks what we refuse before the engine is asked.
var errInput = engine.ErrInput

// errSource marks a failure of the reader that CopyTo was given, errWait what
// the engine says in an answer that is otherwise in order, errNotStarted an exec
// whose process never ran.
var (
	errSource     = errors.New("content cannot be read")
	errWait       = errors.New("engine could not wait")
	errNotStarted = errors.New("process could not be started")
)

// The client library joins names into the path of a request as they are: one
// with a slash or dots would reach another route.
var (
	nameRE = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)
	refRE  = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_./:@+-]*$`)
	idRE   = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

func checkName(name string, notFound error) error {
	if !nameRE.MatchString(name) {
		return fmt.Errorf("docker: %w: %q is no name", notFound, text.OneLine(name))
	}
	return nil
}

func checkRef(ref string) error {
	if !refRE.MatchString(ref) || strings.Contains(ref, "..") || strings.Contains(ref, "//") {
		return fmt.Errorf("docker: %w: %q is no image reference", engine.ErrNoImage, text.OneLine(ref))
	}
	return nil
}

// checkID looks at an ID the engine gave us; it goes back into paths.
func checkID(id string) error {
	if !idRE.MatchString(id) {
		return fmt.Errorf("%w: %q is no ID", engine.ErrBadAnswer, text.OneLine(id))
	}
	return nil
}

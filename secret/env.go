package secret

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// envSource is a variable. It never changes while the process runs, so there is
// nothing to watch, and fetching it again gives the same.
type envSource struct {
	name string
	look func(string) (string, bool) // nil for the process's own environment
}

func openEnv(rest string, o Options) (Source, error) {
	name := rest
	if name == "" {
		name = strings.ToUpper(strings.Map(func(r rune) rune {
			if r == '-' || r == '.' {
				return '_'
			}
			return r
		}, o.Name))
	}
	if !variable.MatchString(name) {
		return nil, fmt.Errorf("%w: want env:NAME, NAME being a variable's name: letters, digits and _", ErrReference)
	}
	return &envSource{name, o.LookupEnv}, nil
}

func (s *envSource) Fetch(context.Context) (*Value, time.Time, error) {
	v, err := s.fetch()
	return v, time.Time{}, err
}

func (s *envSource) fetch() (*Value, error) {
	if s.look == nil {
		return taken.take(s.name)
	}
	text, ok := s.look(s.name)
	return fromEnv(s.name, text, ok)
}

func fromEnv(name, text string, ok bool) (*Value, error) {
	if !ok {
		return nil, fmt.Errorf("%w: the variable %s is not set", ErrMissing, name)
	}
	v, err := New([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("the variable %s: %w", name, err)
	}
	return v, nil
}

// taken are the variables that were removed from this process's environment. They
// are the process's, not a source's: two credentials may come from one variable,
// and a source may be opened again when the policy changes.
var taken variables

type variables struct {
	mu sync.Mutex
	by map[string]*Value
}

func (t *variables) take(name string) (*Value, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := t.by[name]
	if v == nil {
		text, ok := os.LookupEnv(name)
		var err error
		if v, err = fromEnv(name, text, ok); err != nil {
			return nil, err
		}
		os.Unsetenv(name)
		if t.by == nil {
			t.by = map[string]*Value{}
		}
		t.by[name] = v
	}
	var again *Value
	var err error
	if used := v.Use(func(b []byte) { again, err = New(append([]byte(nil), b...)) }); used != nil {
		return nil, used
	}
	return again, err
}

package mutate

import (
	"context"
	"errors"
	"testing"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/spec"
)

// elsewhere is an engine on another host that derives nothing.
type elsewhere struct{ engine.Engine }

func (elsewhere) Info(context.Context) (engine.Info, error) { return engine.Info{}, nil }

// unable derives from no image.
type unable struct{ elsewhere }

func (unable) Derive(context.Context, string, spec.ImageChange, map[string]string) (string, error) {
	return "", engine.ErrNoDerive
}
func (unable) RemoveImage(context.Context, string) error { return nil }

// What an engine cannot have is not demonstrable there, and never an error that
// looks like one of the tests'.
func TestNotDemonstrable(t *testing.T) {
	for name, row := range map[string]struct {
		m   Mutation
		eng engine.Engine
	}{
		"about this host":         {Mutation{Local: true}, elsewhere{}},
		"a socket":                {Mutation{Socket: true}, elsewhere{}},
		"an image":                {Mutation{Image: &spec.ImageChange{}}, elsewhere{}},
		"an image of another one": {Mutation{Image: &spec.ImageChange{}}, unable{}},
	} {
		row.m.Apply = func(*spec.Container) {}
		if _, err := row.m.Ready(t.Context(), row.eng, "i", nil); !errors.Is(err, ErrNotDemonstrable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

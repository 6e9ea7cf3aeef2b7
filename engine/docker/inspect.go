package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
)

// Inspect returns a container's state and settings.
func (e *Engine) Inspect(ctx context.Context, id string) (engine.State, error) {
	if err := checkName(id, engine.ErrNoContainer); err != nil {
		return engine.State{}, err
	}
	var in container.InspectResponse
	var record []byte
	err := e.do(ctx, "inspect", engine.ErrNoContainer, func(ctx context.Context) error {
		r, err := e.cli.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
		in, record = r.Container, r.Raw
		if err != nil {
			return err
		}
		return plausible(in, id)
	})
	if err != nil {
		return engine.State{}, err
	}
	out := engine.State{
		ID:        in.ID,
		Name:      strings.TrimPrefix(in.Name, "/"),
		Image:     in.Image,
		Record:    record,
		Running:   in.State.Running,
		ExitCode:  in.State.ExitCode,
		OOMKilled: in.State.OOMKilled,
		Error:     text.OneLine(in.State.Error),
		Declared:  declared(in, e.podman),
		Other:     others(in),
	}
	if e.podman {
		e.podmanDeclared(&out, in)
	}
	if in.State.Running {
		out.PID = in.State.Pid
	}
	if w, ok := e.warnings.Load(in.ID); ok {
		for _, warning := range w.([]string) {
			out.Other = append(out.Other, "engine warned: "+text.OneLine(warning))
		}
	}
	slices.Sort(out.Other)
	return out, nil
}

// plausible refuses an answer in which something is missing that would
// otherwise read as a zero value, or that is about another container.
func plausible(in container.InspectResponse, asked string) error {
	if err := checkID(in.ID); err != nil {
		return err
	}
	switch {
	case idRE.MatchString(asked) && in.ID != asked:
		return fmt.Errorf("%w: it is about another container", engine.ErrBadAnswer)
	case in.State == nil || in.Config == nil || in.HostConfig == nil:
		return fmt.Errorf("%w: state or settings are missing", engine.ErrBadAnswer)
	case in.State.Running && in.State.Pid < 0:
		return fmt.Errorf("%w: process number %d", engine.ErrBadAnswer, in.State.Pid)
	}
	return nil
}

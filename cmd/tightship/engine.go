package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/engine/docker"
	"github.com/tightship-dev/tightship/engine/oci"
	"github.com/tightship-dev/tightship/policy"
)

// The engines by name.
const (
	dockerEngine = "docker"
	ociEngine    = "oci"
)

// openEngine is the real app.newEngine.
func openEngine(ctx context.Context, name string) (engine.Engine, error) {
	if name == dockerEngine {
		return docker.New(ctx, docker.Options{}) // DOCKER_HOST names another host
	}
	beside := ""
	if self, err := os.Executable(); err == nil {
		if self, err = filepath.EvalSymlinks(self); err == nil {
			beside = filepath.Dir(self)
		}
	}
	return oci.New(ctx, oci.Options{Beside: beside})
}

// engineFlag adds --engine to a command.
func engineFlag(c *cobra.Command, name *string, usage string) {
	c.Flags().StringVar(name, "engine", "", usage)
	complete(c, "engine", dockerEngine, ociEngine)
}

func checkEngine(name string) error {
	switch name {
	case "", dockerEngine, ociEngine:
		return nil
	}
	return withHint(fmt.Errorf("there is no engine %q", name), "the engines are %s and %s (no daemon)", dockerEngine, ociEngine)
}

// engine opens the engine that --engine names. Without the flag that is the only
// one that can read the image, else Docker where it answers, else the one that
// needs no daemon; a note says so. Whoever named an engine means Docker.
func (a *app) engine(ctx context.Context, name string, images ...string) (engine.Engine, error) {
	if err := checkEngine(name); err != nil {
		return nil, err
	}
	own := slices.IndexFunc(images, oci.IsRef)
	switch {
	case own >= 0 && name == dockerEngine:
		return nil, withHint(fmt.Errorf("%s is not for Docker to read", images[own]), "leave --engine docker out, or name an image of the engine's")
	case own >= 0:
		return a.newEngine(ctx, ociEngine)
	case name != "":
		return a.newEngine(ctx, name)
	}
	eng, err := a.newEngine(ctx, dockerEngine)
	if err == nil || docker.Named() || !errors.Is(err, engine.ErrUnreachable) && !errors.Is(err, engine.ErrPermission) {
		return eng, err
	}
	other, oerr := a.newEngine(ctx, ociEngine)
	if oerr != nil {
		return nil, err
	}
	a.ui.note("engine: oci, which needs no daemon, as Docker is not there (%v)", err)
	return other, nil
}

// engines opens every engine that there is, for what concerns all of them; with
// a name, that one.
func (a *app) engines(ctx context.Context, name string) ([]engine.Engine, error) {
	if name != "" {
		eng, err := a.engine(ctx, name)
		return []engine.Engine{eng}, err
	}
	eng, err := a.newEngine(ctx, dockerEngine)
	if err != nil && docker.Named() {
		return nil, err
	}
	other, oerr := a.newEngine(ctx, ociEngine)
	switch {
	case err == nil && oerr == nil:
		return []engine.Engine{eng, other}, nil
	case err == nil:
		return []engine.Engine{eng}, nil
	case oerr == nil:
		return []engine.Engine{other}, nil
	}
	return nil, err
}

// rootfsImage is the image that --rootfs means.
func rootfsImage(rootfs string, args []string) (string, error) {
	switch {
	case rootfs != "host":
		return "", withHint(fmt.Errorf("--rootfs %q is not known", rootfs), "`--rootfs host` takes this machine's system folders; a directory is the image dir:PATH")
	case len(args) > 0:
		return "", withHint(errors.New("--rootfs and an image contradict each other"), "leave one of them out")
	}
	return oci.HostRootfs, nil
}

// settleRuntime takes the runtime that the engine without a daemon found, where
// nobody asked for one: the built-in policy's is an engine's with a daemon.
func settleRuntime(p *policy.Policy, flag string, info engine.Info) {
	if _, asked := p.Origins["runtime"]; asked || flag != "" || info.Name != ociEngine {
		return
	}
	if p.Source == "" { // with what is accepted there
		*p = *policy.DefaultFor(info.Runtime)
	}
	p.Runtime = info.Runtime
}

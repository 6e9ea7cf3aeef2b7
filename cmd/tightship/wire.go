package main

import (
	"context"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/doctor"
	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/engine/docker"
	"github.com/tightship-dev/tightship/image"
	"github.com/tightship-dev/tightship/verify"
)

// newApp is the program as it is installed.
func newApp() *app {
	return &app{
		newEngine: func(ctx context.Context) (engine.Engine, error) {
			return docker.New(ctx, docker.Options{}) // DOCKER_HOST names another host
		},
		verify:     verify.One,
		clean:      verify.Clean,
		catalogue:  check.Catalogue,
		guest:      findGuest,
		machine:    doctor.Real,
		buildImage: image.Build,
		terminal:   terminal,
	}
}

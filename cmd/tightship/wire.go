package main

import (
	"time"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/doctor"
	"github.com/tightship-dev/tightship/image"
	"github.com/tightship-dev/tightship/prove"
	"github.com/tightship-dev/tightship/verify"
)

// newApp is the program as it is installed.
func newApp() *app {
	return &app{
		newEngine:  openEngine,
		verify:     verify.One,
		prove:      prove.Run,
		clean:      verify.Clean,
		catalogue:  check.Catalogue,
		guest:      findGuest,
		machine:    doctor.Real,
		buildImage: image.Build,
		now:        time.Now,
		terminal:   terminal,
	}
}

//go:build !linux

package oci

import (
	"context"
	"fmt"
	"runtime"

	"github.com/tightship-dev/tightship/engine"
)

// New is an error: containers need a Linux kernel.
func New(context.Context, Options) (engine.Engine, error) {
	return nil, fmt.Errorf("oci: %w: containers without a daemon need Linux, and this is %s", engine.ErrUnreachable, runtime.GOOS)
}

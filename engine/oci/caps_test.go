//go:build linux

package oci

import (
	"slices"
	"testing"

	"github.com/tightship-dev/tightship/check"
)

// The same container asks for the same on every engine.
func TestDefaultCapsAreDockers(t *testing.T) {
	if !slices.Equal(defaultCaps, check.DefaultCaps) {
		t.Errorf("%v, and the checks know %v", defaultCaps, check.DefaultCaps)
	}
}

// Package oci is the engine without a daemon: it drives an OCI runtime's
// command (runc, crun, or gVisor's runsc) itself, so that a Linux kernel and
// this program are all that a machine needs.
//
// What an engine with a daemon remembers is files here, in one directory that
// nobody else may enter, as a volume may hold a setuid program:
//
//	containers/ID/   a bundle: config.json as the runtime got it, and our record
//	volumes/NAME/    a volume's content and its labels
//	images/DIGEST/   an image's root file system, unpacked once
//	runtime/NAME/    the runtime's own state
//	staging/         what is being made: it is renamed into place when complete
//
// So any process of the same user finds what another one left, however that one
// ended. A container's ID is a hash of its name, which makes names unique
// without a registry. Only containers are processes of the runtime's, and their
// standard input comes from us: when we die it ends, and so do they.
//
// A container's root file system is an overlay over the unpacked image, mounted
// in a mount namespace that only the runtime sees: it is gone with the last
// process and nothing is left to unmount. Where overlays cannot be mounted, for
// an ordinary user, runsc keeps what is written in its own memory.
//
// The settings that Inspect declares are read back from config.json, never
// remembered from what Create was given: what could not be handed to the
// runtime is then not declared either, and State.Other says why.
//
// An ordinary user runs containers with runsc only, whose own kernel has all
// user IDs; limits that only the machine's cgroups can enforce are not set
// then.
package oci

import (
	"strings"
	"time"

	"github.com/tightship-dev/tightship/engine"
)

// HostRootfs is the image reference for a root file system made of this
// machine's own system folders, bound read-only.
const HostRootfs = "rootfs:host"

// Options says where things are; the zero value is right for the program.
type Options struct {
	// Dir is the state directory; "" is /var/lib/tightship/oci for root and
	// tightship/oci in the user's cache directory for everybody else.
	Dir string
	// Beside is a directory that is searched for runtimes before PATH, "" none.
	Beside string
	// Timeout bounds a call whose context has no deadline; 0 is DefaultTimeout.
	Timeout time.Duration
}

// DefaultTimeout bounds a call whose context has no deadline. Unpacking an image
// takes most.
const DefaultTimeout = 2 * time.Minute

// ErrInput says that settings make no sense or cannot be expressed here.
var ErrInput = engine.ErrInput

// transports are the kinds of image this engine reads, named as skopeo does.
var transports = []string{"dir:", "oci:", "docker-archive:"}

// IsRef says whether an image reference is one that only this engine reads.
func IsRef(ref string) bool {
	for _, t := range transports {
		if strings.HasPrefix(ref, t) {
			return true
		}
	}
	return ref == HostRootfs
}

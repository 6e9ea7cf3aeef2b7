package check

import (
	"strings"

	"github.com/tightship-dev/tightship/probe"
)

// dialect is what one OCI runtime does differently. Each entry needs a control
// that fails when the protection is really off, or it would be a blindfold.
type dialect struct {
	// readOnlyEACCES: a read-only root refuses with EACCES where the permission
	// bits would have allowed the write. The control is those bits: where they
	// explain the refusal it counts for nothing, and a writable root lets the
	// same attempt succeed.
	readOnlyEACCES bool
}

var dialects = map[string]dialect{
	"runsc": {readOnlyEACCES: true},
}

// dialect finds the runtime's entry. Runtimes are registered under any name, most
// often with the program's in it ("io.containerd.runsc.v1").
func (in *Input) dialect() dialect {
	for name, d := range dialects {
		if strings.Contains(in.Runtime, name) {
			return d
		}
	}
	return dialect{}
}

// UserSpaceKernel says whether a runtime brings a kernel of its own. The process
// that the host sees is then the sandbox, and what the host's kernel says of it
// is not about the workload.
func UserSpaceKernel(runtime string) bool { return strings.Contains(runtime, "runsc") }

// readOnlyErrno says whether a refusal other than EROFS shows a read-only mount.
func (d dialect) readOnlyErrno(a probe.Attempt) bool {
	return d.readOnlyEACCES && a.Errno == "EACCES" && a.Bits == "allow"
}

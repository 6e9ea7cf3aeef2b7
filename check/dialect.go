package check

import "github.com/tightship-dev/tightship/probe"

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

func (in *Input) dialect() dialect { return dialects[in.Runtime] }

// readOnlyErrno says whether a refusal other than EROFS shows a read-only mount.
func (d dialect) readOnlyErrno(a probe.Attempt) bool {
	return d.readOnlyEACCES && a.Errno == "EACCES" && a.Bits == "allow"
}

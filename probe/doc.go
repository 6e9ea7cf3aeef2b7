// Package probe holds what the guest does inside a container: it attempts
// things and reports what came of them.
//
// A probe never decides. It does not know what the policy wants, it reports an
// errno and lets the host side judge. What it reports falls into three kinds,
// and keeping them apart is the point of the package:
//
//   - the attempt was made and succeeded,
//   - the attempt was made and refused, with this errno,
//   - the attempt could not be made (Observation.Error, or no attempt at all).
//
// The third kind is never evidence that something holds. Neither is a refusal
// whose control failed too: if a file cannot be created anywhere, that it
// cannot be created in /etc says nothing. So each probe also attempts what
// should be possible and marks it Control.
//
// Probes are harmless by construction: they act on what they made themselves,
// prefer an attempt that a permission check refuses before its bad argument is
// looked at (EPERM against EINVAL) to one that would succeed, open nothing
// existing for writing, send nothing off the machine, and copy no secret out.
//
// The package imports nothing of this project, and only golang.org/x/sys beyond
// the standard library: it becomes a small static binary that runs in an image
// with no shell, libc or interpreter. The wire types compile everywhere, the
// probes on Linux only.
package probe

//go:build linux && !amd64

package probe

// legacyCalls are none here.
var legacyCalls []sweptCall

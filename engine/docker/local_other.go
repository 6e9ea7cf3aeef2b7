//go:build !linux

package docker

// sameKernel is false: Linux containers are not processes of another system.
func sameKernel(socket, host, release string, memory int64) bool { return false }

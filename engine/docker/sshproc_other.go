//go:build !linux

package docker

import "syscall"

// sshProcess gives ssh a session of its own, so that it has no terminal to ask
// on and an interrupt from the keyboard leaves it alive for our clean-up.
func sshProcess() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

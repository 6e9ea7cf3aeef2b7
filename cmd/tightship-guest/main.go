//go:build linux

// Command tightship-guest is what runs inside a container under verification.
// It reads plans from standard input, attempts what they name, and reports
// what came of it as JSON lines; package probe says how. It never decides
// whether anything passed.
//
// As `tightship-guest forward` it joins a port on the loopback interface to the
// broker's socket.
package main

import (
	"os"

	"github.com/tightship-dev/tightship/probe"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "forward" {
		os.Exit(runForward(os.Args[2:]))
	}
	if probe.Helper(os.Args[1:]) {
		return
	}
	os.Exit(probe.Serve(os.Stdin, os.Stdout))
}

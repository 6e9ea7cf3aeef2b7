//go:build linux

// Command tightship-guest is what runs inside a container under verification.
// It reads plans from standard input, attempts what they name, and reports
// what came of it as JSON lines; package probe says how. It never decides
// whether anything passed.
package main

import (
	"os"

	"github.com/tightship-dev/tightship/probe"
)

func main() {
	if probe.Helper(os.Args[1:]) {
		return
	}
	os.Exit(probe.Serve(os.Stdin, os.Stdout))
}

//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/tightship-dev/tightship/broker/forward"
)

const forwardUsage = `usage: tightship-guest forward --listen 127.0.0.1:PORT [--to SOCKET] [-- COMMAND...]

Joins a port on the loopback interface to the broker's socket, for clients that cannot
speak to a Unix socket. With a COMMAND, runs it and ends with its exit code.
`

// runForward is the program's second life, beside the probes. The exit code is the
// command's, 2 for a wrong use, 1 where nothing could be forwarded.
func runForward(args []string) int {
	f := flag.NewFlagSet("forward", flag.ContinueOnError)
	f.Usage = func() { fmt.Fprint(f.Output(), forwardUsage) }
	listen := f.String("listen", "", "")
	to := f.String("to", "/run/tightship/broker.sock", "")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	l, err := forward.Listen(*listen)
	if err != nil {
		fmt.Fprintf(os.Stderr, "tightship-guest: --listen: %v\n", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- forward.Serve(ctx, l, *to) }()
	if f.NArg() > 0 {
		return runCommand(f.Args())
	}
	if err := <-served; err != nil {
		fmt.Fprintf(os.Stderr, "tightship-guest: %v\n", err)
		return 1
	}
	return 0
}

// runCommand runs the command that the port is for. A signal that is sent to us is
// meant for it.
func runCommand(args []string) int {
	c := exec.Command(args[0], args[1:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	if err := c.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "tightship-guest: %v\n", err)
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			return 127
		}
		return 126
	}
	go func() {
		for s := range signals {
			_ = c.Process.Signal(s)
		}
	}()
	if err := c.Wait(); err != nil && c.ProcessState == nil {
		return 1
	}
	if status := c.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		return 128 + int(status.Signal())
	}
	return c.ProcessState.ExitCode()
}

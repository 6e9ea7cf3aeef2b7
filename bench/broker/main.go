//go:build linux

// Command broker measures the credential broker and its ledger against what a user
// would put in their place, side by side in one run: the two sides of a comparison
// take turns, so that a machine whose speed drifts is unfair to neither. It prints
// every raw number and the ratio of the medians beside the goal. It never fails on a
// time: speed is for reading, not for asserting.
//
// Every proxy gets the same requests from the same load generator (this process) over
// a Unix socket, on connections that stay open, and sends them to the same upstream: a
// Go server in a process of its own, HTTP/1.1 over TLS on loopback, that wants the
// credential and answers 401 without it. Each answer is compared byte by byte. What the
// load and the upstream cost is so the same for all, and as all share the machine's
// cores, it makes the proxies look more alike than they are: the CPU time of the proxy
// alone is printed beside the rates.
//
// nginx and mitmproxy are installed by scripts/setup.sh. What cannot be had is
// skipped, and said at the end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// limit is how long all of this may take, and each process that it starts.
const limit = 20 * time.Minute

// settings is what the flags say.
type settings struct {
	runs     int
	clients  int
	requests int
	stream   int64
	records  int
	only     string
	program  string
}

func main() {
	var s settings
	flag.IntVar(&s.runs, "runs", 7, "turns of each side of a comparison")
	flag.IntVar(&s.clients, "clients", 64, "connections that send at the same time")
	flag.IntVar(&s.requests, "requests", 10000, "requests of a turn; a tenth for mitmproxy")
	flag.Int64Var(&s.stream, "stream", 1<<30, "bytes of the streamed body")
	flag.IntVar(&s.records, "records", 200000, "records of the ledger that is verified")
	flag.StringVar(&s.only, "only", "", "comparisons to make, comma-separated: rates, latency, append, stream, verify; default all")
	flag.StringVar(&s.program, "tightship", "bin/tightship", "the program to measure")
	flag.Parse()
	// The other roles, in processes of their own.
	switch role := flag.Arg(0); role {
	case "upstream":
		exit(serveUpstream(flag.Arg(1)))
	case "plain":
		exit(servePlain(flag.Arg(1), flag.Arg(2)))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, limit)
	err := run(ctx, s)
	cancel()
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-broker:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run makes the comparisons. One that fails does not keep the others from being made.
func run(ctx context.Context, s settings) (err error) {
	b, err := newBench(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	var errs []error
	for _, c := range []struct {
		name string
		make func(context.Context) error
	}{
		{"rates", b.rates},
		{"latency", b.latency},
		{"append", b.appends},
		{"stream", b.streams},
		{"verify", b.verify},
	} {
		if s.only != "" && !slices.Contains(strings.Split(s.only, ","), c.name) {
			continue
		}
		if err := c.make(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
		}
	}
	for _, reason := range b.skipped {
		fmt.Printf("SKIPPED %s\n", reason)
	}
	return errors.Join(errs...)
}

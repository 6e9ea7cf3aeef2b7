// Command bench measures how long verify takes against what a user would run
// instead, side by side: the two commands of a comparison take turns, so that a
// machine whose speed drifts is unfair to neither. It prints every raw time and
// the ratio of the medians beside the goal. It never fails on a time: speed is
// for reading, not for asserting. How long a report takes to render, which needs no
// engine, is measured in this process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// comparison is one ratio.
type comparison struct {
	what, against string
	ours, theirs  []string
	runs          int
	goal          string
}

func main() {
	image := flag.String("image", "tightship-agent:latest", "image to measure on")
	runs := flag.Int("runs", 5, "turns of each command")
	flag.Parse()
	verify := []string{filepath.Join("bin", "tightship"), "verify", *image, "--quiet"}
	// The policy's environment commands and imports, one after another in one
	// container, as they would be run without verifying anything.
	commands := "python3.11 --version && node --version && npm --version && git --version && claude --version && " +
		"python3 -c 'import anthropic' && python3 -c 'import requests' && python3 -c 'import github' && " +
		"git config --get user.name && git config --get user.email"
	docker := []string{"docker", "run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--entrypoint", ""}
	all := []comparison{
		{"verify --skip 'env.*'", "docker run --rm IMAGE true",
			append(slices.Clone(verify), "--skip", "env.*"), []string{"docker", "run", "--rm", "--entrypoint", "", *image, "true"}, *runs, "at most 3"},
		{"verify", "one container that runs the environment commands one after another",
			verify, append(docker, *image, "sh", "-c", commands), *runs, "at most 2.5"},
		{"28 behaviours as 28 docker runs", "verify",
			[]string{filepath.Join("bench", "plain.sh"), *image}, verify, max(*runs/2, 1), "at least 10"},
		{"verify --skip 'env.*' --runtime runsc", "docker run --rm --runtime runsc IMAGE true",
			append(slices.Clone(verify), "--skip", "env.*", "--runtime", "runsc"),
			[]string{"docker", "run", "--rm", "--runtime", "runsc", "--entrypoint", "", *image, "true"}, *runs, "at most 3"},
	}
	err := rendering(*runs)
	for _, c := range all {
		err = errors.Join(err, c.measure())
	}
	err = errors.Join(err, proofs(*image, filepath.Join("bin", "tightship"), *runs))
	err = errors.Join(err, containers(*image, filepath.Join("bin", "tightship"), max(*runs/2, 1)))
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (c comparison) measure() error {
	var ours, theirs []time.Duration
	for i := range c.runs + 1 {
		a, err := clock(c.ours)
		if err != nil {
			return err
		}
		b, err := clock(c.theirs)
		if err != nil {
			return err
		}
		if i > 0 { // the first turn fills caches
			ours, theirs = append(ours, a), append(theirs, b)
		}
	}
	fmt.Printf("%s\n  against %s\n", c.what, c.against)
	fmt.Printf("  %-8s %s\n  %-8s %s\n", "first", raw(ours), "second", raw(theirs))
	fmt.Printf("  ratio of medians %.2f (goal: %s)\n\n", median(ours).Seconds()/median(theirs).Seconds(), c.goal)
	return nil
}

// clock runs a command to its end. One that fails measures nothing.
func clock(argv []string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, out)
	}
	return time.Since(start), nil
}

func median(d []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(d))
	return s[len(s)/2]
}

func raw(d []time.Duration) string {
	var parts []string
	for _, v := range d {
		parts = append(parts, fmt.Sprintf("%.2f s", v.Seconds()))
	}
	return strings.Join(parts, "  ")
}

//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// bench is what the comparisons share. Proxies start when they are first needed and
// stay, idle, until the end.
type bench struct {
	settings
	dir      string // for everything; removed at the end
	started  []*process
	upstream int // its port on loopback
	proxies  map[string]*proxy
	failed   map[string]error
	cgroup   *cgroup
	skipped  []string
}

// proxy is something that answers requests with the upstream's answers.
type proxy struct {
	name    string
	network string // unix or tcp
	address string
	prefix  string // of the path
	process *process
}

func newBench(s settings) (*bench, error) {
	dir, err := os.MkdirTemp("", "tightship-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{settings: s, dir: dir, proxies: map[string]*proxy{}, failed: map[string]error{}}
	key := "sk-bench-" + rand.Text() + rand.Text()
	if err := os.WriteFile(b.file("key"), []byte(key), 0o600); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// file is a path in the directory of this run.
func (b *bench) file(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) close() error {
	var errs []error
	for _, p := range slices.Backward(b.started) {
		errs = append(errs, p.stop())
	}
	if b.cgroup != nil {
		errs = append(errs, b.cgroup.leave())
	}
	return errors.Join(append(errs, os.RemoveAll(b.dir))...)
}

// proxy starts one, unless it runs already. One that cannot be had is skipped: the
// second result is false then.
func (b *bench) proxy(ctx context.Context, name string, start func(context.Context) (*proxy, error)) (*proxy, bool) {
	if p := b.proxies[name]; p != nil {
		return p, true
	}
	if b.failed[name] != nil {
		return nil, false
	}
	p, err := b.tryProxy(ctx, start)
	if err != nil {
		b.failed[name] = err
		b.skipped = append(b.skipped, fmt.Sprintf("everything against or with %s: %v", name, err))
		return nil, false
	}
	p.name = name
	b.proxies[name] = p
	return p, true
}

func (b *bench) tryProxy(ctx context.Context, start func(context.Context) (*proxy, error)) (*proxy, error) {
	if b.upstream == 0 {
		if err := b.startUpstream(); err != nil {
			return nil, err
		}
	}
	p, err := start(ctx)
	if err != nil {
		return nil, err
	}
	// It counts as started when it answers.
	for end := time.Now().Add(30 * time.Second); ; {
		_, err := p.load(ctx, 1, 1)
		if err == nil {
			return p, nil
		}
		if p.process.ended() || time.Now().After(end) || ctx.Err() != nil {
			return nil, fmt.Errorf("it does not answer: %w\n%s", err, p.process.output())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// compare prints two sides, where more is better.
func compare(what, against string, ours, theirs []float64, unit, goal string) {
	fmt.Printf("%s\n  against %s\n", what, against)
	fmt.Printf("  %-8s %s  %s\n  %-8s %s  %s\n", "first", raw(ours), unit, "second", raw(theirs), unit)
	fmt.Printf("  ratio of medians %.2f (goal: %s)\n", median(ours)/median(theirs), goal)
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

func raw(v []float64) string {
	var parts []string
	for _, x := range v {
		format := "%.0f"
		if x < 100 {
			format = "%.3g"
		}
		parts = append(parts, fmt.Sprintf(format, x))
	}
	return strings.Join(parts, "  ")
}

package main

import (
	"context"
	"errors"
	"fmt"
	"testing/fstest"
	"time"

	"github.com/tightship-dev/tightship/doctor"
	"github.com/tightship-dev/tightship/engine"
)

type doctorEngine struct{ engine.Engine }

func (doctorEngine) Info(context.Context) (engine.Info, error) {
	return engine.Info{Name: "docker", Version: "28\x1b[2J", API: "1.51", OS: "linux", Arch: "amd64",
		Cgroup: "v2", Driver: "systemd", Runtimes: []string{"runc"}, Runtime: "runc"}, nil
}
func (doctorEngine) Image(context.Context, string) (engine.Image, error) { return engine.Image{}, nil }
func (doctorEngine) Close() error                                        { return nil }

// fakeMachine is a machine with an engine, or without one, and nothing else.
func fakeMachine(mode string) doctor.Probes {
	return doctor.Probes{
		GOOS: "linux", Arch: "amd64", UID: 1000, User: "user", Cores: 2,
		Now:    func() time.Time { return time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC) },
		FS:     fstest.MapFS{},
		Getenv: func(string) string { return "" },
		Connect: func(ctx context.Context, host string) (engine.Engine, error) {
			switch mode {
			case "no-engine":
				return nil, fmt.Errorf("%w: %s", engine.ErrUnreachable, host)
			case "hang":
				mark("started")
				<-ctx.Done()
				return nil, fmt.Errorf("%w: %s", engine.ErrUnreachable, host)
			}
			return doctorEngine{}, nil
		},
		Leftovers: func(context.Context, engine.Engine) ([]engine.Resource, error) { return nil, nil },
		Version:   func(context.Context, string) ([]byte, error) { return nil, errors.New("no such program") },
		Writable:  func(string) error { return nil },
		Account:   func() bool { return true },
		RunDir:    "/home/user/.cache/tightship/runs",
	}
}

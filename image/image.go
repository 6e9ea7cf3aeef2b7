// Package image builds the reference agent image: Python 3.11, Node.js 20, npm,
// git and Claude Code for the user claude-agent (1000:100), made to run with a
// read-only root filesystem, no capabilities, no network and a noexec /tmp.
//
// The recipe is the Dockerfile beside this file. It is embedded with everything
// it needs, so that an installed tightship can build the image without a checkout:
//
//	err := image.Build(ctx, image.Options{Progress: os.Stderr})
//
// What the recipe promises, and the tests here hold it to:
//
//   - Python and npm packages come with the hashes of requirements.txt and
//     package-lock.json, transitive ones included, and no package's install script runs.
//   - No file in the image can raise privileges: no SUID or SGID bit, no file capability.
//   - A company's CA ([Options.CAFile]) is a BuildKit secret: it serves the build's
//     downloads and is in no layer, no environment and no build argument.
//
// Building is left to the docker command: it is what people have, it knows their
// contexts and builders, and it may be Podman's. The engine must have BuildKit,
// which Docker has had since 18.09.
package image

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Defaults of [Options].
const (
	DefaultTag     = "tightship-agent:latest"
	DefaultBase    = "debian:bookworm-slim"
	DefaultTimeout = 30 * time.Minute
)

// The build context. A file that the Dockerfile uses and that is missing here is
// found by a test, and so is one that nothing uses.
//
//go:embed Dockerfile bootstrap-npm.py build-env.sh gitconfig lay-out.sh
//go:embed package.json package-lock.json requirements.txt strip-privileges.sh
var buildContext embed.FS

// Options say what to build. The zero value builds [DefaultTag] from [DefaultBase].
type Options struct {
	// Tag is the name that the image gets.
	Tag string
	// Base is a Debian 12 image, present locally or pulled by the engine. Machines
	// that reach no registry make one with scripts/base-image.sh.
	Base string
	// CAFile names a PEM file with the certificates of an intercepting proxy.
	// They are trusted beside the public ones, during the build only.
	CAFile string
	// Network is the network mode of the build's steps: empty for the engine's
	// own choice, or "host" where the engine's bridge does not reach the outside.
	Network string
	// NoCache rebuilds every step.
	NoCache bool
	// Version becomes the label org.opencontainers.image.version.
	Version string
	// Timeout limits the whole build, downloads included.
	Timeout time.Duration
	// Progress receives one line per step as it begins, and the end of the
	// builder's log when a step fails. Nil discards both.
	Progress io.Writer
	// Log receives the builder's log in full. Nil discards it.
	Log io.Writer
	// Docker is the docker command; empty finds one on PATH that can do BuildKit.
	Docker string
}

func (o Options) withDefaults() Options {
	if o.Tag == "" {
		o.Tag = DefaultTag
	}
	if o.Base == "" {
		o.Base = DefaultBase
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o
}

// Build builds the image. Its errors wrap one of this package's sentinels where
// the cause is known; [Hint] says what to do about those.
func Build(ctx context.Context, o Options) (err error) {
	o = o.withDefaults()
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()

	var ca []byte
	if o.CAFile != "" {
		if ca, err = readCA(o.CAFile); err != nil {
			return err
		}
	}
	docker := o.Docker
	if docker == "" {
		if docker, err = findDocker(ctx, os.Getenv("PATH")); err != nil {
			return err
		}
	}

	dir, err := os.MkdirTemp("", "tightship-image-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	contextDir := filepath.Join(dir, "context")
	if err := os.CopyFS(contextDir, buildContext); err != nil {
		return fmt.Errorf("writing the build context: %w", err)
	}
	// The CA lies beside the context, never in it. A copy, because --secret takes
	// comma-separated fields and has no way to quote a path.
	caCopy := ""
	if ca != nil {
		caCopy = filepath.Join(dir, "ca.pem")
		if err := os.WriteFile(caCopy, ca, 0o600); err != nil {
			return fmt.Errorf("copying the CA: %w", err)
		}
	}

	log := newStepLog(o.Progress, o.Log)
	cmd := exec.CommandContext(ctx, docker, buildArgs(o, contextDir, caCopy)...)
	cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT=1")
	cmd.Stdout, cmd.Stderr = log, log
	// An interrupted client tells the builder to stop; a killed one does not.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w (%w)", ctx.Err(), err)
		}
		return log.failure(o, err)
	}
	return nil
}

// buildArgs is the docker command line. caFile is empty without a CA.
func buildArgs(o Options, contextDir, caFile string) []string {
	args := []string{
		"build",
		"--progress", "plain",
		"--tag", o.Tag,
		"--build-arg", "BASE_IMAGE=" + o.Base,
	}
	if o.Version != "" {
		args = append(args, "--build-arg", "VERSION="+o.Version)
	}
	if o.Network != "" {
		args = append(args, "--network", o.Network)
	}
	if o.NoCache {
		args = append(args, "--no-cache")
	}
	if caFile != "" {
		args = append(args, "--secret", "id=ca,src="+caFile)
	}
	return append(args, contextDir)
}

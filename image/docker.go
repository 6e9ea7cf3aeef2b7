package image

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// findDocker returns the first docker command of path that can build with
// BuildKit. It looks past the first one because a machine may have two, and a
// client of version 23 or later cannot build without its buildx plugin.
func findDocker(ctx context.Context, path string) (string, error) {
	var found []string
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) { // never the current directory, as os/exec
			continue
		}
		docker, err := exec.LookPath(filepath.Join(dir, "docker"))
		if err != nil {
			continue
		}
		if hasBuildKit(ctx, docker) {
			return docker, nil
		}
		found = append(found, docker)
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if found == nil {
		return "", fmt.Errorf("%w on PATH", ErrNoDocker)
	}
	return "", fmt.Errorf("%w: %q", ErrNoBuildKit, found)
}

var versionLine = regexp.MustCompile(`^(?:Docker version (\d+)\.|podman version )`)

// hasBuildKit asks the client only; an engine need not be there yet.
func hasBuildKit(ctx context.Context, docker string) bool {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if exec.CommandContext(ctx, docker, "buildx", "version").Run() == nil {
		return true
	}
	out, err := exec.CommandContext(ctx, docker, "--version").Output()
	m := versionLine.FindSubmatch(out)
	if err != nil || m == nil {
		return false
	}
	if len(m[1]) == 0 {
		return true // Podman's build understands the same mounts.
	}
	major, err := strconv.Atoi(string(m[1]))
	return err == nil && major < 23 // Built in from 18.09 until 22.
}

package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBuildArgs(t *testing.T) {
	for _, tt := range []struct {
		name   string
		o      Options
		caFile string
		want   []string
	}{
		{
			name: "defaults",
			want: []string{"build", "--progress", "plain", "--tag", "tightship-agent:latest",
				"--build-arg", "BASE_IMAGE=debian:bookworm-slim", "CONTEXT"},
		},
		{
			name:   "everything",
			o:      Options{Tag: "a:1", Base: "b:2", Network: "host", NoCache: true, Version: "1.2.3"},
			caFile: "/t/ca.pem",
			want: []string{"build", "--progress", "plain", "--tag", "a:1",
				"--build-arg", "BASE_IMAGE=b:2", "--build-arg", "VERSION=1.2.3",
				"--network", "host", "--no-cache", "--secret", "id=ca,src=/t/ca.pem", "CONTEXT"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := buildArgs(tt.o.withDefaults(), "CONTEXT", tt.caFile)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// fakeDocker writes a docker command that answers like a version and runs body
// for `docker build`. It returns its folder.
func fakeDocker(t *testing.T, version string, buildx bool, body string) string {
	t.Helper()
	dir := t.TempDir()
	buildxAnswer := "exit 1"
	if buildx {
		buildxAnswer = "exit 0"
	}
	script := fmt.Sprintf("#!/bin/sh\ncase $1 in\nbuildx) %s;;\n--version) echo '%s';;\nbuild) %s\n;;\nesac\n",
		buildxAnswer, version, body)
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

const (
	docker20 = "Docker version 20.10.24+dfsg1, build 297e128"
	docker28 = "Docker version 28.2.2, build e6534b4"
	podman   = "podman version 4.3.1"
)

func TestFindDocker(t *testing.T) {
	old := fakeDocker(t, docker20, false, "")
	bare := fakeDocker(t, docker28, false, "")
	full := fakeDocker(t, docker28, true, "")
	pod := fakeDocker(t, podman, false, "")
	odd := fakeDocker(t, "something else", false, "")
	for _, tt := range []struct {
		name string
		path []string
		want string
		err  error
	}{
		{name: "BuildKit built in", path: []string{old}, want: old},
		{name: "buildx plugin", path: []string{full}, want: full},
		{name: "podman", path: []string{pod}, want: pod},
		{name: "the first is not enough", path: []string{bare, old}, want: old},
		{name: "the first is enough", path: []string{full, old}, want: full},
		{name: "no buildx", path: []string{bare}, err: ErrNoBuildKit},
		{name: "unknown client", path: []string{odd}, err: ErrNoBuildKit},
		{name: "none", path: []string{t.TempDir()}, err: ErrNoDocker},
		{name: "never the current directory", path: []string{".", ""}, err: ErrNoDocker},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(old)
			got, err := findDocker(t.Context(), strings.Join(tt.path, string(filepath.ListSeparator)))
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if tt.want != "" && got != filepath.Join(tt.want, "docker") {
				t.Errorf("got %s, want the one in %s", got, tt.want)
			}
		})
	}
}

const certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

// TestBuild runs the whole of Build against a docker command that looks around.
func TestBuild(t *testing.T) {
	out := t.TempDir()
	temp := t.TempDir()
	t.Setenv("OUT", out)
	t.Setenv("TMPDIR", temp)
	t.Setenv("PATH", fakeDocker(t, docker20, false, `
		echo "$DOCKER_BUILDKIT" >"$OUT/buildkit"
		printf '%s\n' "$@" >"$OUT/args"
		for last; do :; done
		cp -R "$last" "$OUT/context"
		cp "$last/../ca.pem" "$OUT/"
		echo '#5 [system 2/2] RUN --mount=type=tmpfs,target=/tmp     sh x'
		echo '#5 0.1 noise'
		echo '#5 [system 2/2] RUN --mount=type=tmpfs,target=/tmp     sh x'`)+":"+os.Getenv("PATH"))
	// A name that a comma-separated --secret could not carry.
	ca := filepath.Join(t.TempDir(), "company, inc.pem")
	if err := os.WriteFile(ca, []byte(certificate), 0o644); err != nil {
		t.Fatal(err)
	}

	var progress, log strings.Builder
	if err := Build(t.Context(), Options{CAFile: ca, Progress: &progress, Log: &log}); err != nil {
		t.Fatal(err)
	}
	if got, want := progress.String(), "[system 2/2] RUN sh x\n"; got != want {
		t.Errorf("progress %q, want %q", got, want)
	}
	if !strings.Contains(log.String(), "noise") {
		t.Errorf("the full log lacks a line: %q", log.String())
	}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if read("buildkit") != "1\n" {
		t.Error("DOCKER_BUILDKIT is not 1")
	}
	if read("ca.pem") != certificate {
		t.Error("the CA did not arrive")
	}
	if args := read("args"); strings.Contains(args, "BEGIN") || !strings.Contains(args, "id=ca,src="+temp) {
		t.Errorf("arguments:\n%s", args)
	}
	if read("context/Dockerfile") != dockerfile(t) {
		t.Error("the context holds another Dockerfile")
	}
	if left, _ := os.ReadDir(temp); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestBuildErrors(t *testing.T) {
	file := func(content string) string {
		name := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, tt := range []struct {
		name  string
		build string // what the builder does
		o     Options
		want  error
		says  string
	}{
		{name: "CA missing", o: Options{CAFile: "/nonexistent/ca.pem"}, want: ErrCAFile, says: "/nonexistent/ca.pem"},
		{name: "CA missing keeps its cause", o: Options{CAFile: "/nonexistent/ca.pem"}, want: os.ErrNotExist},
		{name: "CA without a certificate", o: Options{CAFile: file("hello")}, want: ErrCAFile, says: "no PEM certificate"},
		{name: "CA with a private key", o: Options{CAFile: file(certificate + strings.ReplaceAll(certificate, "CERTIFICATE", "EC PRIVATE KEY"))}, want: ErrCAFile, says: "private key"},
		{name: "CA too large", o: Options{CAFile: file(strings.Repeat(certificate, 10000))}, want: ErrCAFile, says: "500 KiB"},
		{
			name: "base missing, Docker 20.10",
			build: `echo '#3 ERROR: failed to do request: Head "https://registry": no such host'
				echo ' > [internal] load metadata for docker.io/library/b:2:'
				echo 'failed to solve with frontend dockerfile.v0: failed to do request' >&2; exit 1`,
			o: Options{Base: "b:2"}, want: ErrBase, says: "b:2",
		},
		{
			name:  "base missing, Docker 29",
			build: `echo 'ERROR: failed to build: failed to solve: b:2: failed to resolve source metadata for b:2: not found' >&2; exit 1`,
			o:     Options{Base: "b:2"}, want: ErrBase, says: "b:2",
		},
		{
			name:  "no engine",
			build: `echo 'failed to dial gRPC: cannot connect to the Docker daemon. Is it running?' >&2; exit 1`,
			want:  ErrNoEngine,
		},
		{
			name:  "not allowed to reach the engine",
			build: `echo 'ERROR: permission denied while trying to connect to the docker API at unix:///var/run/docker.sock' >&2; exit 1`,
			want:  ErrNoEngine,
		},
		{
			name:  "intercepted",
			build: `echo '#9 1.2 ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed'; exit 1`,
			want:  ErrCertificate,
		},
		{
			name:  "offline",
			build: `echo "#5 3.1 Temporary failure resolving 'deb.debian.org'"; echo '#5 ERROR: exit code: 100'; exit 1`,
			want:  ErrUnreachable,
		},
		{
			name:  "a step of its own",
			build: `echo '#9 1.2 THESE PACKAGES DO NOT MATCH THE HASHES'; echo '#9 ERROR: exit code: 1'; exit 1`,
			want:  ErrBuild, says: "#9 ERROR: exit code: 1",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("PATH", fakeDocker(t, docker20, false, tt.build))
			err := Build(t.Context(), tt.o)
			if !errors.Is(err, tt.want) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%q does not say %q", err, tt.says)
			}
			if Hint(err) == "" {
				t.Error("no hint")
			}
		})
	}
}

// A builder that hangs is interrupted, and is not waited for once it is told.
func TestBuildTimeout(t *testing.T) {
	t.Setenv("PATH", fakeDocker(t, docker20, false, "exec sleep 60")+":"+os.Getenv("PATH"))
	begin := time.Now()
	err := Build(t.Context(), Options{Timeout: 300 * time.Millisecond})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want a deadline", err)
	}
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestHint(t *testing.T) {
	for _, h := range hints {
		if got := Hint(fmt.Errorf("wrapped: %w", h.err)); got != h.hint || strings.Contains(got, "\n") {
			t.Errorf("%v: hint %q", h.err, got)
		}
	}
	if hint := Hint(errors.New("other")); hint != "" {
		t.Errorf("hint for an unknown error: %q", hint)
	}
}

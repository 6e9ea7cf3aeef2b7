package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The end-to-end tests look at the image that `make image` built, with a real
// engine. They run when TIGHTSHIP_E2E is 1, and never build anything.
func e2e(t *testing.T) (docker func(args ...string) (string, error), tag string) {
	t.Helper()
	if os.Getenv("TIGHTSHIP_E2E") != "1" {
		t.Skip("set TIGHTSHIP_E2E=1 to test the built image (make test does)")
	}
	tag = os.Getenv("TIGHTSHIP_E2E_IMAGE")
	if tag == "" {
		tag = DefaultTag
	}
	docker = func(args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if out, err := docker("image", "inspect", "--format", "{{.Id}}", tag); err != nil {
		t.Fatalf("no image %s (make image builds it): %s", tag, out)
	}
	return docker, tag
}

// hardened are the flags under which everything must work.
var hardened = []string{
	"--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
	"--network", "none", "--user", "1000:100", "--tmpfs", "/tmp:noexec,nosuid,nodev,size=2g",
	"--memory", "2g", "--pids-limit", "100", "--label", "tightship=image-test",
}

func TestE2EWorksHardened(t *testing.T) {
	docker, tag := e2e(t)
	for _, tt := range []struct{ command, want string }{
		{"python3.11 --version", `^Python 3\.11\.`},
		{"python3 --version", `^Python 3\.11\.`},
		{"node --version", `^v20\.`},
		{"npm --version", `^\d+\.`},
		{"git --version", `^git version`},
		{"claude --version", `^\d+\.\d+`},
		{"python3 -c 'import anthropic, requests, github; print(1)'", `^1$`},
		{"id -un; id -u; id -g; pwd", `^claude-agent\n1000\n100\n/home/claude-agent/workspace$`},
		{"stat -c %u:%g . ..", `^1000:100\n1000:100$`},
		{"git config --system user.name && git config --system user.email", `.+\n.+@.+`},
		// With nobody to ask, a question must fail at once, not wait.
		{`printf 'protocol=https\nhost=h\n' | timeout 5 git credential fill 2>&1; echo $?`, `128$`},
		// A repository in the workspace belongs to somebody else.
		{"git init -q /tmp/r && cd /tmp/r && git commit -q --allow-empty -m x && git log --format=%an", `.+`},
	} {
		t.Run(tt.command, func(t *testing.T) {
			args := append([]string{"run", "--rm"}, hardened...)
			out, err := docker(append(args, tag, "sh", "-c", tt.command)...)
			if err != nil || !regexp.MustCompile(tt.want).MatchString(out) {
				t.Errorf("%v: %q, want %s", err, out, tt.want)
			}
		})
	}
}

func TestE2EHealthy(t *testing.T) {
	docker, tag := e2e(t)
	args := append([]string{"run", "--detach", "--health-interval", "1s"}, hardened...)
	id, err := docker(append(args, tag, "sleep", "120")...)
	if err != nil {
		t.Fatal(id)
	}
	defer docker("rm", "--force", id)
	status := ""
	for range 60 {
		status, err = docker("inspect", "--format", "{{.State.Health.Status}}", id)
		if err == nil && status == "healthy" {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Errorf("status %q, %v", status, err)
}

// TestE2ENoPrivilegedFiles looks for what strip-privileges.sh removed, after it
// has shown that it would find one.
func TestE2ENoPrivilegedFiles(t *testing.T) {
	docker, tag := e2e(t)
	const look = `find / -xdev -perm /6000; python3 -c '
import os
for folder, _, files in os.walk("/usr"):
    for f in files:
        p = os.path.join(folder, f)
        if os.path.isfile(p) and "security.capability" in os.listxattr(p, follow_symlinks=False): print(p)'`
	const control = `chmod u+s /usr/bin/id; python3 -c '
import os
os.setxattr("/usr/bin/env", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))'; `
	run := func(script string) string {
		out, err := docker("run", "--rm", "--network", "none", "--user", "0", "--cap-add", "SETFCAP",
			"--label", "tightship=image-test", tag, "sh", "-c", script)
		if err != nil {
			t.Fatal(err, out)
		}
		return out
	}
	if out := run(control + look); out != "/usr/bin/id\n/usr/bin/env" {
		t.Fatalf("the control found %q", out)
	}
	if out := run(look); out != "" {
		t.Errorf("can raise privileges:\n%s", out)
	}
}

// TestE2ELayers reads every file of every layer, those that a later layer hides
// included.
func TestE2ELayers(t *testing.T) {
	docker, tag := e2e(t)
	needles := companyCAs(t)
	unwanted := regexp.MustCompile(`^(root/\..*(cache|npm|npmrc|netrc)|tmp/.+|run/(secrets|build).*|build|stage` +
		`|var/lib/apt/lists/.+_.+|var/cache/apt/archives/.+\.deb|.*/\.?(npmrc|netrc|git-credentials|id_(rsa|ed25519))|.*/\.cache/.+)$`)
	privateKey := regexp.MustCompile(`\A\s*-----BEGIN [A-Z ]*PRIVATE KEY-----`)

	cmd := exec.CommandContext(t.Context(), "docker", "save", tag)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	files := 0
	walk(t, stdout, func(_ *tar.Header, r io.Reader) {
		blob := bufio.NewReaderSize(r, 1024)
		if head, _ := blob.Peek(512); len(head) < 512 || string(head[257:262]) != "ustar" {
			return // Not a layer: a manifest, a configuration.
		}
		walk(t, blob, func(h *tar.Header, r io.Reader) {
			if h.Typeflag != tar.TypeReg {
				return
			}
			files++
			name := path.Clean(h.Name)
			if unwanted.MatchString(name) {
				t.Errorf("a layer holds %s", name)
			}
			content, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if privateKey.Match(content) {
				t.Errorf("a layer holds a private key: %s", name)
			}
			for needle, origin := range needles {
				if bytes.Contains(content, []byte(needle)) {
					t.Errorf("a layer holds the CA of %s: %s", origin, name)
				}
			}
		})
	})
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if files < 5000 {
		t.Errorf("only %d files: were these the layers?", files)
	}

	out, err := docker("image", "inspect", "--format", "{{json .Config}}", tag)
	if err != nil {
		t.Fatal(out)
	}
	if m := regexp.MustCompile(`(?i)[a-z_]*(token|api_key|password|ssl_cert|cafile)[a-z_]*=`).FindString(out); m != "" {
		t.Errorf("the configuration holds %s", m)
	}
	if !strings.Contains(out, `"org.opencontainers.image.version":"`) {
		t.Error("no version label")
	}
}

func walk(t *testing.T, r io.Reader, visit func(h *tar.Header, r io.Reader)) {
	t.Helper()
	archive := tar.NewReader(r)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		visit(header, archive)
	}
}

// companyCAs returns a line out of every certificate that this machine trusts
// beside the public ones: what the build was told to trust and must not keep.
func companyCAs(t *testing.T) map[string]string {
	needles := map[string]string{}
	names, _ := filepath.Glob("/usr/local/share/ca-certificates/*.crt")
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(content)), "\n")
		if line := lines[len(lines)/2]; len(line) > 40 {
			needles[strings.TrimSpace(line)] = name
		}
	}
	if len(needles) == 0 {
		t.Log("this machine has no CA of its own: only the files' names are looked at")
	}
	return needles
}

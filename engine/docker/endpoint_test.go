package docker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
)

// bare is an environment in which nothing chooses an engine. It returns the
// configuration's directory, which does not exist yet.
func bare(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "config")
	for name, value := range map[string]string{
		client.EnvOverrideHost: "", client.EnvOverrideCertPath: "", client.EnvTLSVerify: "", client.EnvOverrideAPIVersion: "",
		envTLS: "", envContext: "", envConfig: dir, "XDG_RUNTIME_DIR": "",
	} {
		t.Setenv(name, value)
	}
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func idOf(context string) string {
	sum := sha256.Sum256([]byte(context))
	return hex.EncodeToString(sum[:])
}

// writeContext stores a context as the docker command does.
func writeContext(t *testing.T, config, name, meta string) {
	t.Helper()
	write(t, filepath.Join(config, "contexts", "meta", idOf(name), "meta.json"), meta)
}

func metaOf(name, host string) string {
	return `{"Name":"` + name + `","Metadata":{},"Endpoints":{"docker":{"Host":"` + host + `","SkipTLSVerify":false}}}`
}

func TestParseHost(t *testing.T) {
	long := strings.Repeat("x", 300)
	tests := []struct{ host, address, says string }{
		{"unix:///run/x.sock", "unix:///run/x.sock", ""},
		{"unix://", client.DefaultDockerHost, ""},
		{"tcp://example.com:2375", "tcp://example.com:2375", ""},
		{"tcp://example.com:2375/prefix", "tcp://example.com:2375/prefix", ""},
		{"tcp://example.com", "tcp://example.com:2375", ""},
		{"tcp://[::1]", "tcp://[::1]:2375", ""},
		{"tcp://:2375", "tcp://localhost:2375", ""},
		{" example.com:2375\n", "tcp://example.com:2375", ""},
		{"tcp://user:hunter2@example.com:1", "tcp://example.com:1", ""},
		{"ssh://example.com", "ssh://example.com", ""},
		{"ssh://me@example.com:22/", "ssh://me@example.com:22", ""},
		{"ssh://me@[::1]/run/user/1000/docker.sock", "ssh://me@[::1]/run/user/1000/docker.sock", ""},
		{`ssh://corp\me@host`, "", "cannot be read"},
		{"unix://relative", "", "absolute"},
		{"fd://", "", "fd:// addresses are not supported"},
		{long + "://x", "", "not supported"},
		{"\x1b[31m://x", "", "not supported"},
		{"tcp://a b", "", "no address"},
		{"tcp://u:hunter2@a:b:c", "", "no address"},
		{"tcp://a?x=hunter2", "", "no address"},
		{"ssh://", "", "no host"},
		{"ssh://-oProxyCommand=hunter2", "", "no host"},
		{"ssh://-lroot@example.com", "", "user name"},
		{"ssh://@example.com", "", "user name"},
		{"ssh://me:hunter2@example.com", "", "password"},
		{"ssh://example.com/a%0Ab", "", "control"},
		{"ssh://example.com?hunter2", "", "no meaning"},
		{"ssh://exa$(hunter2)mple.com", "", "no address"},
	}
	for _, tt := range tests {
		t.Run(tt.host, func(t *testing.T) {
			bare(t)
			got, err := parseHost(tt.host, "DOCKER_HOST", tlsFromEnv)
			if tt.says == "" {
				if err != nil || got.Address != tt.address || got.Source != "DOCKER_HOST" {
					t.Errorf("%+v, %v", got, err)
				}
				return
			}
			good(t, err, engine.ErrUnreachable, tt.says)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %q gives away a part of the address", err)
			}
			if !hasHint(err) {
				t.Errorf("error %q has no hint", err)
			}
		})
	}
}

func FuzzParseHost(f *testing.F) {
	for _, seed := range []string{"unix:///x", "tcp://h:1/p", "ssh://u@h:22/s", "ssh://-o@x", "h:1", "tcp://[::1%25eth0]", "ssh://h/a'b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		got, err := parseHost(host, "fuzz", func() (*tlsFiles, error) { return nil, nil })
		if err != nil {
			if text.OneLine(err.Error()) != err.Error() && len(err.Error()) < 400 {
				t.Errorf("error %q", err)
			}
			return
		}
		if got.Address == "" || strings.ContainsAny(got.Address, "\n\r\x1b") {
			t.Errorf("address %q", got.Address)
		}
		if got.network != "ssh" {
			return
		}
		args := got.ssh.args()
		end := slices.Index(args, "--")
		if end != len(args)-3 || strings.HasPrefix(args[end+1], "-") {
			t.Errorf("ssh would take %q for options", args)
		}
		for i, a := range args[:end] {
			if i > 0 && (args[i-1] == "-l" || args[i-1] == "-p") && strings.HasPrefix(a, "-") {
				t.Errorf("ssh would take %q for an option", a)
			}
		}
	})
}

func TestSSHQuotesThePath(t *testing.T) {
	target, err := parseSSH("ssh://h/run/a'b $(reboot).sock")
	if err != nil {
		t.Fatal(err)
	}
	args := target.args()
	if got, want := args[len(args)-1], `docker --host='unix:///run/a'\''b $(reboot).sock' system dial-stdio`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestLocate(t *testing.T) {
	const host = "tcp://from.context:1"
	tests := []struct {
		name            string
		env             map[string]string
		config          string // config.json
		address, source string
	}{
		{"DOCKER_HOST goes first", map[string]string{client.EnvOverrideHost: "tcp://a:1", envContext: "prod"}, `{"currentContext":"prod"}`, "tcp://a:1", "DOCKER_HOST"},
		{"then DOCKER_CONTEXT", map[string]string{envContext: "prod"}, `{"currentContext":"nope"}`, host, "docker context prod"},
		{"then the current one", nil, `{"auths":{},"currentContext":"prod"}`, host, "docker context prod"},
		{"the default context is none", map[string]string{envContext: "default", envTLS: "1"}, `{"currentContext":"prod"}`, "tcp://localhost:2376", "the default address for TLS, its certificate is not verified"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := bare(t)
			write(t, filepath.Join(config, "config.json"), tt.config)
			writeContext(t, config, "prod", metaOf("prod", host))
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			got, err := locate(t.Context(), "")
			if err != nil || got.Address != tt.address || got.Source != tt.source {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

func TestBrokenContexts(t *testing.T) {
	tests := []struct {
		name, config, context, meta, says string
	}{
		{"unknown", "", "prod", "", "docker context prod does not exist"},
		{"hostile name", "", "../../etc\x1b[31m", "", "does not exist"},
		{"no JSON", "", "prod", "{", "cannot be read"},
		{"wrong type", "", "prod", `{"Endpoints":[]}`, "cannot be read"},
		{"no engine", "", "prod", `{"Endpoints":{"kubernetes":{}}}`, "names no Docker engine"},
		{"no host", "", "prod", `{"Endpoints":{"docker":{}}}`, "names no Docker engine"},
		{"no address", "", "prod", metaOf("prod", "npipe:////x"), "not supported"},
		{"configuration is no JSON", "{", "", "", "config.json cannot be read"},
		{"configuration of a wrong type", `{"currentContext":7}`, "", "", "config.json cannot be read"},
		{"configuration is long", strings.Repeat(" ", maxConfig+1), "", "", "longer than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := bare(t)
			if tt.config != "" {
				write(t, filepath.Join(config, "config.json"), tt.config)
			}
			if tt.meta != "" {
				writeContext(t, config, tt.context, tt.meta)
			}
			t.Setenv(envContext, tt.context)
			_, err := locate(t.Context(), "")
			good(t, err, engine.ErrUnreachable, tt.says)
			if !hasHint(err) {
				t.Errorf("error %q has no hint", err)
			}
		})
	}
	t.Run("configuration is a pipe", func(t *testing.T) {
		config := bare(t)
		write(t, filepath.Join(config, "x"), "")
		if err := syscall.Mkfifo(filepath.Join(config, "config.json"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := locate(t.Context(), "")
		good(t, err, engine.ErrUnreachable, "no regular file")
	})
	t.Run("a context's engine that is gone", func(t *testing.T) {
		config := bare(t)
		writeContext(t, config, "prod", metaOf("prod", "tcp://127.0.0.1:1"))
		t.Setenv(envContext, "prod")
		_, err := New(t.Context(), Options{})
		good(t, err, engine.ErrUnreachable, "127.0.0.1:1: connection refused")
		var h hinted
		if !errors.As(err, &h) || !strings.Contains(h.Hint(), "docker context prod") {
			t.Errorf("hint %q", h.hint)
		}
	})
}

func FuzzContext(f *testing.F) {
	for _, seed := range []string{metaOf("x", "tcp://h:1"), `{"Endpoints":null}`, `{"Endpoints":{"docker":{"Host":"ssh://h","SkipTLSVerify":true}}}`, `[`, `{"Endpoints":{"docker":7}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, meta []byte) {
		config := t.TempDir()
		t.Setenv(envConfig, config)
		writeContext(t, config, "x", string(meta))
		if got, err := contextEndpoint("x", "fuzz"); err == nil && (got.Address == "" || got.context != "x") {
			t.Errorf("%+v", got)
		}
	})
}

func TestFirstSocket(t *testing.T) {
	path := func(address string) string { return strings.TrimPrefix(address, "unix://") }
	live := path(serve(t, fake{}))
	dead := path(serveOn(t, func(l net.Listener) func() {
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		l.Close()
		return func() {}
	}))
	none := filepath.Join(t.TempDir(), "none")
	tests := []struct {
		name           string
		all            []socket
		address, which string
		says           string
	}{
		{"the first that is there", []socket{{none, "one"}, {live, "two"}}, live, "two", ""},
		{"somebody must listen", []socket{{dead, "one"}, {live, "two"}}, live, "two, as nobody answers at " + dead, ""},
		{"none", []socket{{none, "one"}, {dead, "two"}}, "", "", none + ": no such file"},
		{"all dead", []socket{{dead, "one"}, {none, "two"}}, "", "", dead + ": connection refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := firstSocket(t.Context(), tt.all)
			if tt.says != "" {
				good(t, err, engine.ErrUnreachable, tt.says)
				return
			}
			if err != nil || got.address != tt.address || got.Source != tt.which {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	t.Run("permission", func(t *testing.T) {
		if os.Getuid() == 0 {
			t.Skip("SKIPPED, NOT TESTED: no socket refuses root")
		}
		if err := os.Chmod(dead, 0); err != nil {
			t.Fatal(err)
		}
		_, err := firstSocket(t.Context(), []socket{{none, "one"}, {dead, "two"}})
		good(t, err, engine.ErrPermission, dead)
	})
	t.Run("nobody accepts", func(t *testing.T) {
		full := filepath.Join(filepath.Dir(live), "full")
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(fd)
		if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: full}), syscall.Listen(fd, 0)); err != nil {
			t.Fatal(err)
		}
		for range 2 { // fill the queue of those who wait
			if c, err := net.DialTimeout("unix", full, 50*time.Millisecond); err == nil {
				defer c.Close()
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := firstSocket(ctx, []socket{{full, "one"}}); err == nil {
			t.Error("no error")
		}
	})
	t.Run("the docker command's comes first", func(t *testing.T) {
		bare(t)
		t.Setenv("XDG_RUNTIME_DIR", "/run/user/7")
		var got []string
		for _, s := range sockets() {
			got = append(got, s.path)
		}
		want := []string{"/var/run/docker.sock", "/run/user/7/docker.sock", "/run/user/7/podman/podman.sock", "/run/podman/podman.sock"}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

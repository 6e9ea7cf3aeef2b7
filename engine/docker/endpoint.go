package docker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
)

// Variables of the docker command that the client library has no name for.
const (
	envContext = "DOCKER_CONTEXT"
	envConfig  = "DOCKER_CONFIG"
	envTLS     = "DOCKER_TLS"
)

// Endpoint is where an engine is and who said so, for messages.
type Endpoint struct {
	// Address is like unix:///path, tcp://host:port or ssh://user@host. It never
	// holds a password.
	Address string
	// Source is what chose it: "DOCKER_HOST", "docker context NAME", "the default
	// socket". It also says so where a server's certificate is not verified.
	Source string

	network  string // "unix", "tcp" or "ssh"
	address  string // a path or host:port
	basePath string
	tls      *tls.Config
	tlsFrom  string // the directory of the certificates
	ssh      sshTarget
	context  string // the docker context's name, if one chose it
}

// locate finds the engine as the docker command does: DOCKER_HOST, then
// DOCKER_CONTEXT, then the configuration's current context, then the default
// socket. Beyond that it knows the sockets of rootless Docker and of Podman. A
// host that is not "" comes before all of these.
func locate(ctx context.Context, host string) (Endpoint, error) {
	source := "the caller"
	if host == "" {
		host, source = os.Getenv(client.EnvOverrideHost), client.EnvOverrideHost
	}
	if host != "" {
		return parseHost(host, source, tlsFromEnv)
	}
	name, chosenBy, err := currentContext()
	if err != nil {
		return Endpoint{}, err
	}
	if name != "" && name != "default" {
		return contextEndpoint(name, chosenBy)
	}
	if os.Getenv(client.EnvTLSVerify) != "" || os.Getenv(envTLS) != "" {
		return parseHost("tcp://localhost", "the default address for TLS", tlsFromEnv)
	}
	return firstSocket(ctx, sockets())
}

// Named says whether somebody chose an engine: by DOCKER_HOST, by a docker context,
// or by asking for TLS. One that cannot be had is then an error, and no other
// takes its place.
func Named() bool {
	for _, name := range []string{client.EnvOverrideHost, client.EnvTLSVerify, envTLS} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	name, _, err := currentContext()
	return err != nil || name != "" && name != "default"
}

// parseHost reads an address as the docker command writes it: without a scheme
// it is TCP, without a port the usual one.
func parseHost(host, source string, loadTLS func() (*tlsFiles, error)) (Endpoint, error) {
	where := Endpoint{Source: source}
	bad := func(why string) (Endpoint, error) {
		return Endpoint{}, hintedf("an address is unix:///path, tcp://host:port or ssh://user@host; this one is from "+source,
			"docker: %w: %s", engine.ErrUnreachable, why)
	}
	host = strings.TrimSpace(host)
	if !strings.Contains(host, "://") {
		host = "tcp://" + host
	}
	scheme, rest, _ := strings.Cut(host, "://")
	switch scheme {
	case "unix":
		if rest == "" {
			rest = strings.TrimPrefix(client.DefaultDockerHost, "unix://")
		}
		if !filepath.IsAbs(rest) {
			return bad("the host is no address: a socket's path must be absolute")
		}
		where.network, where.address, where.Address = "unix", rest, text.OneLine("unix://"+rest)
		return where, nil
	case "ssh":
		target, err := parseSSH(host)
		if err != nil {
			return bad("the host is no address: " + err.Error())
		}
		where.network, where.ssh, where.Address = "ssh", target, target.String()
		return where, nil
	case "tcp":
	default:
		return bad(fmt.Sprintf("%s:// addresses are not supported", text.OneLine(scheme)))
	}

	// What is wrong with it is not quoted: it may hold a password.
	u, err := url.Parse(host)
	if err != nil || u.RawQuery != "" || u.Fragment != "" {
		return bad("the host is no address like tcp://host:port")
	}
	files, err := loadTLS()
	if err != nil {
		return Endpoint{}, err
	}
	name, port := u.Hostname(), u.Port()
	if name == "" {
		name = "localhost"
	}
	if port == "" {
		port = "2375"
		if files != nil {
			port = "2376"
		}
	}
	where.network, where.address, where.basePath = "tcp", net.JoinHostPort(name, port), u.Path
	where.Address = text.OneLine("tcp://" + where.address + u.Path)
	if files == nil {
		return where, nil
	}
	where.tlsFrom = files.dir
	if where.tls, err = files.config(name); err != nil {
		return Endpoint{}, err
	}
	if where.tls.InsecureSkipVerify {
		where.Source += ", its certificate is not verified"
	}
	return where, nil
}

// socket is a place where an engine usually listens.
type socket struct{ path, whose string }

// sockets lists the places, the docker command's own first.
func sockets() []socket {
	all := []socket{{strings.TrimPrefix(client.DefaultDockerHost, "unix://"), "the default socket"}}
	run := os.Getenv("XDG_RUNTIME_DIR")
	if filepath.IsAbs(run) {
		all = append(all,
			socket{filepath.Join(run, "docker.sock"), "rootless Docker's socket"},
			socket{filepath.Join(run, "podman", "podman.sock"), "rootless Podman's socket"})
	}
	return append(all, socket{"/run/podman/podman.sock", "Podman's socket"})
}

// firstSocket is the first on which somebody listens. If nobody does, the error
// is the most telling one.
func firstSocket(ctx context.Context, all []socket) (Endpoint, error) {
	var first, refused error
	var passed []string
	for _, s := range all {
		err := answers(ctx, s.path)
		if err == nil {
			source := s.whose
			if len(passed) > 0 {
				source += ", as " + strings.Join(passed, ", ")
			}
			return Endpoint{Address: text.OneLine("unix://" + s.path), Source: source, network: "unix", address: s.path}, nil
		}
		if ctx.Err() != nil {
			return Endpoint{}, fmt.Errorf("docker: %w", ctx.Err())
		}
		said := fmt.Errorf("docker: %w", explainDial("unix://"+text.OneLine(s.path), err))
		if first == nil {
			first = said
		}
		switch {
		case errors.Is(err, fs.ErrPermission):
			passed = append(passed, "permission is denied at "+s.path)
			if refused == nil {
				refused = said
			}
		case !errors.Is(err, fs.ErrNotExist):
			passed = append(passed, "nobody answers at "+s.path)
		}
	}
	if refused != nil {
		return Endpoint{}, refused
	}
	return Endpoint{}, first
}

// answers says whether somebody listens on a socket.
func answers(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	// A listener that accepts nothing any more may make us wait.
	conn, err := (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, "unix", path)
	if err != nil {
		return err
	}
	return conn.Close()
}

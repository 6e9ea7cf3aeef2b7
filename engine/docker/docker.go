// Package docker reaches Docker Engine, and what speaks its API (Podman),
// through the engine.Engine interface.
//
// An engine is trusted with our containers, not with our memory or our time:
// every call has an end, every answer a size, and an answer that makes no sense
// is engine.ErrBadAnswer instead of a zero value that might look like a
// setting. Nothing an engine answers is executed or used as a path.
//
// The API must be 1.41 or newer (Docker 20.10); the newest version that both
// sides know is negotiated. The address comes from Options or DOCKER_HOST, TLS
// from DOCKER_CERT_PATH and DOCKER_TLS_VERIFY, and DOCKER_API_VERSION fixes the
// version, all as for the docker command.
package docker

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
)

// DefaultTimeout bounds a call whose context has no deadline.
const DefaultTimeout = 30 * time.Second

// minAPI is Docker 20.10's: the first with CgroupnsMode.
const minAPI = "1.41"

// Options says where the engine is.
type Options struct {
	// Host is unix:///path or tcp://host:port; "" takes DOCKER_HOST, then the
	// platform's default socket.
	Host string
	// Timeout bounds a call whose context has no deadline; 0 is DefaultTimeout.
	Timeout time.Duration
}

// Engine is a connection to one Docker engine.
type Engine struct {
	cli     *client.Client
	dialer  *dialer
	timeout time.Duration
	podman  bool
	// warnings is what the engine said when it created a container, by ID.
	warnings sync.Map
	// profiles is the content of the seccomp profiles Podman was given, by file.
	profiles sync.Map
	// info is the first answer to Info: an engine takes its time over it, and a
	// connection lives no longer than one command.
	info atomic.Pointer[engine.Info]
}

var _ engine.Engine = (*Engine)(nil)

// New connects to an engine and agrees on an API version with it.
func New(ctx context.Context, o Options) (*Engine, error) {
	host := o.Host
	if host == "" {
		host = os.Getenv(client.EnvOverrideHost)
	}
	if host == "" {
		host = client.DefaultDockerHost
	}
	d, err := newDialer(host)
	if err != nil {
		return nil, err
	}
	cli, err := client.New(
		client.WithHost(host),
		client.WithHTTPClient(d.httpClient()), // after WithHost, which would replace our dialer
		client.WithScheme("http"),             // TLS is the dialer's business
		client.WithAPIVersionFromEnv(),
		client.WithUserAgent("tightship"),
	)
	if err != nil {
		return nil, fmt.Errorf("docker: %w: %s", engine.ErrVersion, oneLine(err.Error()))
	}
	e := &Engine{cli: cli, dialer: d, timeout: o.Timeout}
	if e.timeout <= 0 {
		e.timeout = DefaultTimeout
	}
	if err := e.handshake(ctx); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func (e *Engine) handshake(ctx context.Context) error {
	var ping client.PingResult
	err := e.do(ctx, "ping", nil, func(ctx context.Context) error {
		var err error
		ping, err = e.cli.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
		if ping.APIVersion != "" && older(ping.APIVersion, minAPI) {
			return fmt.Errorf("%w: its API is %s, %s (Docker 20.10) or newer is needed",
				engine.ErrVersion, oneLine(ping.APIVersion), minAPI)
		}
		return err
	})
	if err != nil {
		return err
	}
	if ping.APIVersion == "" {
		return fmt.Errorf("docker: ping: %w: %s names no API version, it is no Docker engine", engine.ErrBadAnswer, e.dialer.addr)
	}
	if older(e.cli.ClientVersion(), minAPI) {
		return fmt.Errorf("docker: %w: API %s was asked for, %s (Docker 20.10) or newer is needed",
			engine.ErrVersion, e.cli.ClientVersion(), minAPI)
	}
	return e.do(ctx, "version", nil, func(ctx context.Context) error {
		v, err := e.cli.ServerVersion(ctx, client.ServerVersionOptions{})
		for _, c := range v.Components {
			e.podman = e.podman || strings.HasPrefix(c.Name, "Podman")
		}
		return err
	})
}

// older compares API versions; one that cannot be read is not called old, for
// it is an error of its own.
func older(version, than string) bool {
	var major, minor, wantMajor, wantMinor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return false
	}
	fmt.Sscanf(than, "%d.%d", &wantMajor, &wantMinor)
	return major < wantMajor || major == wantMajor && minor < wantMinor
}

// Close drops idle connections. Streams stay open until they are closed.
func (e *Engine) Close() error {
	e.dialer.transport.CloseIdleConnections()
	return nil
}

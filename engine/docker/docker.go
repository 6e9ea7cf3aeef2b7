// Package docker reaches Docker Engine, and what speaks its API (Podman),
// through the engine.Engine interface.
//
// An engine is trusted with our containers, not with our memory or our time:
// every call has an end, every answer a size, and an answer that makes no sense
// is engine.ErrBadAnswer instead of a zero value that might look like a
// setting. Nothing an engine answers is executed or used as a path.
//
// Where the engine is, the docker command's variables, configuration and
// contexts say: a Unix socket, TCP with or without TLS, or ssh, for which the
// ssh command is run. Endpoint tells what was chosen and by whom. An engine that
// is not on this kernel is as good a judge of its own containers, but nobody here
// sees its /proc: engine.Info.Local is false then.
//
// The API must be 1.41 or newer (Docker 20.10); the newest version that both
// sides know is negotiated, and DOCKER_API_VERSION fixes it.
package docker

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/moby/moby/client"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/internal/text"
)

// DefaultTimeout bounds a call whose context has no deadline.
const DefaultTimeout = 30 * time.Second

// minAPI is Docker 20.10's: the first with CgroupnsMode.
const minAPI = "1.41"

// Options says where the engine is.
type Options struct {
	// Host is unix:///path, tcp://host:port or ssh://user@host; "" looks where the
	// docker command does: DOCKER_HOST, DOCKER_CONTEXT, the current context and the
	// default socket; then at the sockets of rootless Docker and of Podman.
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

var (
	_ engine.Engine  = (*Engine)(nil)
	_ engine.Deriver = (*Engine)(nil)
)

// New connects to an engine and agrees on an API version with it.
func New(ctx context.Context, o Options) (*Engine, error) {
	timeout := o.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	lctx, cancel := context.WithTimeout(ctx, timeout)
	where, err := locate(lctx, o.Host)
	cancel()
	if err != nil {
		return nil, err
	}
	d := newDialer(where)
	cli, err := client.New(
		client.WithHost("tcp://"+d.host()+where.basePath),
		client.WithHTTPClient(d.httpClient()), // after WithHost, which would replace our dialer
		client.WithScheme("http"),             // TLS is the dialer's business
		client.WithAPIVersionFromEnv(),
		client.WithUserAgent("tightship"),
	)
	if err != nil {
		return nil, fmt.Errorf("docker: %w: %s", engine.ErrVersion, text.OneLine(err.Error()))
	}
	e := &Engine{cli: cli, dialer: d, timeout: timeout}
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
				engine.ErrVersion, text.OneLine(ping.APIVersion), minAPI)
		}
		return err
	})
	if err != nil {
		return err
	}
	if ping.APIVersion == "" {
		return fmt.Errorf("docker: ping: %w: %s names no API version, it is no Docker engine", engine.ErrBadAnswer, e.dialer.where.Address)
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

// Endpoint is where the engine is, and who said so.
func (e *Engine) Endpoint() Endpoint { return e.dialer.where }

// Close drops idle connections. Streams stay open until they are closed; over
// ssh they end too, and no ssh process is left when Close returns.
func (e *Engine) Close() error {
	e.dialer.close()
	return nil
}

package broker

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"time"
)

// The control socket speaks HTTP and JSON with whoever may open it, which is the
// broker's own user: it lies outside of every sandbox's directory. What is asked for
// is in the request's body, and the answer is a list of results or an error.
//
//	POST /v1/sandboxes/add      {"name", "uid"}            → [{"mount"}]
//	POST /v1/sandboxes/bind     {"name", "container" | "cgroup" | "pid"} → [SandboxStatus]
//	POST /v1/sandboxes/remove   {"name"}
//	GET  /v1/sandboxes                                     → [SandboxStatus]
//	POST /v1/reload
//	POST /v1/revoke             {"name"}                   of a credential
//	POST /v1/restore            {"name"}
//	GET  /v1/status                                        → [Status]
//	GET  /metrics               Prometheus' text format
//	GET  /healthz               200, or 503 when nothing can be recorded

// command is the body of a request to the control socket.
type command struct {
	Name string `json:"name"`
	UID  *int   `json:"uid,omitempty"`
	Who
}

// SandboxStatus is what the broker knows of a sandbox.
type SandboxStatus struct {
	Name        string      `json:"name"`
	Mount       string      `json:"mount"` // the directory that goes into the container
	UID         int         `json:"uid"`
	Container   string      `json:"container"`
	Cgroup      string      `json:"cgroup"` // "" until it is known
	State       string      `json:"state"`  // "unbound", "waiting" (for its container) or "bound"
	Connections int         `json:"connections"`
	Uses        []UseStatus `json:"uses"`
}

// UseStatus is what a sandbox used of a credential since the broker started.
type UseStatus struct {
	Credential string `json:"credential"`
	Requests   int64  `json:"requests"`
	UnderWay   int    `json:"under_way"`
}

// Status is what the broker says of itself.
type Status struct {
	PID    int     `json:"pid"`
	Uptime float64 `json:"uptime_seconds"`
	Policy string  `json:"policy"`
	// Reload says why the policy that was read last is not at work, and the one before
	// still is; nil where that is not so.
	Reload *Problem `json:"reload_failed,omitempty"`
	// Ledger says why nothing can be recorded any more, so that nothing is served.
	Ledger      string             `json:"ledger_broken,omitempty"`
	Sandboxes   int                `json:"sandboxes"`
	Connections int64              `json:"connections"`
	Credentials []CredentialStatus `json:"credentials"`
}

// CredentialStatus is a credential without its value.
type CredentialStatus struct {
	Name     string `json:"name"`
	Listen   string `json:"listen"`
	Upstream string `json:"upstream"`
	Attach   string `json:"attach"`
	Revoked  bool   `json:"revoked"`
	State    string `json:"state"`             // one of the States
	Problem  string `json:"problem,omitempty"` // what is wrong with its source, without any value
}

// The States of a credential.
const (
	StateInUse   = "in use"       // there is a value
	StateUnused  = "not used yet" // nothing was fetched so far
	StateNoValue = "no value"     // its source gives none
	StateRevoked = "revoked"
)

// Problem is what went wrong, and when.
type Problem struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

// serveControl answers on the control socket until ctx ends.
func (b *Broker) serveControl(ctx context.Context) error {
	path := b.paths.control()
	making := b.paths.making("control")
	for _, p := range []string{path, making} {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: making, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	defer os.Remove(path)
	if err := errors.Join(os.Chmod(making, 0o600), os.Rename(making, path)); err != nil {
		return errors.Join(err, l.Close())
	}
	srv := &http.Server{Handler: b.controlHandler(), ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	b.note("broker.serving", path)
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (b *Broker) controlHandler() http.Handler {
	m := http.NewServeMux()
	handle := func(pattern string, f func(ctx context.Context, c command) (any, error)) {
		m.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			var c command
			if r.Method == http.MethodPost {
				d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
				d.DisallowUnknownFields()
				if err := d.Decode(&c); err != nil {
					reply(w, http.StatusBadRequest, nil, err)
					return
				}
			}
			results, err := f(r.Context(), c)
			reply(w, statusOf(err), results, err)
		})
	}
	handle("POST /v1/sandboxes/add", func(_ context.Context, c command) (any, error) {
		uid := int(b.world.Load().policy.User.UID)
		if c.UID != nil {
			uid = *c.UID
		}
		dir, err := b.Add(c.Name, uid)
		return []map[string]string{{"mount": dir}}, err
	})
	handle("POST /v1/sandboxes/bind", func(ctx context.Context, c command) (any, error) {
		if err := b.Bind(ctx, c.Name, c.Who); err != nil {
			return nil, err
		}
		s, err := b.sandbox(c.Name)
		if err != nil {
			return nil, err // removed in the meantime
		}
		return []SandboxStatus{s.status(b.paths.mount(c.Name))}, nil
	})
	handle("POST /v1/sandboxes/remove", func(_ context.Context, c command) (any, error) { return nil, b.Remove(c.Name) })
	handle("GET /v1/sandboxes", func(context.Context, command) (any, error) { return b.List(), nil })
	handle("POST /v1/reload", func(ctx context.Context, _ command) (any, error) { return nil, b.ReloadFile(ctx) })
	handle("POST /v1/revoke", func(_ context.Context, c command) (any, error) { return nil, b.Revoke(c.Name) })
	handle("POST /v1/restore", func(_ context.Context, c command) (any, error) { return nil, b.Restore(c.Name) })
	handle("GET /v1/status", func(ctx context.Context, _ command) (any, error) { return []Status{b.Status(ctx)}, nil })
	m.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_ = b.writeMetrics(w)
	})
	m.HandleFunc("GET /healthz", b.serveHealth)
	return m
}

func statusOf(err error) int {
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, ErrNoSandbox), errors.Is(err, ErrNoCredential):
		return http.StatusNotFound
	case errors.Is(err, ErrExists), errors.Is(err, ErrBound):
		return http.StatusConflict
	}
	return http.StatusUnprocessableEntity
}

// reply is the one form of answers: results, or what went wrong.
func reply(w http.ResponseWriter, status int, results any, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err != nil {
		_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
		return
	}
	if results == nil {
		results = []any{}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"results": results})
}

package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// ErrNotRunning says that no broker answers on a control socket.
var ErrNotRunning = errors.New("no broker is running there")

// ErrAnswer is what a broker said no with.
var ErrAnswer = errors.New("the broker refuses")

// Client speaks to the control socket of a broker.
type Client struct {
	path string
	http *http.Client
}

// NewClient is for the broker whose directory is dir. It connects when it is used.
func NewClient(dir string) *Client {
	path := paths{dir}.control()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
	return &Client{path, &http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Add makes a sandbox, for the uid of the policy where uid is below zero, and returns
// the directory to mount.
func (c *Client) Add(ctx context.Context, name string, uid int) (dir string, err error) {
	cmd := command{Name: name}
	if uid >= 0 {
		cmd.UID = &uid
	}
	var out []struct{ Mount string }
	if err := c.do(ctx, http.MethodPost, "/v1/sandboxes/add", cmd, &out); err != nil {
		return "", err
	}
	if len(out) != 1 {
		return "", fmt.Errorf("%w: it names no directory", ErrAnswer)
	}
	return out[0].Mount, nil
}

// Bind says who a sandbox is, and returns what the broker made of that.
func (c *Client) Bind(ctx context.Context, name string, who Who) (SandboxStatus, error) {
	var out []SandboxStatus
	if err := c.do(ctx, http.MethodPost, "/v1/sandboxes/bind", command{Name: name, Who: who}, &out); err != nil {
		return SandboxStatus{}, err
	}
	if len(out) != 1 {
		return SandboxStatus{}, fmt.Errorf("%w: it does not say what was bound", ErrAnswer)
	}
	return out[0], nil
}

// Remove ends a sandbox.
func (c *Client) Remove(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodPost, "/v1/sandboxes/remove", command{Name: name}, nil)
}

// List is the sandboxes.
func (c *Client) List(ctx context.Context) (all []SandboxStatus, err error) {
	return all, c.do(ctx, http.MethodGet, "/v1/sandboxes", command{}, &all)
}

// Reload has the broker read its policy again.
func (c *Client) Reload(ctx context.Context) error {
	return c.do(ctx, http.MethodPost, "/v1/reload", command{}, nil)
}

// Revoke stops the use of a credential.
func (c *Client) Revoke(ctx context.Context, credential string) error {
	return c.do(ctx, http.MethodPost, "/v1/revoke", command{Name: credential}, nil)
}

// Restore ends what Revoke began.
func (c *Client) Restore(ctx context.Context, credential string) error {
	return c.do(ctx, http.MethodPost, "/v1/restore", command{Name: credential}, nil)
}

// Status is what the broker says of itself.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var out []Status
	if err := c.do(ctx, http.MethodGet, "/v1/status", command{}, &out); err != nil {
		return Status{}, err
	}
	if len(out) != 1 {
		return Status{}, fmt.Errorf("%w: it has no status", ErrAnswer)
	}
	return out[0], nil
}

func (c *Client) do(ctx context.Context, method, path string, cmd command, results any) error {
	body, err := json.Marshal(cmd)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://broker"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(r)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: %s", ErrNotRunning, c.path)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%s: %w", c.path, os.ErrPermission)
	case err != nil:
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Results json.RawMessage
		Error   string
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%w: what it says is no JSON: %w", ErrAnswer, err)
	}
	switch {
	case answer.Error != "":
		return errors.New(answer.Error)
	case results == nil:
		return nil
	}
	return json.Unmarshal(answer.Results, results)
}

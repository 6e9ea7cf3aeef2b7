package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/secret"
)

// List is the sandboxes, by name.
func (b *Broker) List() []SandboxStatus {
	all := []SandboxStatus{}
	for _, name := range b.names() {
		s, err := b.sandbox(name)
		if err != nil {
			continue // removed in the meantime
		}
		all = append(all, s.status(b.paths.mount(name)))
	}
	return all
}

func (s *sandbox) status(mount string) SandboxStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := SandboxStatus{
		Name: s.name, Mount: mount, UID: s.bind.UID, Container: s.bind.Container,
		Cgroup: s.bind.Cgroup.String(), State: "bound", Connections: s.conns, Uses: []UseStatus{},
	}
	switch {
	case !s.bind.bound():
		out.State = "unbound"
	case len(s.bind.Cgroup) == 0:
		out.State = "waiting"
	}
	for name, u := range s.uses {
		requests, underWay := u.counts()
		out.Uses = append(out.Uses, UseStatus{name, requests, underWay})
	}
	slices.SortFunc(out.Uses, func(a, b UseStatus) int { return cmp.Compare(a.Credential, b.Credential) })
	return out
}

// Status is what the broker says of itself. It reads the values again that lie in a
// file or the environment, and were not to be had; it runs no command, opens no keyring
// and spends no login.
func (b *Broker) Status(ctx context.Context) Status {
	w := b.world.Load()
	st := Status{
		PID: os.Getpid(), Uptime: time.Since(b.began).Seconds(), Policy: w.policy.Source,
		Sandboxes: len(b.names()), Connections: b.conns.Load(), Credentials: []CredentialStatus{},
	}
	for _, c := range w.policy.Credentials {
		attach := string(c.Attach.Style)
		if c.Attach.Name != "" {
			attach += ": " + c.Attach.Name
		}
		cs := CredentialStatus{Name: c.Name, Listen: c.Route.Listen, Upstream: c.Route.Upstream, Attach: attach, Revoked: w.revoked(c.Name)}
		if cs.State = StateRevoked; !cs.Revoked {
			cs.State, cs.Problem = w.live[c.Name].state(ctx)
		}
		st.Credentials = append(st.Credentials, cs)
	}
	if err := b.o.Ledger.Broken(); err != nil {
		st.Ledger = err.Error()
	}
	if at, err := b.metrics.reloads.last(); err != nil {
		st.Reload = &Problem{at, err.Error()}
	}
	return st
}

// state is whether a credential has a value, and what is wrong with its source.
func (l *live) state(ctx context.Context) (state, problem string) {
	l.vault.mu.Lock()
	unfit := l.vault.err
	l.vault.mu.Unlock()
	looked := false
	switch kind, _, _ := strings.Cut(l.From, ":"); kind {
	case "env", "file", "age":
		const most = 2 * time.Second // a file can lie on a server that is gone
		ctx, cancel := context.WithTimeout(ctx, most)
		defer cancel()
		looked, unfit = true, l.vault.check(ctx)
	}
	var last secret.Status
	if k, ok := l.vault.secret.(interface{ Status() secret.Status }); ok {
		last = k.Status()
	}
	has := looked || !last.Fetched.IsZero()
	over := !last.Expires.IsZero() && time.Now().After(last.Expires)
	switch {
	case unfit != nil:
		return StateNoValue, unfit.Error()
	case last.Err != nil && (!has || over):
		return StateNoValue, last.Err.Error()
	case last.Err != nil:
		return StateInUse, last.Err.Error()
	case !has:
		return StateUnused, ""
	}
	return StateInUse, ""
}

// ReloadFile reads the policy again and puts it to work, and fetches the values again
// whose sources cannot be seen to change: what a command prints, and what is in a
// keyring. Where that fails, the value before stays, and the error says so.
func (b *Broker) ReloadFile(ctx context.Context) error {
	if b.o.Load == nil {
		return errors.New("the broker has no file to read its policy from")
	}
	p, err := b.reload()
	if err != nil {
		return err
	}
	var errs error
	for _, c := range p.Credentials {
		kind, _, _ := strings.Cut(c.From, ":")
		if kind != "exec" && kind != "keyring" {
			continue
		}
		l := b.world.Load().live[c.Name]
		if l == nil {
			continue // reloaded once more in the meantime
		}
		if err := l.vault.secret.Rotate(ctx); err != nil {
			errs = errors.Join(errs, fmt.Errorf("the policy is at work, and the credential %s keeps the value that it had, if any, as none can be fetched: %w", c.Name, err))
		}
	}
	return errs
}

// reload reads the policy and puts it to work, one caller after the other: else who
// read an older one could be the last to put it to work.
func (b *Broker) reload() (*policy.Policy, error) {
	b.loading.Lock()
	defer b.loading.Unlock()
	p, err := b.o.Load()
	if err == nil {
		err = b.Reload(p)
	}
	b.metrics.reloads.note(err)
	return p, err
}

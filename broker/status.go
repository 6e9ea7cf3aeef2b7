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

// Status is what the broker says of itself.
func (b *Broker) Status() Status {
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
		st.Credentials = append(st.Credentials, CredentialStatus{c.Name, c.Route.Listen, c.Route.Upstream, attach, w.revoked(c.Name)})
	}
	return st
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
			errs = errors.Join(errs, fmt.Errorf("the policy is at work, and the credential %s keeps its value, as it cannot be fetched again: %w", c.Name, err))
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
	if err != nil {
		return nil, err
	}
	return p, b.Reload(p)
}

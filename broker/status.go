package broker

import (
	"cmp"
	"errors"
	"os"
	"slices"
	"time"
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

// ReloadFile reads the policy again and puts it to work.
func (b *Broker) ReloadFile() error {
	if b.o.Load == nil {
		return errors.New("the broker has no file to read its policy from")
	}
	p, err := b.o.Load()
	if err != nil {
		return err
	}
	return b.Reload(p)
}

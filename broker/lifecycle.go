package broker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/tightship-dev/tightship/ledger"
)

// Add makes a sandbox and its socket, which serves nobody before Bind. The uid is of
// the process that will connect, as the host sees it. The directory that is returned
// is to be mounted read-only into the container, as a directory, so that the socket
// of a broker that was started again is seen.
func (b *Broker) Add(name string, uid int) (dir string, err error) {
	if !sandboxName.MatchString(name) {
		return "", fmt.Errorf("%w: not %q", ErrName, name)
	}
	if uid < 0 {
		return "", fmt.Errorf("the uid %d is below zero", uid)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sandboxes[name] != nil {
		return "", fmt.Errorf("%w: %s", ErrExists, name)
	}
	added := fmt.Sprintf("uid %d", uid)
	seq, err := b.record(b.ctx, ledger.Entry{Kind: ledger.Event, Event: "sandbox.added", Sandbox: name, Reason: added})
	if err != nil {
		return "", err
	}
	bind := binding{Name: name, UID: uid, Added: seq}
	s, err := b.open(bind)
	if err != nil {
		return "", err
	}
	if err := b.save(bind); err != nil {
		s.end()
		return "", errors.Join(err, os.RemoveAll(b.paths.mount(name)))
	}
	b.sandboxes[name] = s
	b.start(s)
	b.o.Notify(Notice{What: "sandbox.added", Sandbox: name, Text: added})
	return b.paths.mount(name), nil
}

// Who is what a sandbox is bound to: one of the three.
type Who struct {
	Container string `json:"container,omitempty"` // name or ID, of the engine that Options.Resolve asks
	Cgroup    string `json:"cgroup,omitempty"`    // exact path
	PID       int    `json:"pid,omitempty"`       // of a process that is in it
}

// Bind says who a sandbox is. A container that was only created has no cgroup yet:
// its ID is recorded, and the cgroup that the engine put it in is read and recorded
// for good when something connects for the first time. A sandbox is bound once.
func (b *Broker) Bind(ctx context.Context, name string, who Who) error {
	s, err := b.sandbox(name)
	if err != nil {
		return err
	}
	if s.binding().bound() {
		return fmt.Errorf("%w: %s: remove it and add it again", ErrBound, name)
	}
	bind, err := b.resolve(ctx, who)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sandboxes[name] != s { // while the engine was asked
		return fmt.Errorf("%w: %s was removed", ErrNoSandbox, name)
	}
	if other := b.holder(bind, name); other != "" {
		return fmt.Errorf("%w: the sandbox %s is bound to it", ErrBound, other)
	}
	s.mu.Lock()
	if s.bind.bound() {
		s.mu.Unlock()
		return fmt.Errorf("%w: %s", ErrBound, name)
	}
	bind.Name, bind.UID, bind.Added = s.bind.Name, s.bind.UID, s.bind.Added
	if err := b.save(bind); err != nil {
		s.mu.Unlock()
		return err
	}
	s.bind = bind
	s.mu.Unlock()
	b.noteSandbox("sandbox.bound", s, bind.String())
	return nil
}

// resolve finds the cgroup of whoever a sandbox is to be.
func (b *Broker) resolve(ctx context.Context, who Who) (bind binding, err error) {
	switch {
	case who.Cgroup != "":
		bind.Cgroup, err = at(who.Cgroup)
	case who.PID > 0:
		bind.Cgroup, err = cgroupOf(who.PID)
	case who.Container != "":
		if b.o.Resolve == nil {
			return bind, errors.New("there is no engine to ask for the container: give its cgroup or the PID of a process in it")
		}
		var pid int
		if bind.Container, pid, err = b.o.Resolve(ctx, who.Container); err == nil && pid > 0 {
			if bind.Cgroup, err = cgroupOf(pid); err == nil {
				err = b.still(ctx, bind.Container, pid)
			}
		}
	default:
		return bind, errors.New("a sandbox is bound to a container, a cgroup or a process")
	}
	if err == nil && len(bind.Cgroup) > 0 {
		err = bind.Cgroup.check()
	}
	return bind, err
}

// still says that a container still has the process that was looked at: else that
// could have ended in the meantime, and its number be another one's.
func (b *Broker) still(ctx context.Context, container string, pid int) error {
	_, now, err := b.o.Resolve(ctx, container)
	if err == nil && now != pid {
		err = fmt.Errorf("%w: the container %s was started again while it was looked at: try again", ErrPeer, container)
	}
	return err
}

// holder is the other sandbox that is bound to the same. b.mu is held.
func (b *Broker) holder(bind binding, name string) string {
	for _, s := range b.sandboxes {
		other := s.binding()
		if s.name != name && (other.Cgroup.equal(bind.Cgroup) || bind.Container != "" && other.Container == bind.Container) {
			return s.name
		}
	}
	return ""
}

// pinned is the cgroup that callers of a sandbox must be in.
func (b *Broker) pinned(ctx context.Context, s *sandbox) (Cgroup, error) {
	bind := s.binding()
	switch {
	case len(bind.Cgroup) > 0:
		return bind.Cgroup, nil
	case !bind.bound():
		return nil, fmt.Errorf("%w: it is bound to nobody yet", ErrPeer)
	}
	found, err := b.resolve(ctx, Who{Container: bind.Container})
	if err != nil {
		return nil, err
	}
	if found.Container != bind.Container || len(found.Cgroup) == 0 {
		return nil, fmt.Errorf("%w: the container %s does not run", ErrPeer, bind.Container)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if other := b.holder(binding{Cgroup: found.Cgroup}, s.name); other != "" {
		return nil, fmt.Errorf("%w: the sandbox %s is bound to its cgroup", ErrBound, other)
	}
	bind.Cgroup = found.Cgroup
	if err := b.save(bind); err != nil {
		return nil, err
	}
	s.pin(found.Cgroup)
	b.noteSandbox("sandbox.pinned", s, found.Cgroup.String())
	return found.Cgroup, nil
}

// Remove ends a sandbox with all of its connections, and removes its directory.
func (b *Broker) Remove(name string) error {
	s, err := b.sandbox(name)
	if err != nil {
		return err
	}
	return b.remove(s)
}

// remove ends a sandbox, unless somebody else did so in the meantime: what has its
// name then is another one.
func (b *Broker) remove(s *sandbox) error {
	s.end()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sandboxes[s.name] != s {
		return fmt.Errorf("%w: %s was removed", ErrNoSandbox, s.name)
	}
	delete(b.sandboxes, s.name)
	err := os.Remove(b.paths.binding(s.name))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	b.noteSandbox("sandbox.removed", s, "")
	return errors.Join(err, os.RemoveAll(b.paths.mount(s.name)))
}

func (b *Broker) sandbox(name string) (*sandbox, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.sandboxes[name]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("%w: %q", ErrNoSandbox, name)
}

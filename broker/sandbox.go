package broker

import (
	"context"
	"errors"
	"net"
	"regexp"
	"sync"

	"github.com/tightship-dev/tightship/broker/front"
)

// Errors about sandboxes.
var (
	ErrName      = errors.New("a sandbox's name has up to 63 of a-z, 0-9, ., _ and -, and begins with a letter or digit")
	ErrExists    = errors.New("there is such a sandbox already")
	ErrNoSandbox = errors.New("there is no such sandbox")
	ErrBound     = errors.New("the sandbox is bound already")
)

var sandboxName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// sandbox is one socket and whoever may use it.
type sandbox struct {
	name string

	// stop ends everything that the sandbox does.
	ctx  context.Context
	stop context.CancelFunc
	// done is closed when nothing is left of it.
	listener *net.UnixListener
	running  sync.WaitGroup

	denials    denials
	inspecting chan struct{} // holds one while a pack is looked into

	mu     sync.Mutex
	bind   binding
	uses   map[string]*usage // by credential
	conns  int
	serves bool
}

// binding is who a sandbox is. It is written to the state directory.
type binding struct {
	Name      string `json:"name"`
	UID       int    `json:"uid"`   // of the socket's owner
	Added     uint64 `json:"added"` // the record of that
	Container string `json:"container,omitempty"`
	// Cgroup is empty until it is known: a container that was only created has none.
	Cgroup Cgroup `json:"cgroup,omitempty"`
}

func (b binding) bound() bool { return b.Container != "" || len(b.Cgroup) > 0 }

// String is the cgroup, or while that is not known the container.
func (b binding) String() string {
	if len(b.Cgroup) > 0 {
		return b.Cgroup.String()
	}
	return "container " + b.Container
}

// usage is what the sandbox has used of a credential.
func (s *sandbox) usage(credential string) *usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.uses[credential]
	if u == nil {
		u = &usage{credential: credential}
		s.uses[credential] = u
	}
	return u
}

// enter counts a connection in, if there is room for one.
func (s *sandbox) enter(most int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns >= most {
		return false
	}
	s.conns++
	return true
}

func (s *sandbox) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns--
}

func (s *sandbox) binding() binding {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bind
}

// pin notes the cgroup of a sandbox that was bound to a container by its ID.
func (s *sandbox) pin(c Cgroup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bind.Cgroup = c
}

// cutUses ends what is under way with a credential.
func (s *sandbox) cutUses(credential string) { s.usage(credential).cut() }

// use is a request that is under way.
type use interface{ Cancel() }

var _ use = (*front.Exchange)(nil)

package broker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tightship-dev/tightship/broker/front"
	"github.com/tightship-dev/tightship/ledger"
	"github.com/tightship-dev/tightship/policy"
)

// Options is what a broker works with.
type Options struct {
	// Dir is where the sockets are, and what must be known after a restart: a
	// directory of the broker's own, with a short path.
	Dir    string
	Policy *policy.Policy
	Ledger Ledger
	// Open says where a credential's value comes from. Changed is to be called for
	// each new value, after the Secret's Values has it and before its Use does.
	Open func(c policy.Credential, changed func()) (Secret, error)
	// Load reads the policy again, for the control socket's reload; nil: it cannot.
	Load func() (*policy.Policy, error)
	// Resolve returns the ID of a container and the process that was started in it, 0
	// while it does not run. Nil: sandboxes are bound by their cgroup alone.
	Resolve func(ctx context.Context, container string) (id string, pid int, err error)
	// Revoked is the file in which revoked credentials stay so; "": until the broker ends.
	Revoked string
	// Past gives the ledger's records from a sequence number on, for the budgets of the
	// sandboxes that were there before; nil: they begin anew.
	Past func(from uint64, f func(ledger.Record)) error
	// Notify is told what an operator may want to know. It must not block.
	Notify func(Notice)
	// MaxConns is how many connections a sandbox may have, 0 is DefaultMaxConns.
	MaxConns int
	Times    front.Times // the zero value is front.DefaultTimes

	attest func(*session, peer) error // for tests
}

// DefaultMaxConns is how many connections a sandbox may have.
const DefaultMaxConns = 1024

// Notice is something that happened. It holds no value of a credential, and nothing
// that a caller chose but the names of sandboxes.
type Notice struct {
	What    string // "sandbox.bound", "caller.refused", …
	Sandbox string
	Text    string
}

// Broker is a broker at work.
type Broker struct {
	o        Options
	paths    paths
	world    atomic.Pointer[world]
	gone     revocations
	redactor *redactor

	loading   sync.Mutex // held while a policy is read and put to work
	reloading sync.Mutex
	metrics   metrics
	began     time.Time
	files     int // how many connections the process has room for
	conns     atomic.Int64
	broken    atomic.Bool // the operator was told so of the ledger

	ctx  context.Context
	stop context.CancelFunc

	mu        sync.Mutex
	sandboxes map[string]*sandbox
	lock      *os.File
}

// New opens everything that the policy needs, and the sockets of the sandboxes that
// were there before. Nothing is served before Serve.
func New(o Options) (*Broker, error) {
	if o.Policy == nil || o.Ledger == nil || o.Open == nil || o.Dir == "" {
		return nil, errors.New("broker: a directory, a policy, a ledger and a source of secrets are needed")
	}
	if o.Times == (front.Times{}) {
		o.Times = front.DefaultTimes
	}
	if o.MaxConns == 0 {
		o.MaxConns = DefaultMaxConns
	}
	if o.Notify == nil {
		o.Notify = func(Notice) {}
	}
	b := &Broker{o: o, paths: paths{o.Dir}, sandboxes: map[string]*sandbox{}, began: time.Now()}
	b.ctx, b.stop = context.WithCancel(context.Background())
	var err error
	if b.redactor, err = newRedactor(); err != nil {
		return nil, err
	}
	if b.files, err = openFiles(); err != nil {
		return nil, err
	}
	if err := b.gone.load(o.Revoked); err != nil {
		return nil, err
	}
	if b.lock, err = b.paths.prepare(); err != nil {
		return nil, err
	}
	w, err := b.newWorld(o.Policy, nil)
	if err != nil {
		b.lock.Close()
		return nil, err
	}
	b.world.Store(w)
	if err = b.restore(); err == nil {
		err = b.recount()
	}
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Serve answers on the control socket and on those of the sandboxes until ctx ends.
func (b *Broker) Serve(ctx context.Context) error {
	defer context.AfterFunc(ctx, b.stop)()
	b.mu.Lock()
	for _, s := range b.sandboxes {
		b.start(s)
	}
	b.mu.Unlock()
	return errors.Join(b.serveControl(b.ctx), b.Close())
}

// Close ends every connection and removes the sockets. The sandboxes stay known.
func (b *Broker) Close() error {
	b.stop()
	b.mu.Lock()
	all := make([]*sandbox, 0, len(b.sandboxes))
	for _, s := range b.sandboxes {
		all = append(all, s)
	}
	b.mu.Unlock()
	for _, s := range all {
		s.end()
		_ = os.Remove(b.paths.socket(s.name))
	}
	b.redactor.close()
	if w := b.world.Load(); w != nil {
		w.close(nil)
	}
	return b.lock.Close()
}

// record appends to the ledger and returns when it is durable.
func (b *Broker) record(ctx context.Context, e ledger.Entry) (uint64, error) {
	began := time.Now()
	seq, err := b.o.Ledger.Append(ctx, e)
	b.metrics.appended(time.Since(began))
	if err != nil && ctx.Err() == nil {
		b.lost(err)
	}
	return seq, err
}

// later records what nobody waits for. It is written also when its caller is gone, and
// without the refs of a push where a record has no room for them.
func (b *Broker) later(e ledger.Entry) {
	err := b.o.Ledger.Post(e)
	if errors.Is(err, ledger.ErrEntry) && len(e.Refs) > 0 {
		e.Reason += fmt.Sprintf(" (%d refs are left out, as they are too large to record)", len(e.Refs))
		e.Refs = nil
		err = b.o.Ledger.Post(e)
	}
	if err != nil {
		b.lost(err)
	}
}

// lost counts a record that is not there, and says why: once where the ledger is broken,
// as it stays so and each use fails then.
func (b *Broker) lost(err error) {
	b.metrics.lost()
	if !errors.Is(err, ledger.ErrBroken) {
		b.note("ledger.failed", err.Error())
	} else if !b.broken.Swap(true) {
		b.note("ledger.broken", err.Error()+": every use of a credential is refused: free the disk or mend it, then start the broker again")
	}
}

// note tells the operator.
func (b *Broker) note(what, text string) { b.o.Notify(Notice{What: what, Text: text}) }

// noteSandbox tells the ledger, too.
func (b *Broker) noteSandbox(what string, s *sandbox, text string) {
	b.o.Notify(Notice{What: what, Sandbox: s.name, Text: text})
	bind := s.binding()
	b.later(ledger.Entry{Kind: ledger.Event, Event: what, Sandbox: s.name, Container: bind.Container, Reason: text})
}

// cut ends what is under way with a credential, in all sandboxes.
func (b *Broker) cut(credential string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sandboxes {
		s.cutUses(credential)
	}
}

// paths is where things are.
type paths struct{ dir string }

func (p paths) control() string            { return filepath.Join(p.dir, "control.sock") }
func (p paths) state() string              { return filepath.Join(p.dir, "state") }
func (p paths) binding(name string) string { return filepath.Join(p.dir, "state", name+".json") }
func (p paths) mount(name string) string   { return filepath.Join(p.dir, "sandboxes", name) }
func (p paths) socket(name string) string  { return filepath.Join(p.mount(name), "broker.sock") }

// making is where a socket is made before it has its owner: nobody else reaches it.
func (p paths) making(name string) string { return filepath.Join(p.dir, "state", name+".sock") }

// maxSocket is how long a socket's path may be: sun_path of unix(7), with its end.
const maxSocket = 107

func checkSocket(path string) error {
	if len(path) > maxSocket {
		return fmt.Errorf("the socket's path %s has %d bytes, and %d are the most: choose a shorter name or directory", path, len(path), maxSocket)
	}
	return nil
}

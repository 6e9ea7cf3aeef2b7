// Package engine is the small interface through which the rest of the program
// reaches whatever starts containers. engine/docker implements it for an engine
// with a daemon, engine/oci without one.
//
// The interface is deliberately narrow: about ten calls, no streaming events,
// no networks, no builds. An implementation must
//
//   - bound every call by the context it is given, and return ctx.Err wrapped
//     when the engine does not answer: a wedged daemon must not wedge us;
//   - hand settings through unchanged: a setting it cannot express is an error,
//     never silently dropped;
//   - label everything it creates with the labels it is given, so that clean-up
//     after a crash finds it;
//   - never start an image's own ENTRYPOINT.
//
// It must never interpret what a container printed.
package engine

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/tightship-dev/tightship/spec"
)

// Label is the key that marks everything this program creates; its value is
// the run's ID.
const Label = "tightship"

// Ours says whether something of this name and these labels is what this program
// created: the name repeats the label's value. The label alone is a word that
// anybody may use, and an image hands it on to every container made from it.
func Ours(name string, labels map[string]string) bool {
	run := labels[Label]
	return run != "" && strings.HasPrefix(name, Label+"-"+run+"-")
}

// Errors that callers tell apart. Implementations wrap them with what happened.
var (
	ErrUnreachable = errors.New("engine is not reachable")
	ErrPermission  = errors.New("no permission to use the engine")
	ErrVersion     = errors.New("engine version is not supported")
	ErrNoImage     = errors.New("no such image")
	ErrNoContainer = errors.New("no such container")
	ErrRuntime     = errors.New("no such runtime")
	ErrBadAnswer   = errors.New("engine gave an answer that makes no sense")
	// ErrInput says that settings make no sense, or that this engine has no word for
	// them.
	ErrInput    = errors.New("cannot be expressed")
	ErrNoDerive = errors.New("no image can be derived from this one")
)

// Info is what the engine says of itself.
type Info struct {
	Name     string   // "docker"
	Version  string   // "20.10.24"
	API      string   // negotiated API version
	OS, Arch string   // of the host, GOOS/GOARCH names
	Kernel   string   // release of the engine's host
	NCPU     int      // of the engine's host
	Memory   int64    // bytes of RAM
	Cgroup   string   // "v1" or "v2"
	Runtimes []string // names the engine knows, sorted
	Runtime  string   // the default one
	LSM      string   // "apparmor", "selinux", or ""
	Rootless bool
	Driver   string   // what makes its cgroups: "cgroupfs", "systemd" or "none"
	Root     string   // the directory of its containers, on its host
	Lacks    []string // limits it cannot set: of "cpu", "memory", "pids", "swap"
	// Programs is what each runtime is, by name, as far as the engine says.
	Programs map[string]Program
	// Local says that the engine's containers are processes of this very
	// kernel and /proc here shows them.
	Local bool
}

// Program is how an engine starts a runtime: a program with arguments, or a
// containerd shim by the name of its type.
type Program struct {
	Path string // on the engine's host; without a slash it is looked up there
	Args []string
	Type string // "io.containerd.runsc.v1"
}

// Image is what the engine knows about an image.
type Image struct {
	ID       string // content ID (sha256:…)
	Digest   string // repository digest if it has one, else ID
	OS, Arch string // GOOS/GOARCH names
	Env      []string
	User     string
	Volumes  []string // mount points declared with VOLUME
	Labels   map[string]string
	// History is what its layers say of how they were made, build arguments among
	// it: a line each, in no order.
	History []string
}

// DerivedLabel marks the images that Deriver.Derive makes, with the ID of what
// they were made from. Label alone is handed on to whatever is built from them.
const DerivedLabel = Label + ".derived-from"

// State is a container's state.
type State struct {
	ID        string
	Name      string
	Image     string // content ID of the image it was made from
	Running   bool   // also while it is paused
	PID       int    // in the engine host's PID namespace; 0 when not running
	ExitCode  int
	OOMKilled bool
	Error     string
	Declared  spec.Container // its settings as the engine reports them
	// Undeclared names the fields of spec.Container, as in its JSON, of which the
	// engine's API says nothing: their values in Declared mean nothing.
	Undeclared []string
	// Other is the settings in force that spec.Container has no word for, one
	// line each ("apparmor=unconfined", "publish=80/tcp"), and the warnings the
	// engine gave when it created the container. Sorted.
	Other []string
	// Record is what spec.Container.Record asks for, to make a copy of this
	// container; nil where the engine is no Copier.
	Record json.RawMessage
}

// Reference names a container that somebody else made.
type Reference struct{ ID, Name string }

// Copier is an Engine that holds other people's containers and can make one
// with the settings of another. None of its methods starts, enters, pauses or
// changes a container.
type Copier interface {
	Engine

	// Containers lists the containers that do not carry our label, running or
	// not, by name. Labels, each KEY or KEY=VALUE, must all be there.
	Containers(ctx context.Context, labels []string) ([]Reference, error)

	// Request is what Create would ask of the engine for c, less the name: two
	// containers with the same request are alike in every setting.
	Request(c spec.Container) ([]byte, error)

	// ReadFile reads a small file of a container that need not run. The error
	// wraps fs.ErrNotExist where there is none.
	ReadFile(ctx context.Context, id, path string) ([]byte, error)
}

// Deriver is an Engine that can make an image from another one, without a
// network and without running anything.
type Deriver interface {
	Engine

	// Derive makes an image and returns its reference, by content. It carries
	// labels (ours among them), is listed by List as a Resource of kind "image" and
	// removed by RemoveImage. What both images share is not stored twice. The
	// image's own command is lost: nobody runs it. The error wraps ErrNoDerive
	// where the engine cannot make such an image.
	Derive(ctx context.Context, image string, change spec.ImageChange, labels map[string]string) (string, error)

	// RemoveImage removes an image that Derive made, and no other one. Removing
	// what is already gone is not an error.
	RemoveImage(ctx context.Context, ref string) error
}

// Stream is a running process's standard streams. Reads end with io.EOF when
// the process ends or the stream is closed. Close is safe to call twice and
// from another goroutine, and unblocks pending reads.
type Stream struct {
	Stdin          io.WriteCloser
	Stdout, Stderr io.Reader
	Close          func() error
}

// Exec is a process to start in a running container.
type Exec struct {
	Argv  []string
	User  string // "0:0"
	Stdin bool
}

// Resource is something an engine holds under our label.
type Resource struct {
	Kind  string // "container", "volume" or "image"
	ID    string
	Name  string
	RunID string // value of Label
}

// Engine starts and inspects containers. Methods are safe for concurrent use.
type Engine interface {
	Info(ctx context.Context) (Info, error)
	Image(ctx context.Context, ref string) (Image, error)

	CreateVolume(ctx context.Context, name string, labels map[string]string) error

	// Create makes a container from exactly these settings and returns its ID.
	// It does not start it. Health checks are switched off.
	Create(ctx context.Context, name string, c spec.Container) (string, error)

	// CopyTo unpacks an uncompressed tar stream at the container's "/", keeping
	// owners, modes and extended attributes. The container need not run.
	CopyTo(ctx context.Context, id string, tar io.Reader) error

	// Attach connects to the first process's streams; call it before Start so
	// that nothing is lost.
	Attach(ctx context.Context, id string) (*Stream, error)
	Start(ctx context.Context, id string) error

	// Exec starts a process in a running container and connects to it.
	Exec(ctx context.Context, id string, e Exec) (*Stream, error)

	Inspect(ctx context.Context, id string) (State, error)

	// Wait blocks until the container is not running and returns its exit code.
	Wait(ctx context.Context, id string) (int, error)
	Kill(ctx context.Context, id, signal string) error

	// Remove removes a container by force, with its anonymous volumes. Removing
	// what is already gone is not an error.
	Remove(ctx context.Context, id string) error
	RemoveVolume(ctx context.Context, name string) error

	// List returns everything under our label; a runID of "" means every run's.
	List(ctx context.Context, runID string) ([]Resource, error)

	Close() error
}

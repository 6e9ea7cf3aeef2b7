package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tightship-dev/tightship/engine"
)

// Limit bounds every probe. They run side by side, so that a few that hang cost
// no more time than one. A busy or emulated machine takes several seconds to load
// one runtime, and what is given up is said to be missing.
const Limit = 15 * time.Second

// Probes is how Look reaches the machine. No field may be nil. A function gets a
// context that ends in time; one that does not heed it is left behind.
type Probes struct {
	GOOS, Arch string
	UID        int
	User       string
	Cores      int
	Now        func() time.Time
	FS         fs.FS // the machine's root directory
	Getenv     func(string) string

	// Connect reaches the engine at an address as DOCKER_HOST takes it.
	Connect func(ctx context.Context, host string) (engine.Engine, error)
	// Leftovers lists what dead runs left with an engine.
	Leftovers func(context.Context, engine.Engine) ([]engine.Resource, error)
	// Version runs a program with --version and returns the beginning of what it
	// printed.
	Version func(ctx context.Context, path string) ([]byte, error)
	// Writable returns why a directory cannot be made or written to, nil if it can.
	Writable func(dir string) error
	// Account says whether the kernel shows us the state of another's process.
	Account func() bool
	// Guest returns why there is no guest program for an architecture.
	Guest func(arch string) error

	Dir        string // where this program lies
	Title      string // its version
	RunDir     string // where runs mark that they are alive
	Daemonless bool   // it can verify without an engine
	Image      string // the reference image
}

// Look asks everything. It returns within a few times Limit, whatever hangs.
func Look(ctx context.Context, p Probes) Facts {
	f := Facts{Now: p.Now(), GOOS: p.GOOS, Arch: p.Arch, UID: p.UID, User: p.User, APIVersion: p.Getenv("DOCKER_API_VERSION")}
	var mu sync.Mutex
	late := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		f.Late = append(f.Late, what)
	}
	var group sync.WaitGroup
	group.Go(func() {
		if p.GOOS != "linux" {
			return
		}
		var ok bool
		if f.Host, ok = within(ctx, func(context.Context) Host { return p.host() }); !ok {
			late("this machine's /proc and /sys")
		}
	})
	group.Go(func() {
		var ok bool
		if f.Programs, ok = within(ctx, p.programs); !ok {
			late("the programs in the PATH")
		}
	})
	group.Go(func() {
		var ok bool
		if f.Self, ok = within(ctx, func(context.Context) Self { return p.self() }); !ok {
			f.Self = p.known()
			f.Self.RunDirErr = errors.New("it does not answer in time")
		}
	})
	group.Go(func() {
		places, ok := within(ctx, func(context.Context) []Endpoint { return p.endpoints() })
		if !ok {
			late("the docker command's configuration")
		}
		f.Engines = p.askAll(ctx, places)
	})
	group.Wait()
	f.Self.Guests = map[string]error{}
	for _, e := range f.Engines {
		p.guest(ctx, f.Self.Guests, e.Info.Arch)
	}
	if len(f.Self.Guests) == 0 {
		p.guest(ctx, f.Self.Guests, p.Arch)
	}
	return f
}

func (p Probes) guest(ctx context.Context, guests map[string]error, arch string) {
	if _, known := guests[arch]; known || arch == "" {
		return
	}
	err, ok := within(ctx, func(context.Context) error { return p.Guest(arch) })
	if !ok {
		err = fmt.Errorf("reading it took too long")
	}
	guests[arch] = err
}

func (p Probes) self() Self {
	s := p.known()
	s.RunDirErr, s.Account = p.Writable(p.RunDir), p.Account()
	return s
}

// known is what needs no probe.
func (p Probes) known() Self {
	return Self{Version: p.Title, RunDir: p.RunDir, Daemonless: p.Daemonless, Image: p.Image}
}

// askAll connects to all endpoints at once.
func (p Probes) askAll(ctx context.Context, places []Endpoint) []Engine {
	out := make([]Engine, len(places))
	var group sync.WaitGroup
	for i, place := range places {
		group.Go(func() {
			e, ok := within(ctx, func(ctx context.Context) Engine { return p.ask(ctx, place) })
			if !ok {
				e = Engine{Endpoint: place, Err: fmt.Errorf("%w: it does not answer in time: %w", engine.ErrUnreachable, context.DeadlineExceeded)}
			}
			out[i] = e
		})
	}
	group.Wait()
	return out
}

func (p Probes) ask(ctx context.Context, place Endpoint) Engine {
	e := Engine{Endpoint: place, Socket: p.socket(place.Host),
		TLS: p.Getenv("DOCKER_TLS_VERIFY") != "" || p.Getenv("DOCKER_CERT_PATH") != ""}
	host := place.Host
	if place.Used && strings.HasPrefix(place.From, "docker context") {
		host = "" // its certificates are in the context's own folder
	}
	eng, err := p.Connect(ctx, host)
	if err != nil {
		e.Err = err
		return e
	}
	defer eng.Close()
	if e.Info, e.Err = eng.Info(ctx); e.Err != nil {
		return e
	}
	_, err = eng.Image(ctx, p.Image)
	e.Image = err == nil
	for name, program := range e.Info.Programs {
		if e.Info.Local && path.IsAbs(program.Path) {
			if _, err := p.stat(program.Path); errors.Is(err, fs.ErrNotExist) {
				e.Absent = append(e.Absent, name)
			}
		}
	}
	slices.Sort(e.Absent)
	e.Left, e.LeftErr = p.Leftovers(ctx, eng)
	return e
}

// within returns what f returns, or false when that takes too long. f's context
// ends a little earlier, so that it can say itself what it was waiting for.
func within[T any](ctx context.Context, f func(context.Context) T) (T, bool) {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	inner, stop := context.WithTimeout(ctx, Limit-Limit/10)
	defer stop()
	done := make(chan T, 1)
	go func() { done <- f(inner) }()
	select {
	case v := <-done:
		return v, true
	case <-ctx.Done():
		var none T
		return none, false
	}
}

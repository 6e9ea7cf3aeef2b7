package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Errors about the broker's directory.
var (
	ErrRunning = errors.New("another broker runs there already")
	// ErrDir says that others could write there, and so make sandboxes of their own.
	ErrDir = errors.New("the directory is not the broker's own")
)

// prepare makes the directories. Containers see only what is below sandboxes/NAME;
// the control socket and the state are beside it.
func (p paths) prepare() (*os.File, error) {
	if err := ownDir(p.dir, 0o711); err != nil {
		return nil, err
	}
	for dir, mode := range map[string]os.FileMode{p.state(): 0o700, filepath.Join(p.dir, "sandboxes"): 0o711} {
		if err := ownDir(dir, mode); err != nil {
			return nil, err
		}
		if err := os.Chmod(dir, mode); err != nil { // whatever the umask made of it
			return nil, err
		}
	}
	if err := checkSocket(p.control()); err != nil {
		return nil, err
	}
	return lockDir(filepath.Join(p.state(), "lock"))
}

// restore reads the sandboxes of a broker that ran before.
func (b *Broker) restore() error {
	entries, err := os.ReadDir(b.paths.state())
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue
		}
		data, err := os.ReadFile(b.paths.binding(name))
		if err != nil {
			return err
		}
		var bind binding
		if err := json.Unmarshal(data, &bind); err != nil || bind.Name != name {
			return fmt.Errorf("the state of the sandbox %s cannot be read: remove %s and add the sandbox again", name, b.paths.binding(name))
		}
		s, err := b.open(bind)
		if err != nil {
			return err
		}
		b.sandboxes[name] = s
	}
	return nil
}

func (b *Broker) save(bind binding) error { return writeJSON(b.paths.binding(bind.Name), bind) }

// writeJSON writes a file so that a crash leaves the old one or the new one, and the new
// one once it has returned.
func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// open makes the socket of a sandbox: private first, and in its place only when it
// has its owner and mode.
func (b *Broker) open(bind binding) (*sandbox, error) {
	final, making := b.paths.socket(bind.Name), b.paths.making(bind.Name)
	for _, path := range []string{final, making} {
		if err := checkSocket(path); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(b.paths.mount(bind.Name), 0o711); err != nil {
		return nil, err
	}
	if err := os.Chmod(b.paths.mount(bind.Name), 0o711); err != nil {
		return nil, err
	}
	if err := os.Remove(making); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: making, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	err = os.Chmod(making, 0o600)
	if err == nil && bind.UID != os.Geteuid() {
		if err = os.Lchown(making, bind.UID, -1); errors.Is(err, syscall.EPERM) {
			err = fmt.Errorf("the socket cannot be given to uid %d without root: run the broker as root or as that user, or give --uid %d where the engine maps you to the container's user", bind.UID, os.Geteuid())
		}
	}
	if err == nil {
		err = os.Rename(making, final)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close(), os.Remove(making))
	}
	s := &sandbox{name: bind.Name, bind: bind, listener: l, uses: map[string]*usage{}, inspecting: make(chan struct{}, 1)}
	s.ctx, s.stop = context.WithCancel(b.ctx)
	return s, nil
}

// names are the sandboxes, sorted.
func (b *Broker) names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]string, 0, len(b.sandboxes))
	for name := range b.sandboxes {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

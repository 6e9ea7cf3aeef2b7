package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// disk is a layer that forgets: of a file it keeps what was synced, and of a
// directory the names that were there when it was synced. After crash it holds
// only that. It also fails on demand.
type disk struct {
	mu    sync.Mutex
	names map[string]*inode // as a program sees them
	kept  map[string]*inode // as the disk has them
	held  map[string]bool

	ops    map[string]int // writes, syncs, renames and so on so far, by their kind
	fault  fault
	failed bool
	noSync bool // the mutation: a sync does nothing
}

// fault is an operation that fails: the nth of a kind. What goes on in the
// background may come sooner or later, so a number over all would not name it.
type fault struct {
	kind string // as kindOf says
	nth  int    // from 1
	torn int    // how many bytes of a failing write are written, and survive
}

func (f fault) String() string {
	return fmt.Sprintf("%s %d, %d bytes of it done", f.kind, f.nth, f.torn)
}

// kindOf is the same for what is done to the same sort of file: segments are told
// apart by nothing but their numbers.
func kindOf(op, path string) string {
	return op + " " + strings.TrimLeft(filepath.Base(path), "0123456789")
}

const segmentWrite = "write " + plain

type inode struct {
	data, synced []byte
}

func newDisk() *disk {
	return &disk{names: map[string]*inode{}, kept: map[string]*inode{}, held: map[string]bool{}, ops: map[string]int{}}
}

var errDisk = errors.New("the disk failed")

// op counts an operation that may fail. After the one that failed, all do: a
// program that goes on is found out.
func (d *disk) op(op, path string) error {
	kind := kindOf(op, path)
	d.ops[kind]++
	if d.failed || kind == d.fault.kind && d.ops[kind] == d.fault.nth {
		d.failed = true
		return errDisk
	}
	return nil
}

// crash forgets what was not synced. The program that wrote is dead.
func (d *disk) crash() *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	after := newDisk()
	for name, n := range d.kept {
		c := &inode{data: bytes.Clone(n.synced), synced: bytes.Clone(n.synced)}
		after.names[name], after.kept[name] = c, c
	}
	return after
}

// kill is the death of the program alone: what was written is there.
func (d *disk) kill() *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	after := newDisk()
	for name, n := range d.names {
		c := &inode{data: bytes.Clone(n.data), synced: bytes.Clone(n.data)}
		after.names[name], after.kept[name] = c, c
	}
	return after
}

func (d *disk) mkdir(string) error { return nil }

func (d *disk) list(dir string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for path := range d.names {
		if filepath.Dir(path) == dir {
			names = append(names, filepath.Base(path))
		}
	}
	return names, nil
}

func (d *disk) open(path string, flag int, _ fs.FileMode) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[path]
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, fs.ErrNotExist
	case n == nil:
		if err := d.op("create", path); err != nil {
			return nil, err
		}
		n = &inode{}
		d.names[path] = n
	case flag&os.O_TRUNC != 0:
		n.data = nil
	}
	return &handle{d: d, n: n, path: path}, nil
}

func (d *disk) rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.op("rename", from); err != nil {
		return err
	}
	d.names[to] = d.names[from]
	delete(d.names, from)
	return nil
}

func (d *disk) remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[path] == nil {
		return fs.ErrNotExist
	}
	if err := d.op("remove", path); err != nil {
		return err
	}
	delete(d.names, path)
	return nil
}

func (d *disk) syncDir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.op("sync", dir); err != nil {
		return err
	}
	for path := range d.kept {
		if filepath.Dir(path) == dir {
			delete(d.kept, path)
		}
	}
	for path, n := range d.names {
		if filepath.Dir(path) == dir {
			d.kept[path] = n
		}
	}
	return nil
}

func (d *disk) lock(path string) (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held[path] {
		return nil, ErrInUse
	}
	d.held[path] = true
	return unlocker{d, path}, nil
}

type unlocker struct {
	d    *disk
	path string
}

func (u unlocker) Close() error {
	u.d.mu.Lock()
	defer u.d.mu.Unlock()
	delete(u.d.held, u.path)
	return nil
}

type handle struct {
	d    *disk
	n    *inode
	path string
	at   int
}

func (h *handle) Read(p []byte) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if h.at >= len(h.n.data) {
		return 0, io.EOF
	}
	n := copy(p, h.n.data[h.at:])
	h.at += n
	return n, nil
}

func (h *handle) Write(p []byte) (int, error) {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	before := h.d.failed
	if err := h.d.op("write", h.path); err != nil {
		n := 0
		if !before {
			n = min(h.d.fault.torn, len(p))
			h.n.data = append(h.n.data, p[:n]...)
			h.n.synced = bytes.Clone(h.n.data)
		}
		return n, err
	}
	h.n.data = append(h.n.data, p...)
	return len(p), nil
}

func (h *handle) Sync() error {
	h.d.mu.Lock()
	defer h.d.mu.Unlock()
	if h.d.noSync {
		return nil
	}
	if err := h.d.op("sync", h.path); err != nil {
		return err
	}
	h.n.synced = bytes.Clone(h.n.data)
	return nil
}

func (h *handle) Close() error { return nil }

// pub is the verifier key on the disk, "" if there is none yet.
func (d *disk) pub(dir string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.names[KeyFileOf(dir)+".pub"]; n != nil {
		return strings.TrimSpace(string(n.data))
	}
	return ""
}

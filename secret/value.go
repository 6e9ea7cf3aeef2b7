package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
	"sync"
)

// MaxSize is how many bytes a credential may have.
const MaxSize = 64 << 10

// hidden is what a Value prints as.
const hidden = "[secret]"

// Value is a credential in locked memory. Make it with New or by a Source; the
// zero Value is closed. It is safe for concurrent use.
type Value struct {
	// A function, as fmt follows pointers, but no functions: of the unexported fields
	// of a struct it may call no methods, and a verb that fits nothing (%q of a
	// struct) makes it print all that it can reach.
	inside func() *inside
}

// hide makes a Value of what is in one.
func hide(in *inside) *Value { return &Value{func() *inside { return in }} }

func (v *Value) in() *inside {
	if v.inside == nil {
		return nil
	}
	return v.inside()
}

type inside struct {
	mu     sync.Mutex
	mem    region
	n      int // of mem that is the value
	users  int
	closed bool
}

// New keeps a copy of b and wipes b. The error wraps ErrEmpty or ErrTooLong, or
// is the kernel's, which had no memory.
func New(b []byte) (*Value, error) {
	defer clear(b)
	switch {
	case len(b) == 0:
		return nil, ErrEmpty
	case len(b) > MaxSize:
		return nil, ErrTooLong
	}
	mem, err := allocate(len(b))
	if err != nil {
		return nil, err
	}
	copy(mem.bytes, b)
	return hide(&inside{mem: mem, n: len(b)}), nil
}

// Use lends the value to f, which must neither keep nor change it. It is valid
// until f returns, also if the Value is closed meanwhile. The error is ErrClosed,
// and then f was not called.
func (v *Value) Use(f func(b []byte)) error {
	if !v.hold() {
		return ErrClosed
	}
	v.lend(f)
	return nil
}

// hold keeps the memory until lend or in.done is called, and says whether there
// still is any.
func (v *Value) hold() bool {
	in := v.in()
	if in == nil {
		return false
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return false
	}
	in.users++
	return true
}

// lend calls f and ends one hold.
func (v *Value) lend(f func(b []byte)) {
	// Deferred: a panic in f must not keep the memory for good.
	in := v.in()
	defer in.done()
	f(in.mem.bytes[:in.n:in.n])
}

func (in *inside) done() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.users--
	in.freeLocked()
}

func (in *inside) freeLocked() {
	if in.closed && in.users == 0 {
		in.mem.free()
	}
}

// Close wipes the value and gives its memory back: at once, or when the last
// Use of it returns. More than once is fine.
func (v *Value) Close() {
	in := v.in()
	if in == nil {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.closed {
		in.closed = true
		in.freeLocked()
	}
}

// Locked says whether the kernel agreed to keep the value out of swap and core
// dumps. Where it did not, RLIMIT_MEMLOCK (ulimit -l) is most likely too low.
func (v *Value) Locked() bool {
	in := v.in()
	return in != nil && in.mem.locked
}

// CheckHeader says whether the value can stand in an HTTP header. The error
// wraps ErrHeader and says where in the value the character is.
func (v *Value) CheckHeader() error {
	var bad error
	err := v.Use(func(b []byte) {
		for i, c := range b {
			if c < ' ' && c != '\t' || c == 0x7f {
				bad = fmt.Errorf("%w: a control character, %d bytes from its start", ErrHeader, i)
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return bad
}

// equal says whether two values are the same, in a time that depends on their
// lengths alone. A closed one equals nothing.
func (v *Value) equal(w *Value) bool {
	same := false
	v.Use(func(a []byte) {
		w.Use(func(b []byte) { same = subtle.ConstantTimeCompare(a, b) == 1 })
	})
	return same
}

// String is "[secret]".
func (Value) String() string { return hidden }

// GoString is "[secret]".
func (Value) GoString() string { return hidden }

// Format writes "[secret]", whatever the verb.
func (Value) Format(s fmt.State, _ rune) { s.Write([]byte(hidden)) }

// MarshalText is "[secret]".
func (Value) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON is "[secret]", quoted.
func (Value) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// LogValue is "[secret]".
func (Value) LogValue() slog.Value { return slog.StringValue(hidden) }

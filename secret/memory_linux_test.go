package secret

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapping is one of /proc/PID/smaps.
type mapping struct {
	from, to uint64
	perms    string
	flags    []string
	lockedKB int
	rssKB    int
}

func mappings(t *testing.T, pid string) []mapping {
	t.Helper()
	f, err := os.Open("/proc/" + pid + "/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []mapping
	for s := bufio.NewScanner(f); s.Scan(); {
		line := s.Text()
		var m mapping
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &m.from, &m.to, &m.perms); n == 3 && len(m.perms) == 4 {
			all = append(all, m)
			continue
		}
		last := &all[len(all)-1]
		if rest, ok := strings.CutPrefix(line, "VmFlags:"); ok {
			last.flags = strings.Fields(rest)
		}
		fmt.Sscanf(line, "Locked: %d kB", &last.lockedKB)
		fmt.Sscanf(line, "Rss: %d kB", &last.rssKB)
	}
	return all
}

func (m mapping) has(flag string) bool { return slices.Contains(m.flags, flag) }

func at(all []mapping, addr uint64) *mapping {
	for i := range all {
		if all[i].from <= addr && addr < all[i].to {
			return &all[i]
		}
	}
	return nil
}

func vmLck(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "VmLck:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Not parallel, as the whole process's locked memory is counted.
func TestValueIsLockedAndLeftOutOfDumps(t *testing.T) {
	before := vmLck(t)
	v, err := New(bytes.Repeat([]byte("k"), 3*os.Getpagesize()))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if !v.Locked() {
		t.Skip("SKIPPED: this machine lets nothing be locked (ulimit -l)")
	}
	if got, want := vmLck(t)-before, 3*os.Getpagesize()>>10; got != want {
		t.Errorf("VmLck grew by %d kB, want %d", got, want)
	}
	var addr uint64
	v.Use(func(b []byte) { addr = uint64(uintptr(unsafe.Pointer(&b[0]))) })
	m := at(mappings(t, "self"), addr)
	if m == nil || !m.has("lo") || !m.has("dd") || m.lockedKB == 0 {
		t.Errorf("the mapping is not locked and left out of dumps: %+v", m)
	}
	// The control: Go's heap is neither.
	heap := make([]byte, 1<<20)
	if m := at(mappings(t, "self"), uint64(uintptr(unsafe.Pointer(&heap[0])))); m == nil || m.has("lo") || m.has("dd") {
		t.Errorf("the heap is: %+v", m)
	}
	v.Close()
	if got := vmLck(t); got != before {
		t.Errorf("VmLck is %d kB after Close, %d before New", got, before)
	}
	if m := at(mappings(t, "self"), addr); m != nil && m.has("dd") {
		t.Errorf("still mapped: %+v", m)
	}
}

func TestFreeWipesBeforeItUnmaps(t *testing.T) {
	// Memory that both see, so that what was there can be looked at afterwards.
	fd, err := unix.MemfdCreate("wiped", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, 4096); err != nil {
		t.Fatal(err)
	}
	shared, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	copy(shared, "still there")
	(&region{bytes: shared}).free()
	left := make([]byte, 16)
	if _, err := unix.Pread(fd, left, 0); err != nil || !bytes.Equal(left, make([]byte, 16)) {
		t.Errorf("%q is left, %v", left, err)
	}
}

func init() {
	// Fetches a reference when told so, and closes the value when told so.
	children["holder"] = func() error {
		in := bufio.NewReader(os.Stdin)
		s, err := Open(os.Getenv("FROM"), Options{})
		if err != nil {
			return err
		}
		v, _, err := s.Fetch(context.Background())
		if err != nil {
			return err
		}
		fmt.Println("held")
		in.ReadString('\n')
		v.Close()
		fmt.Println("closed")
		_, err = in.ReadString('\n')
		return err
	}
	children["unlocked"] = func() error {
		runtime.LockOSThread() // capabilities are a thread's
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&head, &none[0]); err != nil {
			return err
		}
		if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{}); err != nil {
			return err
		}
		v, err := New([]byte("abc"))
		if err != nil {
			return err
		}
		w, err := fill(strings.NewReader(strings.Repeat("x", 10000)))
		if err != nil {
			return err
		}
		fmt.Println(v.Locked(), w.Locked())
		return nil
	}
	children["harden"] = func() error {
		if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 0, Max: 4096}); err != nil {
			return err
		}
		before, _ := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		err := Harden()
		after, _ := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
		var core unix.Rlimit
		unix.Getrlimit(unix.RLIMIT_CORE, &core)
		fmt.Println(before, after, core.Cur, core.Max, err)
		return nil
	}
}

func TestSaysWhenMemoryIsNotLocked(t *testing.T) {
	if got := startChild(t, "unlocked").line(t); got != "false false" {
		t.Errorf("got %q", got)
	}
}

func TestHarden(t *testing.T) {
	if got := startChild(t, "harden").line(t); got != "1 0 0 0 <nil>" {
		t.Errorf("dumpable before and after, core limits, error: %s", got)
	}
}

// copies is where in a process's writable memory a text is.
func copies(t *testing.T, pid int, text string) (where []mapping) {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Skipf("SKIPPED: the memory of a child cannot be read here: %v", err)
	}
	defer f.Close()
	pages, err := os.Open(fmt.Sprintf("/proc/%d/pagemap", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer pages.Close()
	size := os.Getpagesize()
	for _, m := range mappings(t, strconv.Itoa(pid)) {
		// The largest are the race detector's, which keeps no data there.
		if !strings.HasPrefix(m.perms, "rw") || m.rssKB == 0 || m.to-m.from > 256<<20 {
			continue
		}
		entries := make([]byte, int(m.to-m.from)/size*8)
		if _, err := pages.ReadAt(entries, int64(m.from)/int64(size)*8); err != nil {
			t.Fatal(err)
		}
		data := make([]byte, 0, m.rssKB<<10)
		for i := 0; i < len(entries); i += 8 {
			if entries[i+7]>>6 == 0 { // neither in memory nor swapped out
				continue
			}
			at := len(data)
			data = slices.Grow(data, size)[:at+size]
			n, err := f.ReadAt(data[at:], int64(m.from)+int64(i/8*size))
			if err != nil && !errors.Is(err, unix.EIO) && !errors.Is(err, unix.EFAULT) && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			data = data[:at+n]
		}
		for range bytes.Count(data, []byte(text)) {
			where = append(where, m)
		}
	}
	return where
}

// While a value of file: or exec: is held, the process has it once: in memory that
// is locked and left out of dumps. After Close it has it nowhere.
func TestHeldOnceAndGoneAfterClose(t *testing.T) {
	secret := plant()
	path := tempFile(t, secret+"\n")
	long := plant()
	longPath := tempFile(t, strings.Repeat("-", 9000)+long)
	for _, tt := range []struct{ name, from, secret string }{
		{"file", "file:" + path, secret},
		{"exec", "exec:cat " + path, secret},
		{"file of three pages", "file:" + longPath, long},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := startChild(t, "holder", "FROM="+tt.from)
			c.line(t)
			where := copies(t, c.Process.Pid, tt.secret)
			if len(where) != 1 || !where[0].has("lo") || !where[0].has("dd") {
				t.Errorf("while it is held: %+v", where)
			}
			fmt.Fprintln(c.stdin)
			c.line(t)
			if where := copies(t, c.Process.Pid, tt.secret); len(where) != 0 {
				t.Errorf("after Close: %+v", where)
			}
			fmt.Fprintln(c.stdin)
		})
	}
	// The control, and what the package comment says of env: it is found elsewhere.
	t.Run("env", func(t *testing.T) {
		c := startChild(t, "holder", "FROM=env:PLANTED", "PLANTED="+secret)
		c.line(t)
		if where := copies(t, c.Process.Pid, secret); len(where) < 2 {
			t.Errorf("only in %+v", where)
		}
		fmt.Fprintln(c.stdin)
		c.line(t)
		if len(copies(t, c.Process.Pid, secret)) == 0 {
			t.Error("nowhere: then the package comment can promise more")
		}
		environ, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(c.Process.Pid), "environ"))
		if err != nil || !bytes.Contains(environ, []byte(secret)) {
			t.Errorf("not in /proc/PID/environ (%v): then the package comment can promise more", err)
		}
		fmt.Fprintln(c.stdin)
	})
}

// Command dump writes every byte that its user can read in a container to standard
// output, but for the image's own files: what is mounted, and of every process its
// command line, environment and memory. It is told nothing, as whatever it were told
// would be found: who looks for something in those bytes does so outside.
//
// With arguments it first starts the first one as a shell's line, and waits until that
// wrote all of the others to /tmp/said. Where a process may read the memory of its
// descendants only, as on gVisor, that is how there is any to read. They live on.
//
// Standard error says in one line each what could be read of each kind.
package main

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// notFiles is mounts whose files are made up as they are read. The processes' files
// in proc are read by name.
var notFiles = []string{"proc", "sysfs", "cgroup", "cgroup2", "mqueue", "devpts"}

// largest is the most that is read of one mapping. What Node.js and Go reserve goes
// into the terabytes, and is not there.
const largest = 1 << 30

var out = bufio.NewWriterSize(os.Stdout, 1<<20)

func main() {
	if len(os.Args) > 1 {
		if err := begin(os.Args[1], os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
	}
	files, processes, memories := mounted(), 0, 0
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if filepath.Base(dir) == strconv.Itoa(os.Getpid()) {
			continue
		}
		read := 0
		for _, name := range []string{"cmdline", "environ", "comm", "maps", "status", "auxv"} {
			read += copyFile(filepath.Join(dir, name))
		}
		if read > 0 {
			processes++
		}
		memories += memory(dir)
	}
	if err := out.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "files %d\nprocesses %d\nmemories %d\n", files, processes, memories)
}

// begin starts a line and waits until it is at work.
func begin(line string, words []string) error {
	const said = "/tmp/said"
	f, err := os.Create(said)
	if err != nil {
		return err
	}
	defer f.Close()
	c := exec.Command("sh", "-c", line)
	c.Stdout, c.Stderr = f, f
	if err := c.Start(); err != nil {
		return err
	}
	const most = 60 * time.Second // of a machine that is busy with others
	for deadline := time.Now().Add(most); ; time.Sleep(50 * time.Millisecond) {
		b, err := os.ReadFile(said)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(string(b), w) }) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it said only %q", b)
		}
	}
}

// mounted reads the files of everything that is mounted but the root, and counts them.
func mounted() int {
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	n := 0
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) < 3 || f[1] == "/" || slices.Contains(notFiles, f[2]) {
			continue
		}
		_ = filepath.WalkDir(f[1], func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				n += copyFile(path)
			} else if err == nil {
				fmt.Fprintln(out, path) // names can hold something too
			}
			return nil
		})
	}
	return n
}

// copyFile returns 1 if the file could be read.
func copyFile(path string) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	fmt.Fprintf(out, "\n== %s\n", path)
	if _, err := io.Copy(out, f); err != nil {
		return 0
	}
	return 1
}

// memory returns 1 if some of a process's memory could be read.
func memory(dir string) int {
	maps, err := os.ReadFile(filepath.Join(dir, "maps"))
	if err != nil {
		return 0
	}
	mem, err := os.Open(filepath.Join(dir, "mem"))
	if err != nil {
		return 0
	}
	defer mem.Close()
	fmt.Fprintf(out, "\n== %s/mem\n", dir)
	any := 0
	page := make([]byte, 1<<20)
	for line := range strings.Lines(string(maps)) {
		f := strings.Fields(line)
		from, to, ok := strings.Cut(f[0], "-")
		begin, err1 := strconv.ParseUint(from, 16, 63)
		end, err2 := strconv.ParseUint(to, 16, 63)
		// Of files that are mapped and not written to, the files themselves are read.
		if !ok || err1 != nil || err2 != nil || end-begin > largest || !strings.HasPrefix(f[1], "rw") {
			continue
		}
		for at := begin; at < end; {
			n, _ := mem.ReadAt(page[:min(uint64(len(page)), end-at)], int64(at))
			if n == 0 {
				at = at&^4095 + 4096 // a page that is not there
				continue
			}
			_, _ = out.Write(page[:n])
			any, at = 1, at+uint64(n)
		}
	}
	return any
}

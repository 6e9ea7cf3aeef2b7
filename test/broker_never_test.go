package test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// place is bytes that nobody may find a credential in.
type place struct {
	name   string
	bytes  func(io.Writer) error
	decoys []string // what was put there to be found
}

// testNeverInside searches what the container can read while clients are at work in
// it: its whole file system, what is mounted, and of every process the command line,
// environment and memory.
func testNeverInside(w *brokerWorld) {
	t := w.t
	file, temporary := w.decoy("the workspace"), w.decoy("the temporary directory")
	environment, memory := w.decoy("an environment"), w.decoy("a memory")
	if _, stderr, code := w.exec(nil, fmt.Sprintf("echo %s >decoy && echo %s | base64 >/tmp/decoy", file, temporary)); code != 0 {
		t.Fatal(stderr)
	}
	w.held.Store(true)
	line := "python3 /scripts/hold_memory.py " + rot13(memory) + " & python3 /scripts/anthropic_stream.py"
	var counts string
	w.search(place{"what a process in the container can read", func(to io.Writer) (err error) {
		counts, err = pour(to, "docker", "exec", "--env", "DECOY="+environment, "--env", "ANTHROPIC_BASE_URL="+base("anthropic"),
			"--env", "ANTHROPIC_API_KEY=placeholder", w.id, "/.tightship/dump", line, "held\n", "Hello")
		return err
	}, []string{file, temporary, environment, memory}})
	t.Logf("read inside:\n%s", counts)
	w.search(place{"the file system, as the engine exports it", func(to io.Writer) error {
		_, err := pour(to, "docker", "export", w.id)
		return err
	}, nil})
	// It was under way all the time.
	w.release(nil)
	w.wait("the stream's end", func() bool {
		said, _, _ := w.exec(nil, "cat /tmp/said")
		return strings.Contains(said, " from upstream\nstop: end_turn\n")
	})
}

// testNeverOutside searches what stays when the broker has ended.
func testNeverOutside(w *brokerWorld) {
	w.search(place{"what the engine knows of the container", func(to io.Writer) error {
		_, err := pour(to, "docker", "inspect", w.id)
		return err
	}, []string{w.decoys["the engine"]}})
	w.search(place{"what the container logged", func(to io.Writer) error {
		_, err := pour(to, "docker", "logs", w.id)
		return err
	}, []string{w.decoys["the container's log"]}})
	w.search(place{"the broker's log", func(to io.Writer) error {
		for _, p := range append(w.ended, w.broker) {
			if _, err := to.Write(slices.Concat(p.stdout.Bytes(), p.stderr.Bytes())); err != nil {
				return err
			}
		}
		return nil
	}, []string{w.decoys["the broker's log"]}})
	w.search(place{"the ledger", func(to io.Writer) error { return readAll(to, w.path("ledger")) }, []string{w.decoys["the ledger"]}})
	w.search(place{"the broker's state", func(to io.Writer) error { return readAll(to, w.path("run")) }, []string{w.decoys["the broker's log"]}})
}

// search looks for every credential, and for the decoys.
func (w *brokerWorld) search(p place) {
	w.t.Helper()
	w.t.Run(p.name, func(t *testing.T) {
		values := map[string]string{}
		for name, v := range w.values {
			values["the credential "+name] = v
		}
		for i, d := range p.decoys {
			values[fmt.Sprintf("the decoy %d", i)] = d
		}
		all, n, err := w.scan(p, newSearcher(values))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d bytes", n)
		decoys := 0
		for _, f := range all {
			if !strings.HasPrefix(f.name, "the decoy ") {
				t.Errorf("%v", f)
			}
		}
		for _, name := range names(all) {
			if strings.HasPrefix(name, "the decoy ") {
				decoys++
			}
		}
		if decoys != len(p.decoys) || n == 0 {
			t.Errorf("the search finds only %v of what was put there (%d bytes): it would find no credential either", names(all), n)
		}
	})
}

func (w *brokerWorld) scan(p place, s *searcher) ([]found, int64, error) {
	r, to := io.Pipe()
	defer r.Close()
	go func() { to.CloseWithError(p.bytes(to)) }()
	return s.scan(r)
}

// pour runs a command that has more to say than fits into memory.
func pour(to io.Writer, name string, args ...string) (stderr string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	var errs bytes.Buffer
	c.Stdout, c.Stderr = to, &errs
	if name == "docker" && args[0] == "logs" {
		c.Stderr = to
	}
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, errs.String())
	}
	return errs.String(), nil
}

// readAll reads every file below a directory, with its name.
func readAll(to io.Writer, dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fmt.Fprintln(to, path)
		if !d.Type().IsRegular() {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(to, f)
		return err
	})
}

// rot13 is how a decoy gets into a process and into nothing else.
func rot13(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return 'a' + (r-'a'+13)%26
		}
		return r
	}, s)
}

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
	"strings"
	"testing"
	"time"
)

// place is bytes that nobody may find a credential in.
type place struct {
	name  string
	bytes func(io.Writer) error
	// decoy is what was put there to be found, "" if nothing was.
	decoy string
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
	stream := w.heldStream()
	holder := w.begin([]string{"DECOY=" + environment}, "exec python3 /scripts/hold_memory.py "+rot13(memory))
	w.wait("the decoy is in memory", func() bool { return strings.HasPrefix(holder.said(), "held") })

	var counts string
	dump := place{"what a process in the container can read", func(to io.Writer) (err error) {
		counts, err = pour(to, "docker", "exec", w.id, "/.tightship/dump")
		return err
	}, file}
	w.search(dump)
	w.found(dump, temporary)
	w.found(dump, environment)
	t.Logf("read inside:\n%s", counts)
	if strings.Contains(counts, "memories 0\n") {
		t.Logf("!!! SKIPPED: no process may read another one's memory here: nothing was searched there")
	} else {
		w.found(dump, memory)
	}
	w.search(place{"the file system, as the engine exports it", func(to io.Writer) error {
		_, err := pour(to, "docker", "export", w.id)
		return err
	}, ""})
	w.release(stream)
	if code := w.code(stream); code != 0 {
		t.Errorf("the stream that was under way: exit code %d: %s", code, stream.said())
	}
	_ = holder.cmd.Process.Kill()
}

// testNeverOutside searches what stays when the broker has ended.
func testNeverOutside(w *brokerWorld) {
	w.search(place{"what the engine knows of the container", func(to io.Writer) error {
		_, err := pour(to, "docker", "inspect", w.id)
		return err
	}, w.decoys["the engine"]})
	w.search(place{"what the container logged", func(to io.Writer) error {
		_, err := pour(to, "docker", "logs", w.id)
		return err
	}, w.decoys["the container's log"]})
	w.search(place{"the broker's log", func(to io.Writer) error {
		_, err := io.Copy(to, io.MultiReader(bytes.NewReader(w.broker.stdout.Bytes()), bytes.NewReader(w.broker.stderr.Bytes())))
		return err
	}, w.decoys["the broker's log"]})
	w.search(place{"the ledger", func(to io.Writer) error { return readAll(to, w.path("ledger")) }, w.decoys["the ledger"]})
	w.search(place{"the broker's state", func(to io.Writer) error { return readAll(to, w.path("run")) }, w.decoys["the broker's log"]})
}

// search looks for every credential and for the decoy.
func (w *brokerWorld) search(p place) {
	w.t.Helper()
	w.t.Run(p.name, func(t *testing.T) {
		values := map[string]string{}
		for name, v := range w.values {
			values["the credential "+name] = v
		}
		if p.decoy != "" {
			values["the decoy"] = p.decoy
		}
		all, n, err := w.scan(p, newSearcher(values))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d bytes", n)
		decoys := 0
		for _, f := range all {
			if f.name == "the decoy" {
				decoys++
				continue
			}
			t.Errorf("%v", f)
		}
		if p.decoy != "" && decoys == 0 || n == 0 {
			t.Errorf("the search does not find what was put there (%d bytes): it would find no credential either", n)
		}
	})
}

// found wants one more decoy to be there.
func (w *brokerWorld) found(p place, decoy string) {
	w.t.Helper()
	if all, n, err := w.scan(p, newSearcher(map[string]string{"decoy": decoy})); err != nil || len(all) == 0 {
		w.t.Errorf("%s: the search does not find what was put there: %d bytes, %v", p.name, n, err)
	}
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

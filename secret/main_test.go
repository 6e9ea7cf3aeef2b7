package secret

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/internal/canary"
)

// childVariable names what a re-executed test binary is to do, in place of tests.
const childVariable = "TIGHTSHIP_SECRET_CHILD"

var children = map[string]func() error{}

func TestMain(m *testing.M) {
	if name := os.Getenv(childVariable); name != "" {
		run, ok := children[name]
		if !ok {
			fmt.Fprintln(os.Stderr, "no such child:", name)
			os.Exit(3)
		}
		if err := run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child is a re-executed test binary, which ends with the test.
type child struct {
	*exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr strings.Builder
}

func startChild(t *testing.T, name string, env ...string) *child {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	c := &child{Cmd: exec.CommandContext(ctx, os.Args[0])}
	c.Env = append(append(os.Environ(), childVariable+"="+name), env...)
	var err error
	if c.stdin, err = c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdout = bufio.NewReader(out)
	c.Stderr = &c.stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		c.Wait()
	})
	return c
}

// line is the next line that the child wrote.
func (c *child) line(t *testing.T) string {
	t.Helper()
	s, err := c.stdout.ReadString('\n')
	if err != nil {
		c.Wait()
		t.Fatalf("the child wrote %q and ended: %v: %s", s, err, c.stderr.String())
	}
	return strings.TrimSuffix(s, "\n")
}

// plant is a value that is nowhere else.
func plant() string { return "planted-" + canary.Token() }

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func tempFile(t *testing.T, text string) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), "credential"), text)
}

// reveal is a Value's text, which only tests may have.
func reveal(t *testing.T, v *Value) string {
	t.Helper()
	var s string
	if err := v.Use(func(b []byte) { s = string(b) }); err != nil {
		t.Fatal(err)
	}
	return s
}

// fetch opens a reference and fetches from it.
func fetch(t *testing.T, from string, o Options) (string, error) {
	t.Helper()
	s, err := Open(from, o)
	if err != nil {
		return "", err
	}
	v, _, err := s.Fetch(t.Context())
	if err != nil {
		return "", err
	}
	defer v.Close()
	return reveal(t, v), nil
}

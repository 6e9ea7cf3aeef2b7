package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts in testdata have these commands besides testscript's own:
//
//	exits CODE COMMAND...         runs and wants this exit code
//	tty CODE COMMAND...           the same on a terminal of 80 columns
//	stops SIGNALS CODE COMMAND... sends signals (INT, INT,INT) once it started
//	plain FILE                    FILE has no control characters but line feeds
//	mkledger DIR                  a ledger with a few records
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Getuid() == 0, nil
			}
			return false, errors.New("no such condition")
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "tty": onTerminal, "stops": stops, "plain": plain, "mkledger": mkledger,
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("TERM", "xterm-256color")
			return nil
		},
		RequireExplicitExec: true,
	})
}

func codeOf(ts *testscript.TestScript, err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

func wantCode(ts *testscript.TestScript, want string, got int) {
	if strconv.Itoa(got) != want {
		ts.Fatalf("exit code %d, want %s", got, want)
	}
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	wantCode(ts, args[0], codeOf(ts, ts.Exec(args[1], args[2:]...)))
}

func command(ts *testscript.TestScript, args []string) *exec.Cmd {
	env := []string{}
	for _, name := range []string{"PATH", "FAKE", "WORK", "TERM", "NO_COLOR", "HOME", "TESTSCRIPT_COMMAND_DIR"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	var path string
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		path = filepath.Join(dir, args[0])
		if _, err := os.Stat(path); err == nil {
			break
		}
	}
	c := exec.Command(path, args[1:]...)
	c.Env, c.Dir = env, ts.Getenv("WORK")
	return c
}

func onTerminal(ts *testscript.TestScript, _ bool, args []string) {
	c := command(ts, args[1:])
	f, err := pty.StartWithSize(c, &pty.Winsize{Rows: 24, Cols: 80})
	ts.Check(err)
	defer f.Close()
	// A terminal's other end reads EIO once the program is gone.
	b, _ := io.ReadAll(f)
	wantCode(ts, args[0], codeOf(ts, c.Wait()))
	_, err = ts.Stdout().Write(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")))
	ts.Check(err)
}

func stops(ts *testscript.TestScript, _ bool, args []string) {
	started := filepath.Join(ts.Getenv("WORK"), "started")
	_ = os.Remove(started)
	c := command(ts, args[2:])
	c.Stdout, c.Stderr = ts.Stdout(), ts.Stderr()
	ts.Check(c.Start())
	kill := time.AfterFunc(20*time.Second, func() { _ = c.Process.Kill() })
	defer kill.Stop()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(started); err == nil {
			break
		}
	}
	for _, name := range strings.Split(args[0], ",") {
		signals := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP}
		ts.Check(c.Process.Signal(signals[name]))
		time.Sleep(together + 200*time.Millisecond)
	}
	wantCode(ts, args[1], codeOf(ts, c.Wait()))
}

func plain(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.ReadFile(args[0])
	bad := ""
	for _, r := range s {
		if r != '\n' && !unicode.IsPrint(r) {
			bad = strconv.QuoteRune(r)
		}
	}
	if !utf8.ValidString(s) {
		bad = "invalid UTF-8"
	}
	if (bad != "") != neg {
		ts.Fatalf("control characters: %q in:\n%s", bad, s)
	}
}

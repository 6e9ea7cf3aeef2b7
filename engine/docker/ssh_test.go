package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/engine"
)

// A copy of this test stands for the ssh command. It does what sshDoes says and
// adds its process number to the file sshLog.
const (
	sshDoes = "TIGHTSHIP_TEST_SSH"
	sshLog  = "TIGHTSHIP_TEST_SSH_LOG"
)

func init() {
	if does := os.Getenv(sshDoes); does != "" && filepath.Base(os.Args[0]) == "ssh" {
		os.Exit(beSSH(does))
	}
}

func beSSH(does string) int {
	f, err := os.OpenFile(os.Getenv(sshLog), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return 1
	}
	fmt.Fprintln(f, os.Getpid(), strings.Join(os.Args[1:], " "))
	f.Close()
	what, how, _ := strings.Cut(does, " ")
	switch what {
	case "bridge", "breaks":
		conn, err := net.Dial("unix", how)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		go func() {
			io.Copy(conn, os.Stdin)
			conn.(*net.UnixConn).CloseWrite()
		}()
		if what == "bridge" {
			io.Copy(os.Stdout, conn)
			return 0
		}
		// Breaks in the middle of the first answer that says so.
		buf := make([]byte, 64<<10)
		for {
			n, err := conn.Read(buf)
			if before, _, found := strings.Cut(string(buf[:n]), "BREAK"); found {
				io.WriteString(os.Stdout, before)
				fmt.Fprintln(os.Stderr, "Connection to h closed by remote host.")
				return 255
			}
			if os.Stdout.Write(buf[:n]); err != nil {
				return 0
			}
		}
	case "says": // an exit code and what to say
		code, text, _ := strings.Cut(how, " ")
		n, _ := strconv.Atoi(code)
		fmt.Fprintln(os.Stderr, text)
		return n
	case "greets":
		fmt.Println("Welcome to \x1b[31mh!")
		io.Copy(io.Discard, os.Stdin)
	case "hangs":
		fmt.Fprintln(os.Stderr, "Confirm user presence for key")
		time.Sleep(time.Hour)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		child := exec.Command("sleep", "1000") // as a ProxyCommand
		child.Stderr = os.Stderr
		child.Start()
		f, _ := os.OpenFile(os.Getenv(sshLog), os.O_APPEND|os.O_WRONLY, 0)
		fmt.Fprintln(f, child.Process.Pid)
		time.Sleep(time.Hour)
	}
	return 0
}

// sshIs puts a stand-in for ssh in the PATH. The returned function lists what
// was started, a line each: the process number and its arguments.
func sshIs(t *testing.T, does string) (started func() []string) {
	t.Helper()
	bare(t)
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "ssh")); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log")
	write(t, log, "")
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv(sshDoes, does)
	t.Setenv(sshLog, log)
	return func() []string {
		data, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(data)), "\n")
	}
}

// allGone is that none of the processes is left, not even unreaped.
func allGone(t *testing.T, started []string) {
	t.Helper()
	if started[0] == "" {
		t.Error("no ssh was started")
		return
	}
	for _, line := range started {
		number, _, _ := strings.Cut(line, " ")
		pid, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		// The child of a child is for another process to reap; ours are for us, a
		// moment after they ended.
		ours := strings.Contains(line, "dial-stdio")
		for deadline := time.Now().Add(10 * time.Second); syscall.Kill(pid, 0) == nil && (ours || !unreaped(pid)); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d is left, unreaped: %t", pid, unreaped(pid))
			}
		}
	}
}

// unreaped says whether a process has ended and is still there.
func unreaped(pid int) bool {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(data), ") ")
	return strings.HasPrefix(rest, "Z")
}

func overSSH(t *testing.T, h http.HandlerFunc) (*Engine, func() []string) {
	t.Helper()
	started := sshIs(t, "bridge "+strings.TrimPrefix(serve(t, fake{"1.41", h}), "unix://"))
	e, err := New(t.Context(), Options{Host: "ssh://me@h:22", Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e, started
}

func TestSSH(t *testing.T) {
	t.Run("one login serves many calls", func(t *testing.T) {
		e, started := overSSH(t, answer(200, "application/json", `{"Id":"`+someID+`","State":{},"Config":{},"HostConfig":{}}`))
		for range 20 {
			if _, err := e.Inspect(t.Context(), "c"); err != nil {
				t.Fatal(err)
			}
		}
		logins := started()
		if len(logins) != 1 || !strings.HasSuffix(logins[0], "-l me -p 22 -- h docker system dial-stdio") || !strings.Contains(logins[0], "BatchMode=yes") {
			t.Errorf("started %q", logins)
		}
		e.Close()
		allGone(t, logins)
		_, err := e.Inspect(t.Context(), "c")
		good(t, err, engine.ErrUnreachable, "engine was closed")
	})
	t.Run("half-close", func(t *testing.T) {
		e, started := overSSH(t, hijacked(func(c net.Conn) {
			in, _ := io.ReadAll(c)
			io.WriteString(c, frame(1, "got "+string(in)))
		}))
		s, err := e.Attach(t.Context(), "c")
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Repeat("hello ", 100_000) // more than a pipe holds
		go func() {
			io.WriteString(s.Stdin, want)
			s.Stdin.Close()
		}()
		if got, err := io.ReadAll(s.Stdout); string(got) != "got "+want || err != nil {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		s.Close()
		e.Close()
		allGone(t, started())
	})
	t.Run("a stream that nobody closes", func(t *testing.T) {
		e, started := overSSH(t, hijacked(func(c net.Conn) { io.Copy(io.Discard, c) }))
		if _, err := e.Attach(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		e.Close()
		allGone(t, started())
	})
	t.Run("a stream whose context ends", func(t *testing.T) {
		e, started := overSSH(t, hijacked(func(c net.Conn) { io.Copy(io.Discard, c) }))
		ctx, cancel := context.WithCancel(t.Context())
		s, err := e.Attach(ctx, "c")
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := io.ReadAll(s.Stdout); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		allGone(t, started()[1:])
	})
	t.Run("few logins at a time", func(t *testing.T) {
		e, started := overSSH(t, hang)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		d := newSSHDialer()
		defer d.close()
		t.Setenv(sshDoes, "hangs")
		before := len(started())
		failed := make(chan error)
		for range 3 * maxLogins {
			go func() { _, err := d.dial(ctx, e.dialer.where.ssh); failed <- err }()
		}
		for len(started()) < before+maxLogins {
			time.Sleep(time.Millisecond)
		}
		cancel()
		for range 3 * maxLogins {
			if err := <-failed; !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		}
		if n := len(started()) - before; n != maxLogins {
			t.Errorf("%d logins at a time", n)
		}
		allGone(t, started()[before:])
	})
}

func TestSSHThatFails(t *testing.T) {
	tests := []struct {
		name, does string
		want       error
		says, hint string
	}{
		{"unknown host key", "says 255 Host key verification failed.", engine.ErrUnreachable, "ssh says: Host key verification failed.", "accept it"},
		{"changed host key", "says 255 @@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@" + strings.Repeat(" evil", 300) + " Host key verification failed.", engine.ErrUnreachable, "… evil", "another key"},
		{"no key", "says 255 me@h: Permission denied (publickey).", engine.ErrPermission, "Permission denied", "ssh-add"},
		{"no docker", "says 127 bash: line 1: docker: command not found", engine.ErrUnreachable, "command not found", "PATH"},
		{"no daemon", "says 1 Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", engine.ErrUnreachable, "Cannot connect", "other end"},
		{"no right to it", "says 1 permission denied while trying to connect to the Docker daemon socket", engine.ErrPermission, "permission denied", "group docker"},
		{"refused", "says 255 ssh: connect to host h port 22: Connection refused", engine.ErrUnreachable, "Connection refused", "`ssh -p 22 me@h docker version`"},
		{"hostile words", "says 255 \x1b[2J\r\x07boo", engine.ErrUnreachable, "boo", "docker version"},
		{"without a word", "says 255 ", engine.ErrUnreachable, "exit code 255 without a word", "docker version"},
		{"ends at once", "says 0 ", engine.ErrUnreachable, "", ""},
		{"a shell that greets", "greets", engine.ErrBadAnswer, "does not speak HTTP", "print nothing"},
		{"hangs", "hangs", context.DeadlineExceeded, "ssh says: Confirm user presence", ""},
		{"does not even end", "stubborn", context.DeadlineExceeded, "does not answer in time", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			started := sshIs(t, tt.does)
			before := open(t)
			_, err := New(t.Context(), Options{Host: "ssh://me@h:22", Timeout: time.Second})
			good(t, err, tt.want, tt.says)
			var h hinted
			if errors.As(err, &h); !strings.Contains(h.hint, tt.hint) {
				t.Errorf("hint %q", h.hint)
			}
			allGone(t, started())
			before.settled(t)
		})
	}
	t.Run("there is none", func(t *testing.T) {
		bare(t)
		t.Setenv("PATH", t.TempDir())
		_, err := New(t.Context(), Options{Host: "ssh://h"})
		good(t, err, engine.ErrUnreachable, "no ssh command")
	})
	t.Run("breaks in an answer", func(t *testing.T) {
		started := sshIs(t, "breaks "+strings.TrimPrefix(serve(t, fake{"1.41", answer(200, "application/json", `{"Id":"BREAK"`)}), "unix://"))
		e, err := New(t.Context(), Options{Host: "ssh://h", Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		_, err = e.Inspect(t.Context(), "c")
		good(t, err, engine.ErrUnreachable, "closed by remote host")
		e.Close()
		allGone(t, started())
	})
	t.Run("breaks in a stream", func(t *testing.T) {
		started := sshIs(t, "breaks "+strings.TrimPrefix(serve(t, fake{"1.41", hijacked(func(c net.Conn) {
			io.WriteString(c, frame(1, "a")+frame(1, "BREAK"))
			io.Copy(io.Discard, c)
		})}), "unix://"))
		e, err := New(t.Context(), Options{Host: "ssh://h", Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		s, err := e.Attach(t.Context(), "c")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		// What was said before counts; the end must not pass for the process's own.
		got, err := io.ReadAll(s.Stdout)
		if err == nil || !strings.HasPrefix(string(got), "a") {
			t.Errorf("%q, %v", got, err)
		}
		e.Close()
		allGone(t, started())
	})
}

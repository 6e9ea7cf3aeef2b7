package doctor

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/engine/docker"
	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/verify"
)

// Real is the probes of the machine that this program runs on. The caller adds
// what it knows of itself: Guest, Title, Daemonless, Image.
func Real() Probes {
	p := Probes{
		GOOS: runtime.GOOS, Arch: runtime.GOARCH, UID: os.Getuid(), Cores: runtime.NumCPU(),
		Now: time.Now, FS: os.DirFS("/"), Getenv: os.Getenv,
		Connect: func(ctx context.Context, host string) (engine.Engine, error) {
			return docker.New(ctx, docker.Options{Host: host})
		},
		Leftovers: verify.Leftovers,
		Version:   version,
		Writable:  writable,
		Account:   account,
		RunDir:    verify.RunDir(),
	}
	if u, err := user.Current(); err == nil {
		p.User = u.Username
	}
	if self, err := os.Executable(); err == nil {
		if self, err = filepath.EvalSymlinks(self); err == nil {
			p.Dir = filepath.Dir(self)
		}
	}
	return p
}

// maxOutput is how much of a program's output counts. The version is in the
// first line of every runtime that we know.
const maxOutput = 4 << 10

// version runs a program with --version, and ends it with whatever it started.
func version(ctx context.Context, path string) ([]byte, error) {
	var out limited
	c := exec.CommandContext(ctx, path, "--version")
	c.Stdout = &out
	c.Dir = "/"
	c.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 200 * time.Millisecond
	err := c.Run()
	return out.b.Bytes(), err
}

// limited keeps the beginning of what is written to it. The buffer is not
// embedded: io.Copy would find its ReadFrom and go past the limit.
type limited struct{ b bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if room := maxOutput - l.b.Len(); room > 0 {
		l.b.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}

// writable asks the kernel whether a directory, or the nearest that exists above
// it, may be written to. It makes nothing.
func writable(dir string) error {
	for {
		info, err := os.Stat(dir)
		switch {
		case err == nil && !info.IsDir():
			return &fs.PathError{Op: "use", Path: dir, Err: syscall.ENOTDIR}
		case err == nil:
			if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
				return &fs.PathError{Op: "write", Path: dir, Err: err}
			}
			return nil
		case !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir):
			return err
		}
		dir = filepath.Dir(dir)
	}
}

// account reads of the first process, which is not ours, what a verification
// reads of a container's.
func account() bool {
	_, err := kernel.Read(1)
	return err == nil
}

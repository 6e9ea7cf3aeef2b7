package secret

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/tightship-dev/tightship/internal/text"
)

// How long a command may take, and how long what it left behind may keep its
// output open.
const (
	commandTime = 30 * time.Second
	commandTail = time.Second
)

// execSource is what a command prints. It has the broker's own environment (less
// the variables that env: took), no standard input and no terminal: a command
// that asks a question on one is stopped by the kernel, and then by the limit.
//
// What it says on standard error goes to nobody. Errors end up in the ledger, and a
// command that fails may repeat what it was about to print: nobody knows the value
// then, so that nothing could take it out.
type execSource struct {
	argv  []string
	dir   string
	limit time.Duration
}

func openExec(rest string, o Options) (Source, error) {
	argv, err := words(rest)
	if err != nil {
		return nil, err
	}
	return &execSource{argv, o.BaseDir, commandTime}, nil
}

func (s *execSource) Fetch(ctx context.Context) (*Value, time.Time, error) {
	v, err := s.run(ctx)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("exec:%s: %w", text.OneLine(s.argv[0]), err)
	}
	return v, time.Time{}, nil
}

func (s *execSource) run(parent context.Context) (*Value, error) {
	ctx, cancel := context.WithTimeout(parent, s.limit)
	defer cancel()
	// A pipe of our own, read into locked memory, without a buffer in between.
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := exec.CommandContext(ctx, s.argv[0], s.argv[1:]...)
	cmd.Dir, cmd.Stdout = s.dir, w
	// A group of its own, so that what it started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err = cmd.Start()
	w.Close()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCommand, err)
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		// What it left running may hold the pipe open for ever.
		r.SetReadDeadline(time.Now().Add(commandTail))
		ended <- err
	}()
	v, readErr := fill(r)
	if readErr != nil {
		// Nobody reads any more: it would wait for ever with a full pipe.
		r.Close()
	}
	err = <-ended
	switch {
	case parent.Err() != nil:
		err = parent.Err()
	case ctx.Err() != nil:
		err = fmt.Errorf("%w: it took longer than %s and was killed", ErrCommand, s.limit)
	case errors.Is(readErr, ErrTooLong):
		err = readErr
	case err != nil:
		err = fmt.Errorf("%w: %w: %s", ErrCommand, err, byHand)
	case errors.Is(readErr, os.ErrDeadlineExceeded):
		err = fmt.Errorf("%w: it ended, and something that it started keeps its output open", ErrCommand)
	case readErr != nil:
		err = fmt.Errorf("%w: %w: %s", ErrCommand, readErr, byHand)
	default:
		return v, nil
	}
	if v != nil {
		v.Close()
	}
	return nil, err
}

// byHand is how to learn what a command says.
const byHand = "run it by hand, as the broker's user, to see what it says: that is kept nowhere, as it could hold the credential"

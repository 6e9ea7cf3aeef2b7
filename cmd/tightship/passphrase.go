package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/term"
)

// askPassphrase asks on the terminal, whatever standard input is, and shows
// nothing of what is typed.
func askPassphrase(ctx context.Context, what string, twice bool) (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", withHint(fmt.Errorf("the passphrase of %s cannot be asked for: there is no terminal", what), "give it with --passphrase-file FILE")
	}
	defer tty.Close()
	fd := int(tty.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	ask := func(prompt string) (string, error) {
		_, _ = fmt.Fprintf(tty, "tightship: %s: ", prompt)
		data, err := interruptible(ctx, func() ([]byte, error) { return term.ReadPassword(fd) })
		_, _ = fmt.Fprintln(tty)
		if err != nil {
			_ = term.Restore(fd, before) // the read may still be waiting, without an echo
		}
		return string(data), err
	}
	p, err := ask("passphrase of " + what)
	if err != nil {
		return "", err
	}
	if p == "" {
		return "", errors.New("the passphrase is empty")
	}
	if twice {
		again, err := ask("once more")
		if err != nil {
			return "", err
		}
		if again != p {
			return "", withHint(errors.New("the two passphrases differ"), "nothing was written")
		}
	}
	return p, nil
}

package secret

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/tightship-dev/tightship/internal/text"
)

// service is what the credentials in the keyring are for.
const service = "tightship"

// keyringTime is how long the keyring may take: it may ask the user to unlock it.
const keyringTime = time.Minute

// keyringSource is the password of one user of the service, in the Secret Service
// (GNOME Keyring, KWallet, KeePassXC) or the macOS Keychain.
type keyringSource struct {
	name  string
	limit time.Duration
	o     Options
	get   func(service, name string) (string, error)
}

func openKeyring(rest string, o Options) (Source, error) {
	return &keyringSource{rest, keyringTime, o, keyring.Get}, nil
}

func (s *keyringSource) Fetch(ctx context.Context) (*Value, time.Time, error) {
	v, err := s.fetch(ctx)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("keyring:%s: %w", text.OneLine(s.name), err)
	}
	return v, time.Time{}, nil
}

func (s *keyringSource) fetch(ctx context.Context) (*Value, error) {
	if err := s.reachable(); err != nil {
		return nil, err
	}
	type answer struct {
		value string
		err   error
	}
	// The library knows no deadline. One that never answers costs a goroutine.
	got := make(chan answer, 1)
	go func() {
		value, err := s.get(service, s.name)
		got <- answer{value, err}
	}()
	timer := time.NewTimer(s.limit)
	defer timer.Stop()
	select {
	case a := <-got:
		switch {
		case errors.Is(a.err, keyring.ErrNotFound):
			return nil, fmt.Errorf("%w: store it with: %s", ErrMissing, storeCommand(s.name))
		case a.err != nil:
			return nil, fmt.Errorf("%w: %s", ErrNoKeyring, text.OneLine(a.err.Error()))
		}
		return New([]byte(a.value))
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
		return nil, fmt.Errorf("%w: it did not answer within %s; is it waiting to be unlocked?", ErrNoKeyring, s.limit)
	}
}

// reachable looks for the session's bus before the library does, which would
// start one of its own that holds nothing and stays behind.
func (s *keyringSource) reachable() error {
	if runtime.GOOS == "darwin" || s.o.lookup("DBUS_SESSION_BUS_ADDRESS") != "" {
		return nil
	}
	bus := fmt.Sprintf("/run/user/%d/bus", os.Getuid())
	if _, err := os.Stat(bus); err != nil {
		return fmt.Errorf("%w: there is no session bus (DBUS_SESSION_BUS_ADDRESS is not set, and %s is not there): use file:, age: or exec: on a machine without a desktop", ErrNoKeyring, bus)
	}
	return nil
}

func storeCommand(name string) string {
	if runtime.GOOS == "darwin" {
		return fmt.Sprintf("security add-generic-password -s %s -a %q -w", service, name)
	}
	return fmt.Sprintf("secret-tool store --label=%q service %s username %q", service+" "+name, service, name)
}

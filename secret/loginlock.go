package secret

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Claude Code keeps its own processes apart with directories that the npm package
// proper-lockfile makes: whoever makes one holds the lock, renews its time while
// it does, and removes it. One that was not renewed for ten seconds is taken to be
// left over. Version 2.1.150 takes two, in this order: .oauth_refresh.lock in the
// directory of the login, and that directory's real name with .lock.
const (
	siblingStale = 10 * time.Second
	siblingRenew = 3 * time.Second
)

// lockSiblings takes these locks too, so that the host's own login and the broker
// do not spend one refresh token twice.
func lockSiblings(ctx context.Context, dir string) (release func(), err error) {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	inner, outer := filepath.Join(dir, ".oauth_refresh.lock"), real+".lock"
	if err := makeLock(ctx, inner); err != nil {
		return nil, err
	}
	held := []string{inner}
	// Older versions know this one alone. Its place is above the login's directory,
	// where we may have no business: then the program itself goes on without it.
	switch err := makeLock(ctx, outer); {
	case err == nil:
		held = append(held, outer)
	case ctx.Err() != nil:
		os.Remove(inner)
		return nil, err
	}
	stop := make(chan struct{})
	var renewing sync.WaitGroup
	renewing.Go(func() {
		tick := time.NewTicker(siblingRenew)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case now := <-tick.C:
				for _, name := range held {
					os.Chtimes(name, now, now)
				}
			}
		}
	})
	return func() {
		close(stop)
		renewing.Wait()
		for _, name := range held {
			os.Remove(name)
		}
	}, nil
}

func makeLock(ctx context.Context, name string) error {
	err := poll(ctx, func() (bool, error) {
		err := os.Mkdir(name, 0o700)
		if !errors.Is(err, fs.ErrExist) {
			return err == nil, err
		}
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > siblingStale {
			os.Remove(name)
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("the lock %s: %w", name, err)
	}
	return nil
}

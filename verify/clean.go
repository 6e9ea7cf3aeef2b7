package verify

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tightship-dev/tightship/engine"
)

// cleanTime bounds the removal of one resource. A wedged container must not
// keep the others from being removed.
const cleanTime = 30 * time.Second

// Clean removes what runs left behind that ended without cleaning up: by
// default those of this user on this host that are no longer alive; with all
// set, everything that carries our label. It goes on past a removal that fails or
// hangs, and returns what is left.
func Clean(ctx context.Context, eng engine.Engine, all bool) (removed, left []engine.Resource, err error) {
	mine, runs, err := leftovers(ctx, eng, all)
	if err != nil {
		return nil, nil, err
	}
	left = remove(ctx, eng, mine)
	for _, r := range mine {
		if !slices.Contains(left, r) {
			removed = append(removed, r)
		}
	}
	for runID := range runs {
		if !slices.ContainsFunc(left, func(r engine.Resource) bool { return r.RunID == runID }) {
			forget(runID)
		}
	}
	return removed, left, nil
}

// Leftovers lists what Clean would remove by default, and removes nothing.
func Leftovers(ctx context.Context, eng engine.Engine) ([]engine.Resource, error) {
	found, _, err := leftovers(ctx, eng, false)
	return found, err
}

// leftovers also returns every run that the engine holds something of.
func leftovers(ctx context.Context, eng engine.Engine, all bool) (mine []engine.Resource, runs map[string]bool, err error) {
	found, err := eng.List(ctx, "")
	if err != nil {
		return nil, nil, fmt.Errorf("listing what is labelled %s: %w", engine.Label, err)
	}
	runs = map[string]bool{}
	for _, r := range found {
		if _, known := runs[r.RunID]; !known {
			runs[r.RunID] = all || dead(r.RunID)
		}
		if runs[r.RunID] {
			mine = append(mine, r)
		}
	}
	return mine, runs, nil
}

// remove removes containers, then volumes and images, each at once and each with its own
// deadline, and returns what could not be removed.
func remove(ctx context.Context, eng engine.Engine, all []engine.Resource) (left []engine.Resource) {
	var mu sync.Mutex
	for _, kind := range []string{"container", "volume", "image"} {
		var group sync.WaitGroup
		for _, r := range all {
			if r.Kind != kind {
				continue
			}
			group.Go(func() {
				ctx, cancel := context.WithTimeout(ctx, cleanTime)
				defer cancel()
				var err error
				switch kind {
				case "container":
					err = eng.Remove(ctx, r.ID)
				case "volume":
					err = eng.RemoveVolume(ctx, r.Name)
				case "image":
					err = removeImage(ctx, eng, r.ID)
				}
				if err != nil {
					mu.Lock()
					left = append(left, r)
					mu.Unlock()
				}
			})
		}
		group.Wait()
	}
	return left
}

// removeImage removes an image that was derived for a run.
func removeImage(ctx context.Context, eng engine.Engine, id string) error {
	deriver, ok := eng.(engine.Deriver)
	if !ok {
		return fmt.Errorf("%w: this engine derives none", engine.ErrNoImage)
	}
	return deriver.RemoveImage(ctx, id)
}

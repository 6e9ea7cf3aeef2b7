//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// cgroup is one that this process, and so the load, is in. The broker lets a sandbox's
// processes in by their cgroup, and takes neither the root nor its own for one.
type cgroup struct{ before, own string } // directories

// enterCgroup makes one below the one that this process is in, and moves there. Which tree
// it is in does not matter: a process is where all of its trees say.
func enterCgroup() (*cgroup, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	var errs []error
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		// The unified tree comes last, and counts where it is the only one.
		tree := strings.TrimPrefix(fields[1], "name=")
		c := &cgroup{before: filepath.Join("/sys/fs/cgroup", tree, fields[2])}
		c.own = filepath.Join(c.before, fmt.Sprintf("tightship-bench-%d", os.Getpid()))
		if err := os.Mkdir(c.own, 0o755); err != nil {
			errs = append(errs, err)
			continue
		}
		if err := moveTo(c.own); err != nil {
			errs = append(errs, err, os.Remove(c.own))
			continue
		}
		return c, nil
	}
	return nil, fmt.Errorf("the load needs a control group of its own, which takes root: %w", errors.Join(errs...))
}

func moveTo(dir string) error {
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0)
}

// leave goes back, when all processes that were started here have ended.
func (c *cgroup) leave() error { return errors.Join(moveTo(c.before), os.Remove(c.own)) }

package test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/internal/hollow"
)

// A build in which one judge or one probe is broken cannot prove anything that
// rests on it: the test of the tests. Package prove breaks each of them in turn,
// on recorded evidence; here one of each is broken in the program itself.
func TestBrokenBuildsProveNothing(t *testing.T) {
	lane(t)
	for _, row := range []struct {
		name    string
		program string // which is built from broken source
		dir     string
		fn      string
		zero    string
		code    int
		want    string
	}{
		{"a judge that passes always", "tightship", "check", "judgeTmpNoexec", "Result{Verdict: Pass, Evidence: Exercised}", 1, "SURVIVED  tmpfs.exec"},
		{"a judge that says nothing", "tightship", "check", "judgeTmpNoexec", "Result{}", 2, "INCONCLUSIVE"},
		{"a probe that does nothing", "tightship-guest", "probe", "tmpExec", "", 2, "INCONCLUSIVE"},
		{"nothing broken", "", "", "", "", 0, "PROVEN"},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, program := range []string{"tightship", "tightship-guest"} {
				if program == row.program {
					brokenBuild(t, dir, program, row.dir, row.fn, row.zero)
					continue
				}
				if err := os.Symlink(filepath.Join(bin, program), filepath.Join(dir, program)); err != nil {
					t.Fatal(err)
				}
			}
			// A link is followed to find the guest beside the program.
			if err := copyFile(filepath.Join(dir, "run"), filepath.Join(dir, "tightship")); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			out, err := exec.CommandContext(ctx, filepath.Join(dir, "run"), "prove", agent, "--mutation", "tmpfs.exec").CombinedOutput()
			code := 0
			if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
				code = exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			if code != row.code || !strings.Contains(string(out), row.want) {
				t.Errorf("exit code %d, want %d:\n%s", code, row.code, out)
			}
		})
	}
}

// Interrupted while several containers of several runs are there, a proof removes
// all of them, and says that it was interrupted.
func TestInterruptedProof(t *testing.T) {
	lane(t)
	p, err := launch(t.TempDir(), os.Environ(), 0, filepath.Join(bin, "tightship"), "prove", agent, "--mutation", "caps.*")
	if err != nil {
		t.Fatal(err)
	}
	defer p.sweep()
	runs := map[string]bool{} // by the files that it has held open
	held := func() (now int) {
		fds := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
		entries, _ := os.ReadDir(fds)
		for _, e := range entries {
			to, _ := os.Readlink(filepath.Join(fds, e.Name()))
			if m := signOfLife.FindStringSubmatch(to); m != nil {
				runs[m[1]] = true
				now++
			}
		}
		return now
	}
	left := func() []string {
		var all []string
		for id := range runs {
			one := process{runID: id}
			names, err := one.left()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, names...)
		}
		return all
	}
	for end := time.Now().Add(time.Minute); held() < 4 || len(left()) < 6; {
		if time.Now().After(end) {
			t.Fatal("never were there several containers of several runs")
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for alive := true; alive; held() { // also those that were just begun
		select {
		case <-p.done:
			alive = false
		default:
		}
	}
	code, err := p.wait()
	if err != nil || code != 130 || !strings.Contains(p.stderr.String(), "interrupted") {
		t.Errorf("exit code %d, %v: %s", code, err, p.stderr.String())
	}
	if all := left(); len(all) > 0 {
		t.Errorf("left behind of %d runs: %v", len(runs), all)
	}
}

// brokenBuild builds a program in which a function returns zero at once.
func brokenBuild(t *testing.T, dir, program, pkg, fn, zero string) {
	t.Helper()
	found, err := hollow.Find(filepath.Join("..", pkg), func(name string) bool { return name == fn })
	if err != nil || len(found) != 1 {
		t.Fatalf("%d functions %s: %v", len(found), fn, err)
	}
	overlay, err := hollow.Overlay(t.TempDir(), found[0], zero)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-overlay="+overlay, "-trimpath", "-buildvcs=false", "-o", filepath.Join(dir, program), "../cmd/"+program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func copyFile(to, from string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}

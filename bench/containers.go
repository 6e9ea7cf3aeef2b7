package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// many is how many containers are verified in one call.
const many = 20

// containers measures one call on many containers against a call for each, and
// what the program needs of memory for one and for many. Replicas, which are
// alike, share their twins; containers that all differ share nothing.
func containers(image, tightship string, runs int) error {
	dir, err := os.MkdirTemp("", "tightship-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	profile, err := exec.Command(tightship, "seccomp", "show").Output()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "profile.json"), profile, 0o600); err != nil {
		return err
	}
	workspace := filepath.Join(dir, "workspace")
	if err := os.Mkdir(workspace, 0o777); err != nil {
		return err
	}
	if err := os.Chmod(workspace, 0o777); err != nil { // whatever the umask
		return err
	}
	for _, kind := range []struct {
		name  string
		apart int // MiB of memory by which each differs from the one before
	}{{"that all differ", 1}, {"alike", 0}} {
		var ids []string
		remove := func() {
			if len(ids) > 0 {
				_ = exec.Command("docker", append([]string{"rm", "--force"}, ids...)...).Run()
			}
		}
		for i := range many {
			memory := fmt.Sprintf("%dm", 1024+i*kind.apart)
			out, err := exec.Command("docker", "create", "--read-only", "--tmpfs", "/tmp:rw,noexec,nosuid,nodev,size=1g",
				"--user", "1000:100", "--memory", memory, "--memory-swap", memory, "--cpus", "2", "--pids-limit", "100",
				"--ulimit", "nofile=1024:1024", "--ulimit", "core=0", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
				"--security-opt", "seccomp="+filepath.Join(dir, "profile.json"), "--network", "none",
				"--cgroupns", "private", "--sysctl", "net.ipv4.ip_unprivileged_port_start=1024", "--volume", workspace+":/home/claude-agent/workspace", image).Output()
			if err != nil {
				remove()
				return fmt.Errorf("docker create: %w", err)
			}
			ids = append(ids, strings.TrimSpace(string(out)))
		}
		err := compareCalls(tightship, kind.name, ids, runs)
		remove()
		if err != nil {
			return err
		}
	}
	return nil
}

func compareCalls(tightship, kind string, ids []string, runs int) error {
	call := func(ids ...string) []string {
		argv := []string{tightship, "verify", "--quiet"}
		for _, id := range ids {
			argv = append(argv, "--container", id)
		}
		return argv
	}
	var together, apart []time.Duration
	for range runs {
		t, err := clock(call(ids...))
		if err != nil {
			return err
		}
		together = append(together, t)
		var sum time.Duration
		for _, id := range ids {
			t, err := clock(call(id))
			if err != nil {
				return err
			}
			sum += t
		}
		apart = append(apart, sum)
	}
	fmt.Printf("verify of %d containers %s in one call\n  against a call for each\n", len(ids), kind)
	fmt.Printf("  %-8s %s\n  %-8s %s\n", "first", raw(together), "second", raw(apart))
	fmt.Printf("  ratio of medians %.2f (goal: at most 0.6)\n", median(together).Seconds()/median(apart).Seconds())
	var peaks []string
	for _, n := range []int{1, len(ids)} {
		cmd := exec.Command(call()[0], call(ids[:n]...)[1:]...)
		if err := cmd.Run(); err != nil {
			return err
		}
		kib := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
		peaks = append(peaks, fmt.Sprintf("%.1f MiB for %d", float64(kib)/1024, n))
	}
	fmt.Printf("  memory of the program: %s (goal: flat)\n\n", strings.Join(slices.Compact(peaks), ", "))
	return nil
}

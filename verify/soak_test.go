package verify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/report"
)

// soakRuns is how many verifications the soak makes.
const soakRuns = 200

// Two hundred verifications, some of them interrupted at a random moment, leave
// nothing: no container, volume, network, mount, cgroup, process or file, and no
// descriptor or goroutine in this process.
func TestRealSoak(t *testing.T) {
	// A lock directory of its own: other tests have runs at work.
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	eng, o := real(t)
	o.Only = []string{"user.*", "priv.*", "caps.none", "limits.swap", "run.*"}
	runs := soakRuns
	if n, err := strconv.Atoi(os.Getenv("TIGHTSHIP_SOAK")); err == nil {
		runs = n
	}
	// The first run opens what stays open: connections that are kept.
	if _, err := Image(t.Context(), eng, o); err != nil {
		t.Fatal(err)
	}
	before := machine(t, nil)
	subjects := slices.Repeat([]Subject{{Image: o.Policy.Image}}, runs)
	var ids []string
	interrupted := 0
	Each(t.Context(), subjects, 2*runtime.NumCPU(), func(ctx context.Context, s Subject) (report.Result, error) {
		if rand.IntN(10) == 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, time.Duration(rand.IntN(2000))*time.Millisecond)
			defer cancel()
		}
		return One(ctx, eng, s, o)
	}, func(_ Subject, r report.Result, err error) {
		switch {
		case errors.Is(err, ErrLeft):
			t.Errorf("run %s: %v", r.RunID, err)
		case err != nil:
			interrupted++
		case r.Summary.Verdict == "failed":
			t.Errorf("run %s failed", r.RunID)
		}
		if r.RunID != "" {
			ids = append(ids, r.RunID)
		}
	})
	t.Logf("%d runs, %d of them interrupted", runs, interrupted)
	if len(ids) < runs/2 {
		t.Errorf("only %d runs had begun", len(ids))
	}
	after := machine(t, ids)
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline) && after.more(before) != ""; after = machine(t, ids) {
		time.Sleep(200 * time.Millisecond) // shims end a moment after their container
	}
	if left := after.more(before); left != "" {
		t.Error(left)
	}
}

// world is what there is of everything that a verification could leave.
type world map[string]int

func (w world) more(than world) string {
	var out []string
	for what, n := range w {
		slack := 0
		if what == "descriptors" || what == "goroutines" {
			slack = 8 // connections that are kept for the next call
		}
		if n > than[what]+slack {
			out = append(out, fmt.Sprintf("%s: %d, before %d", what, n, than[what]))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// machine counts what is there of these runs, and what is nobody's.
func machine(t *testing.T, ids []string) world {
	t.Helper()
	docker := func(args ...string) []string {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, "docker", args...).Output()
		if err != nil {
			t.Fatalf("docker %v: %v", args, err)
		}
		return strings.Fields(string(out))
	}
	w := world{"goroutines": runtime.NumGoroutine()}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	w["descriptors"] = len(fds)
	locks, err := os.ReadDir(RunDir())
	if err != nil {
		t.Fatal(err)
	}
	w["lock files"] = len(locks)
	mine := func(name string) bool {
		return slices.ContainsFunc(ids, func(id string) bool { return strings.Contains(name, id) })
	}
	for what, args := range map[string][]string{
		"containers": {"ps", "--all", "--format", "{{.Names}}"}, "volumes": {"volume", "ls", "--format", "{{.Name}}"},
		"networks": {"network", "ls", "--format", "{{.Name}}"},
	} {
		for _, name := range docker(args...) {
			if mine(name) {
				w[what]++
			}
		}
	}
	// A guest or a shim whose container the engine no longer knows is nobody's.
	containers := docker("ps", "--all", "--quiet", "--no-trunc")
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range processes {
		line, _ := os.ReadFile(dir + "/cmdline")
		group, _ := os.ReadFile(dir + "/cgroup")
		id := containerID.FindString(string(line) + string(group))
		if !slices.Contains(containers, id) && strings.HasPrefix(string(line), guestDir+"/guest") {
			w["orphaned guests"]++
		}
		if id != "" && !slices.Contains(containers, id) && strings.Contains(string(line), "containerd-shim") && strings.Contains(string(line), "moby") {
			w["orphaned shims"]++
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if mine(line) {
			w["mounts"]++
		}
	}
	return w
}

var containerID = regexp.MustCompile(`[0-9a-f]{64}`)

package verify

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/engine/docker"
	"github.com/tightship-dev/tightship/mutate"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/report"
)

var update = flag.Bool("update", false, "write what the real run saw to the judges' fixture")

// real connects to the engine that the end-to-end lane provides. Without the
// lane the test is skipped and says so.
func real(t *testing.T) (engine.Engine, Options) {
	t.Helper()
	if os.Getenv("TIGHTSHIP_E2E") == "" {
		t.Skip("SKIPPED: the end-to-end lane is off (make test sets TIGHTSHIP_E2E=1 where there is an engine)")
	}
	eng, err := docker.New(t.Context(), docker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { eng.Close() })
	guest, err := os.ReadFile(filepath.Join("..", "bin", "tightship-guest"))
	if err != nil {
		t.Fatalf("make build comes first: %v", err)
	}
	p := policy.Default()
	return eng, Options{Policy: p, Guest: guest, Timeout: 3 * time.Minute}
}

func explain(t *testing.T, r report.Result, ids ...string) {
	t.Helper()
	for _, c := range r.Checks {
		if slices.Contains(ids, c.ID) {
			t.Logf("%s %s: %s\n\twanted %s\n\tdeclared %s\n\tkernel %s\n\tobserved %s", c.ID, c.Verdict, c.Reason, c.Wanted, c.Declared, c.Kernel, c.Observed)
		}
	}
}

// seeds are the tests of the original suite; the default policy must prove each.
var seeds = []string{
	"root_filesystem_read_only", "usr_read_only", "var_read_only", "tmp_writable", "tmp_not_executable", "home_directory_writable",
	"non_root_user", "uid_gid", "no_sudo", "no_privileged_port_bind", "can_bind_unprivileged_port",
	"process_limit", "memory_limit", "cpu_limit_set", "no_capabilities", "cannot_change_network_config", "no_new_privileges",
	"no_suid_binaries_writable", "container_exits_cleanly", "python_version", "node_version", "npm_version", "git_version",
	"claude_cli_installed", "python_packages_installed", "git_configured", "environment_variables_secure", "full_security_stack",
}

func TestRealHardenedIsProven(t *testing.T) {
	eng, o := real(t)
	r, err := Image(t.Context(), eng, o)
	if err != nil {
		t.Fatal(err)
	}
	proven := map[string]bool{}
	for _, c := range r.Checks {
		if c.Verdict != "pass" && !absent("", c) {
			explain(t, r, c.ID)
			t.Errorf("%s is %s", c.ID, c.Verdict)
			continue
		}
		for _, s := range c.Seed {
			proven[s] = true
		}
	}
	if r.Summary.Verdict != "proven" {
		t.Errorf("verdict %s", r.Summary.Verdict)
	}
	for _, s := range seeds {
		if !proven[s] {
			t.Errorf("seed %s is not shown by any check", s)
		}
	}
	if len(seeds) != 28 {
		t.Fatalf("%d seeds", len(seeds))
	}
	nothingLeft(t, eng, r.RunID)
}

// weakened verifies with a mutation applied, and demands exactly what is
// expected of it on Linux: prove does so for all, this is for what a test watches.
func weakened(t *testing.T, eng engine.Engine, o Options, m mutate.Mutation) {
	t.Helper()
	p := *o.Policy
	ready, err := m.Ready(t.Context(), eng, p.Image, map[string]string{engine.Label: "mutation-" + strings.ToLower(rand.Text())})
	if errors.Is(err, mutate.ErrNotDemonstrable) {
		t.Skipf("SKIPPED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := ready.Undo(); err != nil {
			t.Error(err)
		}
	}()
	p.Image, o.Policy, o.Weaken = ready.Image, &p, ready.Weaken
	// The image's own programs run only where they are what is weakened.
	touchesEnvironment := slices.ContainsFunc(mutate.Flips(m.ID), func(id string) bool { return strings.HasPrefix(id, "env.") })
	if !touchesEnvironment && o.Only == nil {
		o.Skip = []string{"env.*"}
	}
	r, err := Image(t.Context(), eng, o)
	if err != nil && m.MayBeRefused != "" {
		t.Skipf("SKIPPED: %s: %v", m.MayBeRefused, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	failed := false
	for _, c := range r.Checks {
		template := c.ID
		if i := strings.IndexByte(c.ID, '['); i > 0 {
			template = c.ID[:i] + "[*]"
		}
		want := mutate.Expected("", m, template)
		if c.ID == "stack.combined" {
			continue
		}
		got := check.Verdict(c.Verdict)
		if slices.ContainsFunc(o.Policy.Accept, func(a policy.Accept) bool { return a.Check == c.ID }) {
			want = check.Accepted // it always fails on this kernel, and the policy says so in the open
		}
		if want == check.Pass && absent("", c) {
			want = check.NotApplicable
		}
		failed = failed || want == check.Fail
		if got != want {
			t.Errorf("%s is %s, want %s", c.ID, got, want)
			explain(t, r, c.ID)
		}
	}
	if want := "failed"; failed && r.Summary.Verdict != want {
		t.Errorf("the whole is %s, want %s", r.Summary.Verdict, want)
	}
	nothingLeft(t, eng, r.RunID)
}

// absent says whether a row is not applicable because this kernel, or this host,
// has nothing of what it is about.
func absent(kernel string, c report.Check) bool {
	return c.Verdict == string(check.NotApplicable) && (check.Lacking(kernel, c.ID) != "" || c.ID == "kernel.lsm")
}

// The evidence of one real hardened run is the judges' fixture. With -update it
// is written; without, a fresh run must have observations of the same probes.
func TestRealFixture(t *testing.T) {
	eng, o := real(t)
	fixture(t, eng, o, "hardened.json")
}

func fixture(t *testing.T, eng engine.Engine, o Options, name string) {
	t.Helper()
	r, err := prepare(t.Context(), eng, "", o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.lock.release(false)
	stop := r.listen(t.Context())
	err = r.measure(t.Context())
	stop()
	if cerr := r.clean(context.Background()); err != nil || cerr != nil {
		t.Fatal(errors.Join(err, cerr))
	}
	in := r.input()
	in.Results = nil
	for _, tw := range in.Twins { // long, and of no use to the judges
		tw.Declared.Seccomp = "…"
		if tw.Kernel == nil {
			continue
		}
		for i, m := range tw.Kernel.Mounts { // where the engine keeps its layers is nobody's affair either
			for _, kind := range []string{"/volumes/", "/containers/"} {
				if _, from, found := strings.Cut(m.Root, kind); found {
					tw.Kernel.Mounts[i].Root = "/var/lib/docker" + kind + from
				}
			}
			tw.Kernel.Mounts[i].SuperOptions = slices.DeleteFunc(m.SuperOptions, func(o string) bool {
				return strings.HasPrefix(o, "lowerdir=") || strings.HasPrefix(o, "upperdir=") || strings.HasPrefix(o, "workdir=")
			})
		}
	}
	in.Wanted.Seccomp = "…"
	for i := range in.Wanted.Mounts { // where this checkout lies is nobody's affair
		in.Wanted.Mounts[i].Source = "/workspace"
	}
	data, err := json.MarshalIndent(in, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if home, err := os.UserHomeDir(); err == nil { // nor whose home it was
		data = bytes.ReplaceAll(data, []byte(home+"/.cache"), []byte("/home/somebody/.cache"))
	}
	path := filepath.Join("..", "check", "testdata", name)
	if *update {
		if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var recorded check.Input
	if err := json.Unmarshal(old, &recorded); err != nil {
		t.Fatal(err)
	}
	for name, tw := range in.Twins {
		if recorded.Twins[name] == nil {
			t.Errorf("the fixture lacks the %s twin: run with -update", name)
			continue
		}
		for role, seen := range tw.Seen {
			for p := range seen {
				if _, ok := recorded.Twins[name].Seen[role][p]; !ok {
					t.Errorf("the fixture lacks %s/%s/%s: run with -update", name, role, p)
				}
			}
		}
	}
}

// nothingLeft demands that the engine lists nothing of a run any more. Other
// runs may be at work beside it.
func nothingLeft(t *testing.T, eng engine.Engine, runID string) {
	t.Helper()
	left, err := eng.List(t.Context(), runID)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range left {
		t.Errorf("left behind: %s %s", l.Kind, l.Name)
	}
}

package test

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// checkout copies this tree without its history, which is how GitHub brings an
// action to a runner.
func checkout(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		from, to := filepath.Join(root, name), filepath.Join(dir, name)
		info, err := os.Lstat(from)
		if os.IsNotExist(err) {
			continue // removed, and git not told
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

var written = regexp.MustCompile(`(?m)^formats=\((.*)\)$`)

// onlyKnown takes the formats that the program does not have out of the action's
// list, and returns those that stay.
func onlyKnown(t *testing.T, dir string) []string {
	t.Helper()
	help, err := exec.CommandContext(t.Context(), filepath.Join(bin, "tightship"), "verify", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "action", "verify.sh")
	b, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	m := written.FindSubmatch(b)
	if m == nil {
		t.Fatal("the action has no list of formats")
	}
	var kept, names []string
	for _, f := range strings.Fields(string(m[1])) {
		name, _, _ := strings.Cut(f, "=")
		if regexp.MustCompile(`FORMAT\[=FILE\][^\n]*\b` + name + `\b`).Match(help) {
			kept, names = append(kept, f), append(names, name)
		} else {
			t.Logf("NOT TESTED: this program has no format %s", name)
		}
	}
	if err := os.WriteFile(script, written.ReplaceAll(b, []byte("formats=("+strings.Join(kept, " ")+")")), 0o755); err != nil {
		t.Fatal(err)
	}
	return names
}

// The action from its first step to its last, on real images.
func TestActionForReal(t *testing.T) {
	lane(t)
	dir := checkout(t)
	formats := onlyKnown(t, dir)
	var a actionFile
	readYAML(t, filepath.Join(dir, "action.yml"), &a)
	image, err := makeImage("action", "base")
	if err != nil {
		t.Fatal(err)
	}
	build := newRunner(t, dir)
	build.env = []string{"CGO_ENABLED=0"}
	if code, err := build.run(a.Runs.Steps[:len(a.Runs.Steps)-1]); code != 0 || err != nil {
		t.Fatalf("it does not build: %d %v\n%s", code, err, build.log.String())
	}
	if len(build.used) != 1 || !strings.HasPrefix(build.used[0], "actions/setup-go@") {
		t.Errorf("it uses %v", build.used)
	}
	a.Runs.Steps = a.Runs.Steps[len(a.Runs.Steps)-1:]
	for _, row := range []struct {
		name, policy string
		with         map[string]string
		code         int
		verdict      string
		says         string // in the log
	}{
		{name: "proven", with: map[string]string{"image": agent, "args": "--skip=env.*\n--skip=limits.cpu"}, verdict: "proven", says: "PROVEN"},
		{
			name: "failed", policy: noTools + "tmpfs: {/tmp: {exec: true}}\n",
			with: map[string]string{"image": image, "args": "--only=fs.tmp-noexec\n--quiet"}, code: 1, verdict: "failed", says: "BROKEN      fs.tmp-noexec",
		},
		{
			name: "failed and let pass", policy: noTools + "tmpfs: {/tmp: {exec: true}}\n",
			with: map[string]string{"image": image, "args": "--only=fs.tmp-noexec", "fail-on": "never"}, verdict: "failed", says: "::warning title=Tightship::failed",
		},
		{
			name: "inconclusive", policy: noTools + "sysctls: {net.ipv4.ip_unprivileged_port_start: \"32768\"}\n",
			with: map[string]string{"image": image, "args": "--only=user.no-privileged-port"}, code: 2, verdict: "inconclusive", says: "INCONCLUSIVE",
		},
		{
			name: "inconclusive and let pass", policy: noTools + "sysctls: {net.ipv4.ip_unprivileged_port_start: \"32768\"}\n",
			with: map[string]string{"image": image, "args": "--only=user.no-privileged-port", "fail-on": "failed"}, verdict: "inconclusive", says: "::warning title=Tightship::inconclusive",
		},
		{
			name: "no image", with: map[string]string{"image": "tightship-no-such-image:1", "fail-on": "never"},
			code: 3, verdict: "error", says: "no such image",
		},
		{name: "bad policy", policy: "rootfs: soft\n", with: map[string]string{"image": image}, code: 3, verdict: "error", says: "tightship.yaml:1:9: rootfs: "},
		{name: "no policy", with: map[string]string{"image": image, "policy": "missing.yaml"}, code: 3, verdict: "error", says: "there is no policy file missing.yaml"},
		{name: "runtime", with: map[string]string{"image": image, "runtime": "nosuch"}, code: 3, verdict: "error", says: "no such runtime"},
		{name: "engine", with: map[string]string{"image": image, "engine": "nosuch"}, code: 3, verdict: "error", says: "nosuch"},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRunner(t, dir)
			r.steps["build"] = build.steps["build"]
			if row.policy != "" {
				if err := os.WriteFile(filepath.Join(r.workspace, "tightship.yaml"), []byte(row.policy), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := r.use(a, row.with)
			if err != nil {
				t.Fatalf("%v\n%s", err, r.log.String())
			}
			if got.code != row.code || got.outputs["verdict"] != row.verdict {
				t.Errorf("exit code %d, outputs %v, want %d and %s\n%s", got.code, got.outputs, row.code, row.verdict, got.log)
			}
			if !strings.Contains(got.log, row.says) {
				t.Errorf("the log does not say %q:\n%s", row.says, got.log)
			}
			if !strings.Contains(got.summary, "ightship") {
				t.Errorf("summary: %q", got.summary)
			}
			for _, format := range reportFormats {
				file := got.outputs[format]
				if want := row.verdict != "error" && slices.Contains(formats, format); (file != "") != want {
					t.Errorf("%s: %q", format, file)
				} else if want {
					readable(t, format, file)
				}
			}
		})
	}
}

// Our own workflow from its first step to its last. The image is the lane's, which
// has been built with the same command.
func TestWorkflowForReal(t *testing.T) {
	lane(t)
	dir := checkout(t)
	formats := onlyKnown(t, dir)
	var a actionFile
	var w workflowFile
	readYAML(t, filepath.Join(dir, "action.yml"), &a)
	readYAML(t, filepath.Join(dir, ".github", "workflows", "build-agent-image.yml"), &w)
	r := newRunner(t, dir)
	r.workspace = dir
	steps := w.Jobs["verify"].Steps
	for _, s := range steps {
		if s.ours() {
			s.With["args"] = "--skip=env.*\n--skip=limits.cpu" // which need a machine of their own
		}
	}
	if err := r.job(a, steps, "make image"); err != nil {
		t.Fatalf("%v\n%s", err, r.log.String())
	}
	got := strings.Join(r.used, "\n")
	outputs := r.steps["tightship"]
	wanted := []string{"make image", "actions/upload-artifact@", "path:" + outputs["reports"]}
	if slices.Contains(formats, "sarif") {
		wanted = append(wanted, "github/codeql-action/upload-sarif@", "sarif_file:"+outputs["sarif"])
	}
	for _, want := range wanted {
		if !strings.Contains(got, want) {
			t.Errorf("nothing was done with %q:\n%s", want, got)
		}
	}
	if outputs["verdict"] != "proven" || outputs["receipt"] != "" || !strings.Contains(r.log.String(), "no key is set") {
		t.Errorf("%v\n%s", outputs, r.log.String())
	}
}

// readable looks whether a report is what its format says, as far as we can tell.
func readable(t *testing.T, format, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	switch format {
	case "json", "sarif":
		if !json.Valid(b) {
			t.Errorf("%s is no JSON: %.200s", file, b)
		}
	case "junit":
		if err := xml.Unmarshal(b, new(struct{ XMLName xml.Name })); err != nil {
			t.Errorf("%s is no XML: %v", file, err)
		}
	default:
		if len(b) == 0 {
			t.Errorf("%s is empty", file)
		}
	}
}

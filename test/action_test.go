package test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tightship-dev/tightship/internal/scaffold"
)

const root = ".."

func theAction(t *testing.T) actionFile {
	t.Helper()
	var a actionFile
	readYAML(t, filepath.Join(root, "action.yml"), &a)
	return a
}

// workflows is ours and the one that `tightship init` writes.
func workflows(t *testing.T) map[string]workflowFile {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.yml"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	all := map[string]workflowFile{}
	for _, name := range names {
		var w workflowFile
		readYAML(t, name, &w)
		all[filepath.Base(name)] = w
	}
	files, err := scaffold.Files(scaffold.Options{Now: time.Now(), Action: strings.Repeat("0", 40)})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Path == scaffold.WorkflowFile {
			var w workflowFile
			if err := yaml.Unmarshal(f.Content, &w); err != nil {
				t.Fatal(err)
			}
			all["tightship init"] = w
		}
	}
	return all
}

// ours says whether a step uses our action.
func (s actionStep) ours() bool {
	return s.Uses == "./" || strings.HasPrefix(s.Uses, "tightship-dev/tightship@")
}

// stub is a program in tightship's place. It says what it was called with, writes
// every report it is asked for, and ends as STUB_CODE says.
const stub = `#!/usr/bin/env bash
printf 'argument: %s\n' "$@"
for a; do
	case $a in
	--output=*=*)
		if [ "${STUB_CODE:-0}" -gt 2 ]; then continue; fi
		a=${a#--output=}
		case ${a%%=*} in
		github) printf '::error title=Tightship::a finding\n' ;;
		markdown) head -c "${STUB_SUMMARY:-20}" /dev/zero | tr '\0' 'm' ;;
		*) echo "${a%%=*}" ;;
		esac >"${a#*=}"
		;;
	--receipt=*) echo receipt >"${a#*=}" ;;
	esac
done
printf '%b' "${STUB_SAYS:-}"
exit "${STUB_CODE:-0}"
`

// stubbed runs the step that verifies, with a stub for the program.
func stubbed(t *testing.T, env []string, with map[string]string) (acted, *runner) {
	t.Helper()
	a := theAction(t)
	a.Runs.Steps = a.Runs.Steps[len(a.Runs.Steps)-1:]
	source, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	r := newRunner(t, source)
	r.env = env
	program := filepath.Join(t.TempDir(), "tightship")
	if err := os.WriteFile(program, []byte(stub), 0o755); err != nil {
		t.Fatal(err)
	}
	r.steps["build"] = map[string]string{"tightship": program}
	out, err := r.use(a, with)
	if err != nil {
		t.Fatalf("%v\n%s", err, r.log.String())
	}
	return out, r
}

var reportFormats = []string{"json", "junit", "sarif", "markdown", "html"}

// What the step ends with, whatever the verdict; the outputs are always written.
func TestActionVerdicts(t *testing.T) {
	for _, row := range []struct {
		code    string
		failOn  string
		want    int
		verdict string
	}{
		{"0", "", 0, "proven"},
		{"1", "", 1, "failed"},
		{"2", "", 2, "inconclusive"},
		{"3", "", 3, "error"},
		{"143", "", 143, "error"},
		{"0", "inconclusive", 0, "proven"},
		{"2", "inconclusive", 2, "inconclusive"},
		{"1", "failed", 1, "failed"},
		{"2", "failed", 0, "inconclusive"},
		{"3", "failed", 3, "error"},
		{"1", "never", 0, "failed"},
		{"2", "never", 0, "inconclusive"},
		{"3", "never", 3, "error"},
		{"137", "never", 137, "error"},
	} {
		t.Run(row.code+" fail-on "+row.failOn, func(t *testing.T) {
			got, _ := stubbed(t, []string{"STUB_CODE=" + row.code}, map[string]string{"fail-on": row.failOn})
			if got.code != row.want || got.outputs["verdict"] != row.verdict || got.outputs["exit-code"] != row.code {
				t.Errorf("exit code %d, outputs %v, want %d and %s", got.code, got.outputs, row.want, row.verdict)
			}
			if got.summary == "" {
				t.Error("no summary")
			}
			for _, format := range reportFormats {
				b, err := os.ReadFile(got.outputs[format])
				if there := err == nil && len(b) > 0; there != (row.verdict != "error") {
					t.Errorf("%s: %q, %v", format, got.outputs[format], err)
				}
			}
			if shown := strings.Contains(got.log, "\n::error title=Tightship::a finding\n"); shown != (row.verdict != "error") {
				t.Errorf("annotations shown: %v\n%s", shown, got.log)
			}
			if row.verdict == "error" && !strings.Contains(got.log, "::error title=Tightship::the verification could not run") {
				t.Errorf("nothing says that it could not run:\n%s", got.log)
			}
			if row.want == 0 && row.verdict != "proven" && !strings.Contains(got.log, "::warning title=Tightship::"+row.verdict) {
				t.Errorf("it passed without a word:\n%s", got.log)
			}
		})
	}
}

// What cannot be right is refused before anything runs, and is an error there too.
func TestActionRefuses(t *testing.T) {
	for name, row := range map[string]struct{ failOn, shown string }{
		"fail-on": {"nothing", "nothing"},
		"case":    {"Never", "Never"},
		"lines":   {"never\nverdict=proven\r\n::error::%0A", "never%0Averdict=proven%0D%0A::error::%250A"},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := stubbed(t, nil, map[string]string{"fail-on": row.failOn})
			if got.code != 3 || got.outputs["verdict"] != "error" || got.outputs["exit-code"] != "3" || got.summary == "" {
				t.Errorf("exit code %d, outputs %v", got.code, got.outputs)
			}
			if strings.Contains(got.log, "argument:") || !strings.Contains(got.log, "::error title=Tightship::fail-on: "+row.shown+" is not known") {
				t.Errorf("log:\n%s", got.log)
			}
		})
	}
	for _, name := range []string{"RUNNER_TEMP", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"} {
		t.Run("no "+name, func(t *testing.T) {
			c := exec.CommandContext(t.Context(), "env", "RUNNER_TEMP="+t.TempDir(), "GITHUB_OUTPUT=/dev/null", "GITHUB_STEP_SUMMARY=/dev/null", "TIGHTSHIP=/bin/true",
				"env", "--unset="+name, filepath.Join(root, "action", "verify.sh"))
			out, _ := c.CombinedOutput()
			if c.ProcessState.ExitCode() != 3 || !strings.Contains(string(out), name+" is not set") {
				t.Errorf("%v: %s", c.ProcessState, out)
			}
		})
	}
	t.Run("no program", func(t *testing.T) {
		a := theAction(t)
		a.Runs.Steps = a.Runs.Steps[len(a.Runs.Steps)-1:]
		source, err := filepath.Abs(root)
		if err != nil {
			t.Fatal(err)
		}
		r := newRunner(t, source)
		r.steps["build"] = map[string]string{}
		got, err := r.use(a, nil)
		if err != nil || got.code != 3 || got.outputs["verdict"] != "error" {
			t.Errorf("%v, exit code %d, outputs %v", err, got.code, got.outputs)
		}
	})
}

// Inputs are arguments, whatever is in them: none is shell text, and an image is
// never taken for a flag.
func TestActionArguments(t *testing.T) {
	hostile := "$(touch pwned)`touch pwned`;touch pwned\"'"
	got, r := stubbed(t, nil, map[string]string{
		"image": "--help " + hostile, "policy": hostile, "runtime": hostile, "engine": "oci", "receipt-key": "k " + hostile,
		"args": "--skip=env.*\n\n--only=" + hostile + "\n*",
	})
	if got.code != 0 {
		t.Fatalf("exit code %d\n%s", got.code, got.log)
	}
	var arguments []string
	for line := range strings.Lines(got.log) {
		if a, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "argument: "); ok && !strings.HasPrefix(a, "--output=") {
			arguments = append(arguments, a)
		}
	}
	want := []string{"verify", "--policy=" + hostile, "--runtime=" + hostile, "--engine=oci",
		"--receipt=" + got.outputs["reports"] + "/receipt.json", "--key=k " + hostile, "--skip=env.*", "--only=" + hostile, "*", "--", "--help " + hostile}
	if !slices.Equal(arguments, want) {
		t.Errorf("%q\nwant %q", arguments, want)
	}
	if entries, err := os.ReadDir(r.workspace); err != nil || len(entries) > 0 {
		t.Errorf("something ran: %v %v", entries, err)
	}
	if got.outputs["receipt"] == "" {
		t.Error("the receipt is no output")
	}
}

var betweenTokens = regexp.MustCompile(`(?s)::stop-commands::([0-9a-f]{32})\n(.*)\n::([0-9a-f]{32})::\n`)

// What an image or its report says never reaches the runner as a command.
func TestActionStopsCommands(t *testing.T) {
	says := `::set-output name=x::y\n  ::error::spoof\n::stop-commands::\nno line feed at the end`
	got, _ := stubbed(t, []string{"STUB_SAYS=" + says, "STUB_CODE=1"}, nil)
	m := betweenTokens.FindStringSubmatch(got.log)
	if m == nil || m[1] != m[3] || !strings.Contains(m[2], "::error::spoof") || strings.Contains(m[2], m[1]) {
		t.Fatalf("what the program says is not between stop-commands and its end:\n%s", got.log)
	}
	if strings.Contains(strings.Replace(got.log, m[0], "", 1), "spoof") {
		t.Errorf("it is said outside too:\n%s", got.log)
	}
	again, _ := stubbed(t, nil, nil)
	if n := betweenTokens.FindStringSubmatch(again.log); n == nil || n[1] == m[1] {
		t.Error("the token can be guessed")
	}
}

// GitHub refuses a summary of more than 1 MiB as a whole.
func TestActionSummary(t *testing.T) {
	small, _ := stubbed(t, nil, nil)
	if small.summary != strings.Repeat("m", 20) {
		t.Errorf("summary %q", small.summary)
	}
	large, _ := stubbed(t, []string{"STUB_SUMMARY=2000000", "STUB_CODE=1"}, nil)
	if len(large.summary) > 1000 || !strings.Contains(large.summary, "failed") {
		t.Errorf("a summary of %d bytes", len(large.summary))
	}
}

// A key reaches a file of its owner's alone, and no log.
func TestActionKey(t *testing.T) {
	source, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", "secret\nof two lines"} {
		r := newRunner(t, source)
		r.env = []string{"KEY=" + key}
		code, err := r.step(actionStep{ID: "key", Run: source + "/action/key.sh"})
		if err != nil || code != 0 {
			t.Fatalf("%d %v\n%s", code, err, r.log.String())
		}
		file := r.steps["key"]["file"]
		if key == "" {
			if file != "" || !strings.Contains(r.log.String(), "::notice") {
				t.Errorf("%q\n%s", file, r.log.String())
			}
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil || string(b) != key+"\n" {
			t.Errorf("%q %v", b, err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v %v", info, err)
		}
		if strings.Contains(r.log.String(), "secret") {
			t.Error("the key is in the log")
		}
	}
}

var pinned = regexp.MustCompile(`^[a-z-]+/[a-z-]+(/[a-z-]+)*@[0-9a-f]{40}$`)

// Every input and output is in the guide.
func TestActionIsDocumented(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "docs", "ci.md"))
	if err != nil {
		t.Fatal(err)
	}
	a := theAction(t)
	for _, name := range slices.Concat(slices.Collect(maps.Keys(a.Inputs)), slices.Collect(maps.Keys(a.Outputs))) {
		if !strings.Contains(string(b), "`"+name+"`") {
			t.Errorf("docs/ci.md does not say what %s is", name)
		}
	}
}

var outputOf = regexp.MustCompile(`steps\.tightship\.outputs\.([a-z-]+)`)

// What keeps a workflow from being a way in: no expression in shell text, nothing
// used by a name that can be moved, no more permissions than needed, a time limit.
func TestWorkflowsAreSafe(t *testing.T) {
	var steps []actionStep
	uses := 0
	a := theAction(t)
	steps = append(steps, a.Runs.Steps...)
	for _, s := range a.Runs.Steps {
		if s.Run != "" && s.Shell != "bash" {
			t.Errorf("action.yml: a step has no shell: %q", s.Run)
		}
	}
	for name, w := range workflows(t) {
		if len(w.Permissions) != 0 {
			t.Errorf("%s: permissions %v for every job", name, w.Permissions)
		}
		if w.Concurrency.Group == "" {
			t.Errorf("%s: no concurrency group", name)
		}
		for id, j := range w.Jobs {
			if j.Timeout == 0 || j.Timeout > 60 {
				t.Errorf("%s: job %s has a time limit of %d minutes", name, id, j.Timeout)
			}
			for scope, access := range j.Permissions {
				if access == "write" && scope != "security-events" {
					t.Errorf("%s: job %s may write %s", name, id, scope)
				}
			}
			steps = append(steps, j.Steps...)
		}
	}
	for _, s := range steps {
		if strings.Contains(s.Run, "${{") {
			t.Errorf("an expression in shell text: %q", s.Run)
		}
		if s.Uses != "" && s.Uses != "./" && !pinned.MatchString(s.Uses) {
			t.Errorf("%s is not pinned by a commit", s.Uses)
		}
		if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != "false" {
			t.Errorf("%s keeps the token where later steps can read it", s.Uses)
		}
		if s.ours() {
			uses++
			for in := range s.With {
				if _, ok := a.Inputs[in]; !ok {
					t.Errorf("the action has no input %q", in)
				}
			}
		}
		for _, m := range outputOf.FindAllStringSubmatch(s.If+" "+strings.Join(slices.Collect(maps.Values(s.With)), " "), -1) {
			if _, ok := a.Outputs[m[1]]; !ok {
				t.Errorf("the action has no output %q", m[1])
			}
		}
	}
	if uses != 2 {
		t.Errorf("the action is used %d times", uses)
	}
}

// Every command of the workflows is a target of the Makefile or a script that is
// here and can be executed.
func TestWorkflowCommands(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for name, w := range workflows(t) {
		for _, j := range w.Jobs {
			for _, s := range j.Steps {
				if s.Run == "" {
					continue
				}
				seen++
				if name == "tightship init" {
					if want := `docker build --tag "$IMAGE" .`; s.Run != want {
						t.Errorf("%s: %q, want %q", name, s.Run, want)
					}
				} else if target, ok := strings.CutPrefix(s.Run, "make "); ok {
					if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(target) + `:`).Match(makefile) {
						t.Errorf("%s: no target %q", name, target)
					}
				} else if info, err := os.Stat(filepath.Join(root, s.Run)); err != nil || info.Mode()&0o111 == 0 {
					t.Errorf("%s: %q cannot be executed: %v", name, s.Run, err)
				}
			}
		}
	}
	if seen < 3 {
		t.Errorf("only %d commands found", seen)
	}
}

// The shell is sound: bash reads it, and shellcheck where there is one.
func TestActionShell(t *testing.T) {
	scripts, err := filepath.Glob(filepath.Join(root, "action", "*.sh"))
	if err != nil || len(scripts) < 3 {
		t.Fatalf("%v %v", scripts, err)
	}
	checks := [][]string{{"bash", "-n"}}
	if _, err := exec.LookPath("shellcheck"); err == nil {
		checks = append(checks, []string{"shellcheck"})
	}
	for _, s := range scripts {
		if info, err := os.Stat(s); err != nil || info.Mode()&0o111 == 0 {
			t.Errorf("%s cannot be executed: %v", s, err)
		}
		for _, c := range checks {
			if out, err := exec.CommandContext(t.Context(), c[0], append(c[1:], s)...).CombinedOutput(); err != nil {
				t.Errorf("%v %s: %v\n%s", c, s, err, out)
			}
		}
	}
}

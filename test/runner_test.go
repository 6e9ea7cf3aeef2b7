package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// The files that others run: an action, and the workflows around it. Only what our
// own files use is here.
type (
	actionFile struct {
		Inputs  map[string]struct{ Description, Default string }
		Outputs map[string]struct{ Description, Value string }
		Runs    struct {
			Using string
			Steps []actionStep
		}
	}
	workflowFile struct {
		Name        string
		Permissions map[string]string
		Concurrency struct {
			Group  string
			Cancel any `yaml:"cancel-in-progress"`
		}
		Jobs map[string]struct {
			RunsOn      string `yaml:"runs-on"`
			Timeout     int    `yaml:"timeout-minutes"`
			Permissions map[string]string
			Steps       []actionStep
		}
	}
	actionStep struct {
		ID, Name, If, Uses, Shell, Run string
		Env                            map[string]string
		With                           map[string]string
	}
)

func readYAML(t *testing.T, path string, to any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(b, to); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// runner stands in for GitHub's: it runs the shell of steps, in order, and keeps
// what they leave. Actions that steps use are noted and not run.
type runner struct {
	workspace, temp, action string            // directories
	inputs                  map[string]string // of the action
	env                     []string          // besides GitHub's own

	steps   map[string]map[string]string // outputs by step
	used    []string
	log     bytes.Buffer
	summary string
}

func newRunner(t *testing.T, action string) *runner {
	t.Helper()
	return &runner{
		workspace: t.TempDir(), temp: t.TempDir(), action: action,
		steps: map[string]map[string]string{},
	}
}

var expression = regexp.MustCompile(`\$\{\{\s*([^}]*?)\s*\}\}`)

// evaluate replaces the few expressions that our files use; others are errors.
func (r *runner) evaluate(text string) (string, error) {
	var bad error
	out := expression.ReplaceAllStringFunc(text, func(m string) string {
		path := strings.Split(expression.FindStringSubmatch(m)[1], ".")
		switch {
		case len(path) == 2 && path[0] == "inputs":
			if v, ok := r.inputs[path[1]]; ok {
				return v
			}
		case len(path) == 4 && path[0] == "steps" && path[2] == "outputs":
			if outputs, ok := r.steps[path[1]]; ok {
				return outputs[path[3]]
			}
		case strings.Join(path, ".") == "github.action_path":
			return r.action
		case len(path) == 2 && path[0] == "secrets":
			return "" // as on a pull request from a fork
		}
		bad = fmt.Errorf("cannot evaluate %s", m)
		return ""
	})
	return out, bad
}

// run runs steps until one fails, and returns that one's exit code.
func (r *runner) run(steps []actionStep) (int, error) {
	for _, s := range steps {
		if s.Uses != "" {
			r.used = append(r.used, s.Uses)
			continue
		}
		code, err := r.step(s)
		if code != 0 || err != nil {
			return code, err
		}
	}
	return 0, nil
}

func (r *runner) step(s actionStep) (int, error) {
	if s.Shell != "" && s.Shell != "bash" {
		return 0, fmt.Errorf("shell %q", s.Shell)
	}
	dir, err := os.MkdirTemp(r.temp, "runner-")
	if err != nil {
		return 0, err
	}
	script, output, summary := filepath.Join(dir, "script.sh"), filepath.Join(dir, "output"), filepath.Join(dir, "summary")
	for name, content := range map[string]string{script: s.Run, output: "", summary: ""} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			return 0, err
		}
	}
	env := append(slices.Clone(r.env), "GITHUB_OUTPUT="+output, "GITHUB_STEP_SUMMARY="+summary, "GITHUB_WORKSPACE="+r.workspace,
		"GITHUB_ACTIONS=true", "RUNNER_TEMP="+r.temp, "CI=true")
	for name, value := range s.Env {
		value, err := r.evaluate(value)
		if err != nil {
			return 0, err
		}
		env = append(env, name+"="+value)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	// What `shell: bash` means there.
	c := exec.CommandContext(ctx, "bash", "--noprofile", "--norc", "-eo", "pipefail", script)
	c.Dir, c.Env, c.WaitDelay = r.workspace, append(os.Environ(), env...), 5*time.Second
	c.Stdout, c.Stderr = &r.log, &r.log
	err = c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	b, err := os.ReadFile(output)
	if err != nil {
		return 0, err
	}
	outputs := map[string]string{}
	for line := range strings.Lines(string(b)) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok {
			return 0, fmt.Errorf("a line of GITHUB_OUTPUT is not NAME=VALUE: %q", line)
		}
		outputs[name] = value
	}
	if s.ID != "" {
		r.steps[s.ID] = outputs
	}
	if b, err = os.ReadFile(summary); err != nil {
		return 0, err
	}
	r.summary += string(b)
	if exit != nil {
		return exit.ExitCode(), nil
	}
	return 0, nil
}

// job runs the steps of a workflow's job. Our own action is used for real, other
// actions are noted with what they are given, and so are the commands in skip.
func (r *runner) job(a actionFile, steps []actionStep, skip ...string) error {
	for _, s := range steps {
		with := map[string]string{}
		for name, value := range s.With {
			v, err := r.evaluate(value)
			if err != nil {
				return err
			}
			with[name] = v
		}
		switch {
		case s.ours():
			inner := &runner{workspace: r.workspace, temp: r.temp, action: r.action, steps: map[string]map[string]string{}}
			got, err := inner.use(a, with)
			r.log.Write(inner.log.Bytes())
			r.summary += got.summary
			if err != nil || got.code != 0 {
				return fmt.Errorf("the action ended with %d: %v", got.code, err)
			}
			r.steps[s.ID] = got.outputs
		case s.Uses != "":
			r.used = append(r.used, fmt.Sprintf("%s %v", s.Uses, with))
		case slices.Contains(skip, s.Run):
			r.used = append(r.used, s.Run)
		default:
			if code, err := r.step(s); err != nil || code != 0 {
				return fmt.Errorf("%q ended with %d: %v", s.Run, code, err)
			}
		}
	}
	return nil
}

// acted is what an action left.
type acted struct {
	code         int
	outputs      map[string]string
	log, summary string
}

// use runs an action's own steps with these inputs, as a workflow's `with:` gives
// them.
func (r *runner) use(a actionFile, with map[string]string) (acted, error) {
	r.inputs = map[string]string{}
	for name, in := range a.Inputs {
		r.inputs[name] = in.Default
	}
	for name, value := range with {
		if _, ok := a.Inputs[name]; !ok {
			return acted{}, fmt.Errorf("the action has no input %q", name)
		}
		r.inputs[name] = value
	}
	code, err := r.run(a.Runs.Steps)
	if err != nil {
		return acted{}, err
	}
	out := acted{code: code, outputs: map[string]string{}, log: r.log.String(), summary: r.summary}
	for name, o := range a.Outputs {
		if _, ran := r.steps["verify"]; !ran {
			break
		}
		if out.outputs[name], err = r.evaluate(o.Value); err != nil {
			return acted{}, err
		}
	}
	return out, nil
}

package test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// project is a directory after `tightship init`, which the agent's user owns.
func project(t *testing.T, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	if os.Getuid() == 0 {
		if err := os.Chown(dir, 1000, 100); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "tightship"), append([]string{"init", dir}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// service is a Compose service, as far as what init writes goes.
type service struct {
	Image    string
	User     string
	GroupAdd []string `yaml:"group_add"`
	ReadOnly bool     `yaml:"read_only"`
	Tmpfs    []string
	Volumes  []struct {
		Type, Source, Target string
		ReadOnly             bool           `yaml:"read_only"`
		Bind                 map[string]any // what --mount does without being told
	}
	MemLimit    string `yaml:"mem_limit"`
	MemSwap     string `yaml:"memswap_limit"`
	CPUs        string
	PIDs        string `yaml:"pids_limit"`
	Ulimits     map[string]string
	CapDrop     []string `yaml:"cap_drop"`
	CapAdd      []string `yaml:"cap_add"`
	SecurityOpt []string `yaml:"security_opt"`
	Sysctls     map[string]string
	NetworkMode string `yaml:"network_mode"`
	IPC         string
	Cgroup      string
	Runtime     string
}

// readService reads a Compose file without the keys that are to be left out. A key
// that we could not pass on is an error, so that nothing is lost in between.
func readService(t *testing.T, dir string, without ...string) service {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Services struct{ Agent map[string]any }
	}
	if err := yaml.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	for _, key := range without {
		if _, ok := doc.Services.Agent[key]; !ok {
			t.Fatalf("compose.yaml has no %s to leave out", key)
		}
		delete(doc.Services.Agent, key)
	}
	if b, err = yaml.Marshal(doc.Services.Agent); err != nil {
		t.Fatal(err)
	}
	var s service
	d := yaml.NewDecoder(strings.NewReader(string(b)))
	d.KnownFields(true)
	if err := d.Decode(&s); err != nil {
		t.Fatalf("%v in\n%s", err, b)
	}
	return s
}

// flags is the service as docker create has it.
func (s service) flags(dir string) []string {
	var out []string
	add := func(name, value string) {
		if value != "" {
			out = append(out, name+"="+value)
		}
	}
	all := func(name string, values []string) {
		for _, v := range values {
			add(name, v)
		}
	}
	add("--user", s.User)
	all("--group-add", s.GroupAdd)
	if s.ReadOnly {
		out = append(out, "--read-only")
	}
	all("--tmpfs", s.Tmpfs)
	for _, v := range s.Volumes {
		add("--mount", fmt.Sprintf("type=%s,source=%s,target=%s,readonly=%t", v.Type, filepath.Join(dir, v.Source), v.Target, v.ReadOnly))
	}
	add("--memory", s.MemLimit)
	add("--memory-swap", s.MemSwap)
	add("--cpus", s.CPUs)
	add("--pids-limit", s.PIDs)
	for name, value := range s.Ulimits {
		add("--ulimit", name+"="+value)
	}
	all("--cap-drop", s.CapDrop)
	all("--cap-add", s.CapAdd)
	for _, o := range s.SecurityOpt {
		if file, ok := strings.CutPrefix(o, "seccomp:"); ok && file != "unconfined" {
			o = "seccomp=" + filepath.Join(dir, file)
		}
		add("--security-opt", o)
	}
	for name, value := range s.Sysctls {
		add("--sysctl", name+"="+value)
	}
	add("--network", s.NetworkMode)
	add("--ipc", s.IPC)
	add("--cgroupns", s.Cgroup)
	add("--runtime", s.Runtime)
	return out
}

// What init writes for Compose is as tight as the policy it writes, and each of its
// keys is why: without it the check of that key fails.
func TestInitCompose(t *testing.T) {
	lane(t)
	dir := project(t)
	t.Run("whole", func(t *testing.T) { // alone: a busy machine cannot show that CPU time is bounded
		s := readService(t, dir)
		verifyContainer(t, 0, "--policy", filepath.Join(dir, "tightship.yaml"), "--skip", "env.*", "--container", create(t, s.Image, s.flags(dir)...))
	})
	for key, check := range map[string]string{
		"read_only": "fs.root-read-only", "tmpfs": "fs.tmp-writable", "volumes": "fs.workspace-writable", "mem_limit": "limits.memory",
		"cpus": "limits.cpu", "pids_limit": "limits.pids", "ulimits": "limits.core", "cap_drop": "caps.none",
		"security_opt": "priv.no-new-privs", "sysctls": "user.no-privileged-port", "network_mode": "net.no-interface",
	} {
		t.Run("without "+key, func(t *testing.T) {
			t.Parallel()
			without := []string{key}
			if key == "mem_limit" {
				without = append(without, "memswap_limit") // means nothing alone
			}
			s := readService(t, dir, without...)
			d := verifyContainer(t, 1, "--policy", filepath.Join(dir, "tightship.yaml"), "--only", check, "--container", create(t, s.Image, s.flags(dir)...))
			if got := d.having("fail"); !slices.Equal(got, []string{check}) {
				t.Errorf("%v%s", got, d.reasons(got...))
			}
		})
	}
}

// The same with Compose itself, where there is one.
func TestInitComposeForReal(t *testing.T) {
	lane(t)
	compose := composeCommand(t)
	dir := project(t)
	name := fmt.Sprintf("tightship-init-%d", time.Now().UnixNano())
	run := func(args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		c := exec.CommandContext(ctx, compose[0], slices.Concat(compose[1:], []string{"--project-name", name}, args)...)
		c.Dir = dir
		var stderr strings.Builder
		c.Stderr = &stderr
		out, err := c.Output()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, stderr.String())
		}
		return strings.TrimSpace(string(out))
	}
	run("config", "--quiet")
	t.Cleanup(func() { run("down", "--timeout", "1") })
	run("create")
	verifyContainer(t, 0, "--policy", filepath.Join(dir, "tightship.yaml"), "--skip", "env.*", "--container", run("ps", "--all", "--quiet", "agent"))
}

// composeCommand finds Compose of version 2 or newer; the first is gone.
func composeCommand(t *testing.T) []string {
	t.Helper()
	for _, c := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		out, err := exec.CommandContext(t.Context(), c[0], append(c[1:], "version", "--short")...).Output()
		if err == nil && !strings.HasPrefix(string(out), "1.") {
			return c
		}
	}
	t.Skip("SKIPPED: no Docker Compose: what init writes for it was tried with docker create alone")
	return nil
}

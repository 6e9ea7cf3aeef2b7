package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tightship-dev/tightship/spec"
)

func TestContainer(t *testing.T) {
	dir := t.TempDir()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	base := func(source string) spec.Container {
		return spec.Container{
			Image:           "tightship-agent:latest",
			Runtime:         "runc",
			User:            "1000:100",
			ReadonlyRootfs:  true,
			Tmpfs:           map[string]spec.Tmpfs{"/tmp": {Size: 2 << 30}},
			Mounts:          []spec.Mount{{Kind: spec.Bind, Source: source, Target: "/home/claude-agent/workspace"}},
			Memory:          2 << 30,
			MilliCPU:        2000,
			PIDs:            100,
			Ulimits:         map[string]int64{"nofile": 1024, "core": 0},
			CapDrop:         []string{"ALL"},
			NoNewPrivileges: true,
			Seccomp:         strings.TrimSpace(defaultSeccomp),
			Sysctls:         map[string]string{"net.ipv4.ip_unprivileged_port_start": "1024"},
			Network:         "none",
		}
	}
	for _, row := range []struct {
		name, file string // no file is Default
		want       func(*spec.Container)
	}{
		{"default", "", func(c *spec.Container) { c.Mounts[0].Source = here }},
		{"image and runtime", "image: a\nruntime: crun", func(c *spec.Container) { c.Image, c.Runtime = "a", "crun" }},
		{"user", "user: {uid: 5, gid: 6, groups: [7, 8]}", func(c *spec.Container) { c.User, c.Groups = "5:6", []string{"7", "8"} }},
		{"rootfs", "rootfs: writable", func(c *spec.Container) { c.ReadonlyRootfs = false }},
		{"tmpfs", "tmpfs: {/a: {size: unlimited, exec: true}, /b: {size: 1m, suid: true}, /c: {size: 1m, dev: true}}", func(c *spec.Container) {
			c.Tmpfs = map[string]spec.Tmpfs{"/a": {Exec: true}, "/b": {Size: 1 << 20, Suid: true}, "/c": {Size: 1 << 20, Dev: true}}
		}},
		{"read-only workspace", "workspace: {mode: ro, source: sub/., target: /w}", func(c *spec.Container) {
			c.Mounts = []spec.Mount{{Kind: spec.Bind, Source: filepath.Join(dir, "sub"), Target: "/w", ReadOnly: true}}
		}},
		{"absolute workspace", "workspace: {source: /srv}", func(c *spec.Container) { c.Mounts[0].Source = "/srv" }},
		{"no workspace", "workspace: {mode: none}", func(c *spec.Container) { c.Mounts = nil }},
		{"limits", "limits: {memory: 1g, swap: 1m, cpus: 0.5, pids: 7, nofile: 64, core: 1k}", func(c *spec.Container) {
			c.Memory, c.Swap, c.MilliCPU, c.PIDs = 1<<30, 1<<20, 500, 7
			c.Ulimits = map[string]int64{"nofile": 64, "core": 1024}
		}},
		{"no limits", "limits: {memory: unlimited, swap: unlimited, cpus: unlimited, pids: unlimited, nofile: unlimited, core: unlimited}", func(c *spec.Container) {
			c.Memory, c.Swap, c.MilliCPU, c.PIDs, c.Ulimits = 0, spec.Unlimited, 0, 0, nil
		}},
		{"capabilities", "capabilities: [NET_RAW, CAP_CHOWN]", func(c *spec.Container) { c.CapAdd = []string{"CHOWN", "NET_RAW"} }},
		{"privileges", "no_new_privileges: false", func(c *spec.Container) { c.NoNewPrivileges = false }},
		{"no seccomp", "seccomp: unconfined", func(c *spec.Container) { c.Seccomp = "unconfined" }},
		{"seccomp file", "seccomp: ./tight.json", func(c *spec.Container) { c.Seccomp = `{"defaultAction": "SCMP_ACT_ERRNO"}` }},
		{"sysctls", "sysctls: {}", func(c *spec.Container) { c.Sysctls = nil }},
		{"network", "network: bridge", func(c *spec.Container) { c.Network = "bridge" }},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := Default()
			if row.file != "" {
				if err := os.WriteFile(filepath.Join(dir, "tight.json"), []byte(`{"defaultAction": "SCMP_ACT_ERRNO"}`), 0o600); err != nil {
					t.Fatal(err)
				}
				if p, err = Decode(filepath.Join(dir, "tightship.yaml"), []byte(row.file)); err != nil {
					t.Fatal(err)
				}
			}
			want := base(dir)
			row.want(&want)
			got, err := p.Container()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestContainerRefusesSeccompFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "p.yaml")
	for _, row := range []struct{ name, profile, want string }{
		{"absent", "", "no such file or directory"},
		{"not JSON", "defaultAction: x", "is not a seccomp profile in JSON: invalid character 'd' looking for beginning of value"},
		{"list", "[]", "is not a seccomp profile in JSON: json: cannot unmarshal array into Go value of type struct { DefaultAction string \"json:\\\"defaultAction\\\"\" }"},
		{"no default action", "{}", `is not a seccomp profile: defaultAction is "", want SCMP_ACT_…`},
		{"null", "null", `is not a seccomp profile: defaultAction is "", want SCMP_ACT_…`},
		{"something after it", `{"defaultAction": "SCMP_ACT_ERRNO"} {}`, "is not a seccomp profile in JSON: invalid character '{' after top-level value"},
		{"large", strings.Repeat(" ", MaxFileSize+1), "is larger than 1 MiB, which no seccomp profile is"},
		{"directory", "/", "is a directory, want a seccomp profile"},
	} {
		t.Run(row.name, func(t *testing.T) {
			profile := filepath.Join(dir, "s.json")
			os.RemoveAll(profile)
			var err error
			switch row.name {
			case "absent":
			case "directory":
				err = os.Mkdir(profile, 0o700)
			default:
				err = os.WriteFile(profile, []byte(row.profile), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			p, err := Decode(file, []byte("seccomp: s.json"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Container()
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(file+":1:1: seccomp: s.json: "+row.want, err.Error()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

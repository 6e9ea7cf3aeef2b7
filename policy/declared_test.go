package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tightship-dev/tightship/spec"
)

// Only what the bar leaves open is taken from a container, and nothing that is
// below the bar.
func TestForContainer(t *testing.T) {
	none := ForContainer(spec.Container{Image: "i"})
	want := Default()
	want.Image, want.Runtime, want.User.Name = "i", "", ""
	want.Environment = Environment{Commands: []Command{}, PythonPackages: []string{}}
	if diff := cmp.Diff(want, none); diff != "" {
		t.Errorf("a container with no setting moves the bar:\n%s", diff)
	}
	weak := ForContainer(spec.Container{
		Image: "i", Swap: spec.Unlimited, Privileged: true, CapAdd: []string{"SYS_ADMIN"}, Seccomp: "unconfined", Network: "host",
		Groups: []string{"0"}, Ulimits: map[string]int64{"core": -1, "nofile": -1}, Sysctls: map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"},
		Tmpfs: map[string]spec.Tmpfs{"/tmp": {Exec: true, Suid: true, Dev: true}},
	})
	if diff := cmp.Diff(want, weak); diff != "" {
		t.Errorf("a weak setting moves the bar:\n%s", diff)
	}
	p := ForContainer(spec.Container{
		Memory: 5, MilliCPU: 6, PIDs: 7, Ulimits: map[string]int64{"nofile": 8}, WorkingDir: "/srv/app/src",
		Tmpfs:  map[string]spec.Tmpfs{"/run": {Size: 9, Exec: true}},
		Mounts: []spec.Mount{{Target: "/srv", Source: "a"}, {Target: "/srv/app", Source: "b", ReadOnly: true}, {Target: "/srv/apple", Source: "c"}},
	})
	if p.Limits.Memory != 5 || p.Limits.CPUs != 6 || p.Limits.PIDs != 7 || p.Limits.NoFile != 8 {
		t.Errorf("limits %+v", p.Limits)
	}
	if got := p.Tmpfs["/run"]; got != (Tmpfs{Size: 9}) {
		t.Errorf("/run %+v", got)
	}
	if _, ok := p.Tmpfs["/tmp"]; !ok {
		t.Error("the bar's own tmpfs is gone")
	}
	if p.Workspace != (Workspace{Source: "b", Target: "/srv/app", Mode: WorkspaceRO}) {
		t.Errorf("workspace %+v", p.Workspace)
	}
	usual := spec.Mount{Target: Default().Workspace.Target, Source: "w"}
	p = ForContainer(spec.Container{WorkingDir: "/srv", Mounts: []spec.Mount{{Target: "/srv"}, usual}})
	if p.Workspace.Source != "w" || p.Workspace.Mode != WorkspaceRW {
		t.Errorf("workspace %+v", p.Workspace)
	}
}

package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tightship-dev/tightship/spec"
)

// Only what the bar leaves open is taken from a container, and nothing that is
// below the bar.
func TestForContainer(t *testing.T) {
	none := ForContainer(spec.Container{Image: "i"}, Host{})
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
	}, Host{})
	if diff := cmp.Diff(want, weak); diff != "" {
		t.Errorf("a weak setting moves the bar:\n%s", diff)
	}
	p := ForContainer(spec.Container{
		Memory: 5, MilliCPU: 6, PIDs: 7, Ulimits: map[string]int64{"nofile": 8}, WorkingDir: "/srv/app/src",
		Tmpfs:  map[string]spec.Tmpfs{"/run": {Size: 9, Exec: true}},
		Mounts: []spec.Mount{{Target: "/srv", Source: "a"}, {Target: "/srv/app", Source: "b", ReadOnly: true}, {Target: "/srv/apple", Source: "c"}},
	}, Host{Memory: 9, MilliCPU: 6})
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
	p = ForContainer(spec.Container{WorkingDir: "/srv", Mounts: []spec.Mount{{Target: "/srv"}, usual}}, Host{})
	if p.Workspace.Source != "w" || p.Workspace.Mode != WorkspaceRW {
		t.Errorf("workspace %+v", p.Workspace)
	}
}

// A limit that is larger than the machine bounds nothing.
func TestLimitsInNameOnly(t *testing.T) {
	host, bar := Host{Memory: 4 << 30, MilliCPU: 8000}, Default()
	most := ForContainer(spec.Container{
		Memory: 4 << 30, MilliCPU: 8000, PIDs: 32767, Ulimits: map[string]int64{"nofile": 1<<20 - 1}, Tmpfs: map[string]spec.Tmpfs{"/tmp": {Size: 4 << 30}},
	}, host)
	if l := most.Limits; l.Memory != 4<<30 || l.CPUs != 8000 || l.PIDs != 32767 || l.NoFile != 1<<20-1 || most.Tmpfs["/tmp"].Size != 4<<30 {
		t.Errorf("%+v %+v", l, most.Tmpfs)
	}
	more := ForContainer(spec.Container{
		Memory: 4<<30 + 1, MilliCPU: 8001, PIDs: 32768, Ulimits: map[string]int64{"nofile": 1 << 20}, Tmpfs: map[string]spec.Tmpfs{"/tmp": {Size: 4<<30 + 1}},
	}, host)
	if diff := cmp.Diff(bar.Limits, more.Limits); diff != "" || more.Tmpfs["/tmp"] != bar.Tmpfs["/tmp"] {
		t.Errorf("%s %+v", diff, more.Tmpfs)
	}
	// On a machine that is smaller than the bar, the bar is what counts.
	small := ForContainer(spec.Container{Memory: 2 << 30, MilliCPU: 2000}, Host{Memory: 1 << 30, MilliCPU: 1000})
	if small.Limits != bar.Limits {
		t.Errorf("%+v", small.Limits)
	}
}

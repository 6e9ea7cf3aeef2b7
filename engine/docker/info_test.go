package docker

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tightship-dev/tightship/engine"
)

// What the engine says of its limits and runtimes; a limit that it does not
// mention is one that it does not have.
func TestInfo(t *testing.T) {
	for _, row := range []struct {
		name, answer string
		want         engine.Info
	}{
		{
			"everything", `{"OSType":"linux","Architecture":"x86_64","CgroupDriver":"systemd","CgroupVersion":"2","DockerRootDir":"/data",
			"CpuCfsQuota":true,"MemoryLimit":true,"PidsLimit":true,"SwapLimit":true,"DefaultRuntime":"runc","SecurityOptions":["name=apparmor","name=rootless"],
			"Runtimes":{"runc":{"path":"runc"},"runsc":{"path":"/r","runtimeArgs":["--oci-seccomp"]},"shim":{"runtimeType":"io.containerd.runsc.v1"}}}`,
			engine.Info{Cgroup: "v2", Driver: "systemd", Root: "/data", LSM: "apparmor", Rootless: true, Runtime: "runc", Runtimes: []string{"runc", "runsc", "shim"},
				Programs: map[string]engine.Program{"runc": {Path: "runc"}, "runsc": {Path: "/r", Args: []string{"--oci-seccomp"}}, "shim": {Type: "io.containerd.runsc.v1"}}},
		},
		{"nothing", `{"OSType":"linux"}`, engine.Info{Lacks: []string{"cpu", "memory", "pids", "swap"}, Programs: map[string]engine.Program{}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := connect(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, row.answer) })
			got, err := e.Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			row.want.Name, row.want.Version, row.want.API, row.want.OS, row.want.Arch = "docker", "20.10.24", "1.41", "linux", "amd64"
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

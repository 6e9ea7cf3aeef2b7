package docker

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"

	"github.com/tightship-dev/tightship/spec"
)

// theirs is what an engine might say of somebody's container: settings that we
// have words for, some that we have none for, and one from the future.
const theirs = `{
	"Id": "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "Name": "/theirs", "Image": "sha256:abc",
	"State": {"Running": true, "Pid": 7},
	"Config": {
		"Hostname": "theirs", "User": "agent", "Env": ["A=b"], "Cmd": ["run"], "Entrypoint": ["/start"], "Image": "theirs:latest",
		"Labels": {"com.docker.compose.project": "shop"}, "Tty": true, "ExposedPorts": {"80/tcp": {}}, "WorkingDir": "/srv",
		"Healthcheck": {"Test": ["CMD", "true"]}, "StopSignal": "SIGINT", "Future": {"deep": [1]}
	},
	"HostConfig": {
		"Binds": ["/etc/conf:/conf:ro,rslave", "/data:/data"],
		"Mounts": [{"Type": "tmpfs", "Target": "/run", "TmpfsOptions": {"SizeBytes": 4096}}, {"Type": "bind", "Source": "/usr/share", "Target": "/share", "ReadOnly": true, "BindOptions": {"Propagation": "rprivate"}}],
		"Tmpfs": {"/tmp": "noexec,uid=1000,size=1m"},
		"NetworkMode": "container:other", "PortBindings": {"80/tcp": [{"HostPort": "80"}]}, "RestartPolicy": {"Name": "always"}, "AutoRemove": true,
		"Memory": 1024, "MemorySwap": 1024, "MemoryReservation": 512, "NanoCpus": 0, "CpuQuota": 50000, "CpuPeriod": 100000, "CpuShares": 3,
		"SecurityOpt": ["apparmor=mine", "no-new-privileges"], "MaskedPaths": [], "ReadonlyPaths": null,
		"Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}], "ReadonlyRootfs": true, "CapDrop": ["ALL"], "CgroupParent": "/theirs", "FutureLimit": 9
	},
	"Mounts": [
		{"Type": "bind", "Source": "/etc/conf", "Destination": "/conf", "RW": false},
		{"Type": "bind", "Source": "/data", "Destination": "/data", "RW": true},
		{"Type": "bind", "Source": "/usr/share", "Destination": "/share", "RW": false}
	]
}`

// original is the record's settings in our words, as verify gets them.
func original(t *testing.T) spec.Container {
	t.Helper()
	var in container.InspectResponse
	if err := json.Unmarshal([]byte(theirs), &in); err != nil {
		t.Fatal(err)
	}
	c := declared(in, false)
	c.Record, c.Image = json.RawMessage(theirs), "sha256:abc"
	c.Entrypoint, c.Cmd, c.Labels, c.OpenStdin = []string{"/guest"}, nil, map[string]string{"tightship": "run"}, true
	c.Network = "none"
	c.Mounts = slices.DeleteFunc(c.Mounts, func(m spec.Mount) bool { return m.Target == "/data" })
	return c
}

func request(t *testing.T, c spec.Container) (config, host map[string]any) {
	t.Helper()
	data, err := copied(c, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	return config, config["HostConfig"].(map[string]any)
}

// What nobody changed is posted back as it came, what would make a copy more than
// a stand-in is not.
func TestCopied(t *testing.T) {
	config, host := request(t, original(t))
	for key, want := range map[string]any{
		"User": "agent", "Env": []any{"A=b"}, "WorkingDir": "/srv", "StopSignal": "SIGINT", "Future": map[string]any{"deep": []any{1.0}},
		"Image": "sha256:abc", "Entrypoint": []any{"/guest"}, "Cmd": nil, "Labels": map[string]any{"tightship": "run"}, "Tty": false, "OpenStdin": true,
		"Hostname": nil, "ExposedPorts": nil, "Healthcheck": map[string]any{"Test": []any{"NONE"}},
	} {
		if diff := cmp.Diff(want, config[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	for key, want := range map[string]any{
		"Memory": 1024.0, "MemorySwap": 1024.0, "MemoryReservation": 512.0, "CpuQuota": 50000.0, "CpuShares": 3.0, "NanoCpus": 0.0,
		"SecurityOpt": []any{"apparmor=mine", "no-new-privileges"}, "MaskedPaths": []any{}, "ReadonlyPaths": nil, "FutureLimit": 9.0,
		"Ulimits": []any{map[string]any{"Name": "nofile", "Soft": 1.0, "Hard": 2.0}}, "ReadonlyRootfs": true, "CapDrop": []any{"ALL"},
		"NetworkMode": "none", "PortBindings": nil, "CgroupParent": nil, "AutoRemove": nil, "RestartPolicy": map[string]any{"Name": "no", "MaximumRetryCount": 0.0},
		"Binds": []any{"/etc/conf:/conf:ro,rslave"}, "Tmpfs": map[string]any{"/tmp": "noexec,uid=1000,size=1m", "/run": "size=4096"},
	} {
		if diff := cmp.Diff(want, host[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
	mounts := host["Mounts"].([]any)
	if len(mounts) != 1 || mounts[0].(map[string]any)["BindOptions"] == nil {
		t.Errorf("mounts %v", mounts)
	}
}

// Every setting that is changed arrives, and takes with it what would
// contradict it.
func TestCopiedChanges(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*spec.Container)
		key    string
		want   any
	}{
		"memory":         {func(c *spec.Container) { c.Memory, c.Swap = 32, 0 }, "Memory", 32.0},
		"reservation":    {func(c *spec.Container) { c.Memory, c.Swap = 32, 0 }, "MemoryReservation", 0.0},
		"cpu":            {func(c *spec.Container) { c.MilliCPU = 250 }, "NanoCpus", 0.0},
		"quota":          {func(c *spec.Container) { c.MilliCPU = 250 }, "CpuQuota", 25e3},
		"no quota":       {func(c *spec.Container) { c.MilliCPU = 0 }, "CpuQuota", 0.0},
		"pids":           {func(c *spec.Container) { c.PIDs = 5 }, "PidsLimit", 5.0},
		"root":           {func(c *spec.Container) { c.ReadonlyRootfs = false }, "ReadonlyRootfs", false},
		"privileges":     {func(c *spec.Container) { c.NoNewPrivileges = false }, "SecurityOpt", []any{"apparmor=mine"}},
		"filter":         {func(c *spec.Container) { c.Seccomp = "unconfined" }, "SecurityOpt", []any{"apparmor=mine", "no-new-privileges:true", "seccomp=unconfined"}},
		"capabilities":   {func(c *spec.Container) { c.CapAdd = []string{"NET_RAW"} }, "CapAdd", []any{"NET_RAW"}},
		"user":           {func(c *spec.Container) { c.User = "0:0" }, "User", "0:0"},
		"network":        {func(c *spec.Container) { c.Network = "bridge" }, "NetworkMode", "bridge"},
		"pid namespace":  {func(c *spec.Container) { c.PIDMode = "host" }, "PidMode", "host"},
		"sysctls":        {func(c *spec.Container) { c.Sysctls = map[string]string{"a": "1"} }, "Sysctls", map[string]any{"a": "1"}},
		"shm":            {func(c *spec.Container) { c.ShmSize = 1 }, "ShmSize", 1.0},
		"groups":         {func(c *spec.Container) { c.Groups = []string{"7"} }, "GroupAdd", []any{"7"}},
		"runtime":        {func(c *spec.Container) { c.Runtime = "runsc" }, "Runtime", "runsc"},
		"tmpfs":          {func(c *spec.Container) { c.Tmpfs["/tmp"] = spec.Tmpfs{Exec: true, Size: 1 << 20} }, "Tmpfs", map[string]any{"/tmp": "noexec,uid=1000,size=1m,rw,exec,nosuid,nodev,mode=1777,size=1048576", "/run": "size=4096"}},
		"limit on cores": {func(c *spec.Container) { c.Ulimits = map[string]int64{"core": -1} }, "Ulimits", []any{map[string]any{"Name": "core", "Soft": -1.0, "Hard": -1.0}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := original(t).Clone()
			row.change(&c)
			config, host := request(t, c)
			got := host[row.key]
			if row.key == "User" {
				got = config[row.key]
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("%s: %s", row.key, diff)
			}
		})
	}
}

// A record that is none is refused; whatever it is, nothing panics.
func FuzzCopied(f *testing.F) {
	f.Add([]byte(theirs))
	for _, bad := range []string{``, `{}`, `[]`, `{"Config":{},"HostConfig":null}`, `{"Config":{},"HostConfig":{"SecurityOpt":7}}`, `{"Config":{},"HostConfig":{"Binds":["x",":",""]}}`} {
		f.Add([]byte(bad))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := copied(spec.Container{Image: "i", Entrypoint: []string{"/guest"}, Record: data}, false)
		if err == nil && !json.Valid(out) {
			t.Errorf("no JSON: %q", out)
		}
	})
}

// A copy has no masks where its original has none, and loses those that it has
// only when it is told to.
func TestCopiedSystemPaths(t *testing.T) {
	record := json.RawMessage(`{"Config":{},"HostConfig":{"MaskedPaths":["/proc/kcore","/proc/keys","/proc/timer_list","/mine"],"ReadonlyPaths":["/proc/sys","/proc/sysrq-trigger"]}}`)
	for unmasked, want := range map[bool][]any{false: {"/proc/kcore", "/proc/keys", "/proc/timer_list", "/mine"}, true: {}} {
		_, host := request(t, spec.Container{Image: "i", Entrypoint: []string{"/guest"}, Network: "bridge", Swap: spec.Unlimited, Unmasked: unmasked, Record: record})
		if diff := cmp.Diff(want, host["MaskedPaths"]); diff != "" {
			t.Errorf("unmasked %t: %s", unmasked, diff)
		}
	}
}

func TestCopiedRefuses(t *testing.T) {
	for _, bad := range []string{``, `{}`, `[]`, `{"Config":{}}`} {
		if _, err := copied(spec.Container{Image: "i", Entrypoint: []string{"/guest"}, Record: json.RawMessage(bad)}, false); !errors.Is(err, errInput) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// A copy has the network that its original was connected to, whatever the
// record's mode says, and the read-only tmpfs for which our settings have no word.
func TestCopiedFromConnected(t *testing.T) {
	record := json.RawMessage(`{"Config": {}, "HostConfig": {"NetworkMode": "none", "ReadonlyRootfs": true, "Tmpfs": {"/opt/": "ro,size=1m"}}, "NetworkSettings": {"Networks": {"bridge": {}}}}`)
	var in container.InspectResponse
	if err := json.Unmarshal(record, &in); err != nil {
		t.Fatal(err)
	}
	c := declared(in, false)
	c.Record, c.Entrypoint = record, []string{"/guest"}
	_, host := request(t, c)
	if host["NetworkMode"] != "bridge" {
		t.Errorf("network mode %v", host["NetworkMode"])
	}
	if diff := cmp.Diff(map[string]any{"/opt": "ro,size=1m"}, host["Tmpfs"]); diff != "" {
		t.Error(diff)
	}
}

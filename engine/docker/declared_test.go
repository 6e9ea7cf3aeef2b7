package docker

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"

	"github.com/tightship-dev/tightship/spec"
)

// inspected decodes what an engine answers; id is filled in.
func inspected(t *testing.T, text string) container.InspectResponse {
	t.Helper()
	var in container.InspectResponse
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		t.Fatal(err)
	}
	return in
}

// An answer that says nothing must not declare a single protection.
func TestDeclaredOfNothing(t *testing.T) {
	got := declared(inspected(t, `{"Config":{},"HostConfig":{}}`), false)
	want := spec.Container{Swap: spec.Unlimited, Network: "bridge"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestDeclaredIsNeverTighterThanTheEngine(t *testing.T) {
	tests := []struct {
		name, host string
		get        func(spec.Container) any
		want       any
	}{
		{"nnp off", `"SecurityOpt":["no-new-privileges:false"]`, nnp, false},
		{"nnp off, new style", `"SecurityOpt":["no-new-privileges=false"]`, nnp, false},
		{"nnp garbage", `"SecurityOpt":["no-new-privileges:maybe"]`, nnp, false},
		{"nnp overridden", `"SecurityOpt":["no-new-privileges","no-new-privileges:false"]`, nnp, false},
		{"nnp bare", `"SecurityOpt":["no-new-privileges"]`, nnp, true},
		{"nnp on", `"SecurityOpt":["no-new-privileges=true"]`, nnp, true},
		{"seccomp overridden", `"SecurityOpt":["seccomp={}","seccomp=unconfined"]`, seccomp, "unconfined"},
		{"seccomp old separator", `"SecurityOpt":["seccomp:unconfined"]`, seccomp, "unconfined"},
		{"seccomp profile with both separators", `"SecurityOpt":["seccomp={\"a\":\"=\"}"]`, seccomp, `{"a":"="}`},
		{"seccomp builtin", `"SecurityOpt":["seccomp=builtin"]`, seccomp, ""},
		{"swap unset", `"Memory":100,"MemorySwap":0`, swap, int64(100)},
		{"swap unlimited", `"Memory":100,"MemorySwap":-1`, swap, spec.Unlimited},
		{"swap none", `"Memory":100,"MemorySwap":100`, swap, int64(0)},
		{"swap impossible", `"Memory":100,"MemorySwap":50`, swap, spec.Unlimited},
		{"pids zero", `"PidsLimit":0`, pids, int64(0)},
		{"pids negative", `"PidsLimit":-1`, pids, int64(0)},
		{"cpu fraction", `"NanoCpus":1`, cpu, int64(1)},
		{"cpu by quota", `"CpuQuota":150000`, cpu, int64(1500)},
		{"cpu by quota and period", `"CpuQuota":1,"CpuPeriod":1000000`, cpu, int64(1)},
		{"cpu quota without bound", `"CpuQuota":-1`, cpu, int64(0)},
		{"ulimit", `"Ulimits":[{"Name":"nofile","Soft":10,"Hard":20}]`, func(c spec.Container) any { return c.Ulimits["nofile"] }, int64(20)},
		{"ulimit unlimited", `"Ulimits":[{"Name":"core","Soft":0,"Hard":-1}]`, func(c spec.Container) any { return c.Ulimits["core"] }, int64(-1)},
		{"tmpfs by mount", `"Mounts":[{"Type":"tmpfs","Target":"/x/","TmpfsOptions":{"SizeBytes":9,"Options":[["exec"]]}}]`,
			func(c spec.Container) any { return c.Tmpfs["/x"] }, spec.Tmpfs{Size: 9, Exec: true}},
		{"system paths by default", `"MaskedPaths":null,"ReadonlyPaths":null`, unmasked, false},
		{"system paths said", `"MaskedPaths":["/proc/keys","/proc/kcore","/proc/timer_list"],"ReadonlyPaths":["/proc/sysrq-trigger","/proc/sys"]`, unmasked, false},
		{"system paths unconfined", `"MaskedPaths":[],"ReadonlyPaths":[]`, unmasked, true},
		{"one masked path missing", `"MaskedPaths":["/proc/keys","/proc/timer_list"]`, unmasked, true},
		{"one read-only path missing", `"ReadonlyPaths":["/proc/sys"]`, unmasked, true},
		{"system paths of a privileged container", `"Privileged":true,"MaskedPaths":null`, unmasked, true},
		{"capabilities", `"CapDrop":["all"],"CapAdd":["CAP_SYS_ADMIN","net_raw","NET_RAW"]`,
			func(c spec.Container) any { return []any{c.CapDrop, c.CapAdd} }, []any{[]string{"ALL"}, []string{"NET_RAW", "SYS_ADMIN"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.get(declared(inspected(t, `{"Config":{},"HostConfig":{`+tt.host+`}}`), false))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	podman := declared(inspected(t, `{"Config":{},"HostConfig":{"Tmpfs":{"/x":"size=9"}}}`), true)
	if !podman.Tmpfs["/x"].Exec {
		t.Error("Podman's tmpfs without options is executable")
	}
}

func unmasked(c spec.Container) any { return c.Unmasked }

func nnp(c spec.Container) any     { return c.NoNewPrivileges }
func seccomp(c spec.Container) any { return c.Seccomp }
func swap(c spec.Container) any    { return c.Swap }
func pids(c spec.Container) any    { return c.PIDs }
func cpu(c spec.Container) any     { return c.MilliCPU }

func TestOthers(t *testing.T) {
	for text, want := range map[string][]string{
		`{"Config":{},"HostConfig":{"MaskedPaths":null,"SecurityOpt":["seccomp=x","no-new-privileges"]}}`: nil,
		`{"Config":{},"HostConfig":{"MaskedPaths":[],"ReadonlyPaths":[]}}`:                                nil, // Unmasked says it all
		`{"Config":{},"HostConfig":{"MaskedPaths":["/proc/keys"]}}`:                                       {"masked-paths=/proc/keys"},
		`{"Config":{},"HostConfig":{"ReadonlyPaths":["/proc/sys"]}}`:                                      {"readonly-paths=/proc/sys"},
		`{"Config":{},"HostConfig":{"SecurityOpt":["apparmor=unconfined","label:disable"]}}`:              {"apparmor=unconfined", "label:disable"},
		`{"Config":{"Tty":true},"HostConfig":{"UsernsMode":"host"}}`:                                      {"userns=host", "tty"},
		`{"Config":{},"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"8080"}]}}}`:                    {"publish=80/tcp"},
		`{"Config":{},"HostConfig":{"NetworkMode":"none"},"NetworkSettings":{"Networks":{"none":{}}}}`:    nil,
		`{"Config":{},"HostConfig":{"NetworkMode":"none"},"NetworkSettings":{"Networks":{"bridge":{}}}}`:  {"network=bridge"},
	} {
		if got := others(inspected(t, text)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot %q, want %q", text, got, want)
		}
	}
}

func TestTranslateRefuses(t *testing.T) {
	good := spec.Container{Image: "x", Cmd: []string{"x"}}
	if _, _, err := translate(good); err != nil {
		t.Fatal(err)
	}
	for name, weaken := range map[string]func(*spec.Container){
		"no command":           func(c *spec.Container) { c.Cmd = nil },
		"negative memory":      func(c *spec.Container) { c.Memory = -1 },
		"swap below unlimited": func(c *spec.Container) { c.Memory, c.Swap = 1, -2 },
		"swap without memory":  func(c *spec.Container) { c.Swap = 1 },
		"swap overflows":       func(c *spec.Container) { c.Memory, c.Swap = 1<<62, 1<<62 },
		"negative pids":        func(c *spec.Container) { c.PIDs = -1 },
		"CPU overflows":        func(c *spec.Container) { c.MilliCPU = 1 << 62 },
		"unknown ulimit":       func(c *spec.Container) { c.Ulimits = map[string]int64{"as": 1} },
		"ulimit below minus 1": func(c *spec.Container) { c.Ulimits = map[string]int64{"core": -2} },
		"relative bind":        func(c *spec.Container) { c.Mounts = []spec.Mount{{Kind: spec.Bind, Source: "x", Target: "/x"}} },
		"volume with a path":   func(c *spec.Container) { c.Mounts = []spec.Mount{{Kind: spec.Volume, Source: "/x", Target: "/x"}} },
		"odd propagation": func(c *spec.Container) {
			c.Mounts = []spec.Mount{{Kind: spec.Bind, Source: "/x", Target: "/x", Propagation: "all"}}
		},
		"a volume handed on": func(c *spec.Container) {
			c.Mounts = []spec.Mount{{Kind: spec.Volume, Source: "v", Target: "/x", Propagation: "shared"}}
		},
		"unknown mount":         func(c *spec.Container) { c.Mounts = []spec.Mount{{Kind: "image", Source: "x", Target: "/x"}} },
		"relative device":       func(c *spec.Container) { c.Devices = []string{"null"} },
		"negative tmpfs":        func(c *spec.Container) { c.Tmpfs = map[string]spec.Tmpfs{"/x": {Size: -1}} },
		"negative shm":          func(c *spec.Container) { c.ShmSize = -1 },
		"environment without =": func(c *spec.Container) { c.Env = []string{"HOME"} },
	} {
		c := good.Clone()
		weaken(&c)
		if _, _, err := translate(c); !errors.Is(err, errInput) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// A container made without a network can be connected to one before its start;
// its settings go on saying "none".
func TestDeclaredNetwork(t *testing.T) {
	for text, want := range map[string]string{
		`{"Config":{},"HostConfig":{"NetworkMode":"none"}}`:                                                           "none",
		`{"Config":{},"HostConfig":{"NetworkMode":"none"},"NetworkSettings":{"Networks":{"none":{}}}}`:                "none",
		`{"Config":{},"HostConfig":{"NetworkMode":"none"},"NetworkSettings":{"Networks":{"bridge":{}}}}`:              "bridge",
		`{"Config":{},"HostConfig":{"NetworkMode":"none"},"NetworkSettings":{"Networks":{"none":{},"shop":{}}}}`:      "shop",
		`{"Config":{},"HostConfig":{"NetworkMode":"container:x"},"NetworkSettings":{"Networks":{}}}`:                  "container:x",
		`{"Config":{},"HostConfig":{"NetworkMode":"default"},"NetworkSettings":{"Networks":{"bridge":{},"shop":{}}}}`: "bridge",
	} {
		if got := declared(inspected(t, text), false).Network; got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// Propagation is declared where it is not the default, which has two names.
func TestDeclaredPropagation(t *testing.T) {
	for said, want := range map[string]string{"": "", "private": "", "rprivate": "", "shared": "shared", "rslave": "rslave"} {
		c := declared(inspected(t, `{"Config":{},"HostConfig":{},"Mounts":[{"Type":"bind","Source":"/x","Destination":"/y","Propagation":"`+said+`"}]}`), false)
		if len(c.Mounts) != 1 || c.Mounts[0].Propagation != want {
			t.Errorf("%q: %+v", said, c.Mounts)
		}
	}
}

package test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// noTools is a policy that asks for none of the image's programs.
const noTools = "environment: {commands: [], python_packages: [], git: {user.name: '', user.email: '', noninteractive: false}}\n"

// weak is every way a policy can ask for less than the bar, with the checks
// that must fail for it. No others may: a report that blames the innocent sends
// people looking in the wrong place.
var weak = []struct {
	name, policy string
	fails        string // IDs
	inconclusive string // what cannot be measured then; never counted as held
}{
	{name: "rootfs writable", policy: `rootfs: writable`, fails: "fs.root-read-only fs.usr-read-only fs.var-read-only fs.nothing-else-writable"},

	{name: "tmpfs exec", policy: `tmpfs: {/tmp: {exec: true}}`, fails: "fs.tmp-noexec"},
	{name: "tmpfs suid", policy: `tmpfs: {/tmp: {suid: true}}`, fails: "fs.tmp-nosuid"},
	{name: "tmpfs dev", policy: `tmpfs: {/tmp: {dev: true}}`, fails: "fs.tmp-nodev"},
	{name: "tmpfs unbounded", policy: `tmpfs: {/tmp: {size: unlimited}}`, fails: "fs.tmp-bounded"},
	{name: "one of two tmpfs exec", policy: `tmpfs: {/tmp: {}, /var/cache/x: {exec: true}}`, fails: "fs.tmp-noexec"},
	{
		name: "tmpfs exec and suid, privileges gained", policy: "tmpfs: {/tmp: {exec: true, suid: true}}\nno_new_privileges: false",
		fails: "fs.tmp-noexec fs.tmp-nosuid priv.no-new-privs priv.no-suid user.no-escalation",
	},

	{name: "memory unlimited", policy: `limits: {memory: unlimited}`, fails: "limits.memory limits.swap"},
	{name: "swap allowed", policy: `limits: {swap: 1g}`, fails: "limits.swap"},
	{name: "swap unlimited", policy: `limits: {swap: unlimited}`, fails: "limits.swap"},
	{name: "cpus unlimited", policy: `limits: {cpus: unlimited}`, fails: "limits.cpu"},
	{name: "pids unlimited", policy: `limits: {pids: unlimited}`, fails: "limits.pids"},
	{name: "nofile unlimited", policy: `limits: {nofile: unlimited}`, fails: "limits.nofile"},
	{name: "core unlimited", policy: `limits: {core: unlimited}`, fails: "limits.core"},
	{name: "core small", policy: `limits: {core: 1m}`, fails: "limits.core"},

	{name: "capability with an act", policy: `capabilities: [NET_RAW]`, fails: "caps.none caps.exercised kernel.socket-families"},
	{name: "capability without an act", policy: `capabilities: [AUDIT_WRITE]`, fails: "caps.none"},
	{name: "network administration", policy: `capabilities: [NET_ADMIN]`, fails: "caps.none caps.no-network-admin"},
	{name: "privileges gained", policy: `no_new_privileges: false`, fails: "priv.no-new-privs user.no-escalation"},

	{
		name: "root", policy: `user: {name: root, uid: 0, gid: 0}`,
		fails: "fs.dev-tmpfs user.non-root user.identity user.no-escalation",
		// A setuid-root program gives root nothing new, so it is no control; and there
		// is no other user whose process could be read.
		inconclusive: "priv.no-new-privs priv.no-suid kernel.no-ptrace-across",
	},
	{name: "another name", policy: `user: {name: mallory}`, fails: "user.non-root"},
	{name: "engine's port sysctl", policy: `sysctls: {}`, fails: "user.no-privileged-port"},
	{name: "privileged ports from 80", policy: `sysctls: {net.ipv4.ip_unprivileged_port_start: "80"}`, fails: "user.no-privileged-port"},
	{
		name: "no ordinary ports", policy: `sysctls: {net.ipv4.ip_unprivileged_port_start: "32768"}`,
		fails: "user.unprivileged-port", inconclusive: "user.no-privileged-port",
	},

	// Otherwise, but not less.
	{name: "the bar itself", policy: ``},
	{name: "tighter", policy: "limits: {memory: 256m, pids: 50, nofile: 256, cpus: 0.5}\ntmpfs: {/tmp: {size: 16m}}"},
	{name: "wider, but bounded", policy: "limits: {memory: 4g, nofile: 4096, cpus: 1.5}"},
	{name: "more processes, but bounded", policy: `limits: {pids: 256}`},
	{name: "many processes, but bounded", policy: `limits: {pids: 1000}`},
	{name: "no tmpfs", policy: `tmpfs: {}`},
	{name: "workspace read-only", policy: `workspace: {mode: ro}`},
	{name: "no workspace", policy: `workspace: {mode: none}`},
	{name: "workspace elsewhere", policy: `workspace: {target: /srv/work}`},
	{name: "another uid", policy: `user: {uid: 4242, gid: 4243, groups: [7, 8]}`},
}

func TestWeakPolicies(t *testing.T) {
	lane(t)
	image, err := makeImage("weak", "base")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range weak {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			wantCode := 1
			switch {
			case row.fails != "":
			case row.inconclusive != "":
				wantCode = 2
			default:
				wantCode = 0
			}
			d := verifyPolicy(t, image, row.policy, wantCode)
			for verdict, want := range map[string]string{"fail": row.fails, "inconclusive": row.inconclusive} {
				ids := slices.Sorted(slices.Values(strings.Fields(want)))
				if got := d.having(verdict); !slices.Equal(got, ids) {
					t.Errorf("%s: %v, want %v%s", verdict, got, ids, d.reasons(append(got, ids...)...))
				}
			}
		})
	}
}

// Not every setting has a check of its own yet. Until it has, a policy that
// asks for less must not come out as proven without a word.
func TestWeakSettingsAreNeverSilent(t *testing.T) {
	lane(t)
	image, err := makeImage("silent", "base")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ policy, word string }{
		{"network: bridge", "network"},
		{"seccomp: unconfined", "seccomp"},
	} {
		t.Run(row.policy, func(t *testing.T) {
			t.Parallel()
			p := runVerify(t, image, row.policy)
			code, err := p.wait()
			if err != nil {
				t.Fatal(err)
			}
			if code == 0 && !strings.Contains(p.stdout.String(), row.word) {
				t.Errorf("exit code 0, and nothing is said of %s:\n%s", row.word, p.stdout.String())
			}
		})
	}
}

// runVerify starts a verification of an image under a policy.
func runVerify(t *testing.T, image, policy string, args ...string) *process {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "tightship.yaml")
	if err := os.WriteFile(file, []byte(noTools+policy+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := launch(dir, os.Environ(), 0, filepath.Join(bin, "tightship"), append([]string{"verify", image}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.sweep)
	return p
}

// verifyPolicy runs a verification to its end and returns the report.
func verifyPolicy(t *testing.T, image, policy string, wantCode int) document {
	t.Helper()
	p := runVerify(t, image, policy, "-o", "json")
	code, err := p.wait()
	if err != nil {
		t.Fatal(err)
	}
	d, err := parse(p.stdout.String())
	if err != nil {
		t.Fatalf("exit code %d, %v\n%s", code, err, p.stderr.String())
	}
	if code != wantCode {
		t.Errorf("exit code %d, want %d", code, wantCode)
	}
	left, err := p.left()
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if d.Results[0].RunID != p.id() {
		t.Errorf("the report is of run %q, the process's is %q", d.Results[0].RunID, p.id())
	}
	return d
}

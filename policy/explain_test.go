package policy

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// someChecks stands for the catalogue.
func someChecks(key string) []string {
	return map[string][]string{
		"limits.memory": {"limits.memory", "limits.oom"},
		"tmpfs":         {"fs.tmpfs-size", "fs.tmpfs-noexec", "fs.tmpfs-nosuid", "fs.tmpfs-nodev"},
		"limits":        {"limits.oom"},
		"sysctls":       {"caps.low-ports"},
	}[key]
}

const explained = `limits:
  memory: 1g
  pids: unlimited
tmpfs:
  /tmp: {exec: true}
  "/var/a b": {size: 64m}
environment:
  commands:
    - run: [sh, -c, "echo 'hello' && true"]
  git: {user.name: '^\w+$'}
accept:
  - check: fs.tmpfs-noexec
    reason: the build runs what it compiles in the very place where it puts it
    until: 2030-12-31
  - {check: limits.oom, reason: "two\nlines", until: 2030-12-31}
capabilities: []
`

func TestExplainGolden(t *testing.T) {
	for _, row := range []struct{ name, file string }{
		{"default", ""},
		{"file", explained},
		{"credentials", manyCredentials},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := decode(t, row.file)
			lines := Explain(p, someChecks)
			var b strings.Builder
			if err := WriteExplain(&b, lines, 80); err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/explain-"+row.name+".yaml", b.String())
			if diff := cmp.Diff(p, decode(t, b.String()), cmpopts.IgnoreFields(Policy{}, "Origins")); diff != "" {
				t.Errorf("the listing is another policy (-want +got):\n%s", diff)
			}
			for i, l := range strings.Split(b.String(), "\n") {
				if n := utf8.RuneCountInString(l); n > 80 && !strings.Contains(l, "reason: ") {
					t.Errorf("line %d is %d columns wide: %s", i+1, n, l)
				}
			}
		})
	}
}

func TestExplain(t *testing.T) {
	byKey := map[string]Line{}
	for _, l := range Explain(decode(t, explained), someChecks) {
		if _, twice := byKey[l.Key]; twice {
			t.Errorf("%s has two lines", l.Key)
		}
		byKey[l.Key] = l
	}
	for _, want := range []Line{
		{Key: "limits.memory", Value: "1g", From: "tightship.yaml:2", Checks: []string{"limits.memory", "limits.oom"}},
		{Key: "limits.pids", Value: "unlimited", From: "tightship.yaml:3", Checks: []string{"limits.oom"}},
		{Key: "limits.swap", Value: "0", From: "default", Checks: []string{"limits.oom"}},
		{Key: "tmpfs./tmp.exec", Value: "true", From: "tightship.yaml:5", Checks: []string{"fs.tmpfs-nodev", "fs.tmpfs-noexec", "fs.tmpfs-nosuid", "fs.tmpfs-size"}},
		{Key: "environment.commands[0].run", Value: `[sh, -c, "echo 'hello' && true"]`, From: "tightship.yaml:9"},
		{Key: "environment.commands[0].expect", Value: `""`, From: "default"},
		{Key: "environment.git.user.name", Value: `'^\w+$'`, From: "tightship.yaml:10"},
		{Key: "accept[1].reason", Value: `"two\nlines"`, From: "tightship.yaml:15"},
		{Key: "capabilities", Value: "[]", From: "tightship.yaml:16"},
		{Key: "sysctls.net.ipv4.ip_unprivileged_port_start", Value: `"1024"`, From: "default", Checks: []string{"caps.low-ports"}},
	} {
		if diff := cmp.Diff(want, byKey[want.Key], cmpopts.IgnoreUnexported(Line{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s -want +got:\n%s", want.Key, diff)
		}
	}
}

func TestExplainEmptyGroups(t *testing.T) {
	p := decode(t, "tmpfs: {}\nsysctls: {}\nenvironment: {commands: []}\n")
	want := map[string]string{"tmpfs": "{}", "sysctls": "{}", "environment.commands": "[]", "accept": "[]"}
	for _, l := range Explain(p, nil) {
		if v, ok := want[l.Key]; ok && l.Value != v {
			t.Errorf("%s is %s, want %s", l.Key, l.Value, v)
		}
		delete(want, l.Key)
	}
	if len(want) > 0 {
		t.Errorf("no line for %v", want)
	}
}

// Lines that were made elsewhere, as from JSON, have no place in a tree.
func TestWriteExplainForeignLines(t *testing.T) {
	var b strings.Builder
	lines := []Line{{Key: "limits.memory", Value: "2g", From: "default"}, {Key: "x", Value: "1"}}
	if err := WriteExplain(&b, lines, 80); err != nil {
		t.Fatal(err)
	}
	if want := "limits.memory: 2g  # default\nx: 1\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestWriteExplainNarrow(t *testing.T) {
	for _, width := range []int{0, 1, 20, 40} {
		var b strings.Builder
		if err := WriteExplain(&b, Explain(Default(), someChecks), width); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Default(), decodeBare(t, b.String())); diff != "" {
			t.Errorf("at width %d the listing is another policy:\n%s", width, diff)
		}
	}
}

type brokenPipe struct{}

var errPipe = errors.New("broken pipe")

func (brokenPipe) Write([]byte) (int, error) { return 0, errPipe }

func TestWriteExplainError(t *testing.T) {
	if err := WriteExplain(brokenPipe{}, Explain(Default(), nil), 80); !errors.Is(err, errPipe) {
		t.Errorf("got %v", err)
	}
}

// Every setting counts in the digest; where it came from does not.
func TestDigest(t *testing.T) {
	seen := map[string]string{}
	for _, file := range []string{
		"", "image: a", "user: {name: a}", "user: {uid: 1}", "user: {gid: 1}", "user: {groups: [1]}", "rootfs: writable",
		"tmpfs: {}", "tmpfs: {/tmp: {exec: true}}", "tmpfs: {/tmp: {suid: true}}", "tmpfs: {/tmp: {dev: true}}", "tmpfs: {/tmp: {size: 1g}}",
		"workspace: {source: a}", "workspace: {target: /a}", "workspace: {mode: ro}", "limits: {memory: 1g}", "limits: {swap: 1g}",
		"limits: {cpus: 1}", "limits: {pids: 1}", "limits: {nofile: 64}", "limits: {core: 1}", "capabilities: [CHOWN]",
		"no_new_privileges: false", "seccomp: unconfined", "network: bridge", "sysctls: {}", "environment: {commands: []}",
		"environment: {python_packages: []}", "environment: {git: {user.name: a}}", "environment: {git: {user.email: a}}",
		"environment: {git: {noninteractive: false}}", "runtime: runsc", "accept: [{check: a, reason: b, until: 2030-01-01}]",
		credentialFile(), credentialFile("name: b"), credentialFile("from: env:B"), credentialFile("route: {listen: /b, upstream: 'https://a.example'}"),
		credentialFile("route: {listen: /a, upstream: 'https://b.example'}"), credentialFile("route: {listen: /a, upstream: 'https://a.example', ca: b}"),
		credentialFile("route: {listen: /a, upstream: 'https://a.example', networks: [10.0.0.0/8]}"),
		credentialFile("route: {listen: /a, upstream: 'https://a.example', websocket: true}"),
		credentialFile("attach: {header: b}"), credentialFile("attach: {basic: b}"), credentialFile("attach: {query: b}"), credentialFile("attach: {query: c}"),
		credentialFile("allow: [{methods: [GET], paths: [/]}]"), credentialFile("allow: [{methods: [PUT], paths: [/]}]"), credentialFile("allow: [{methods: [GET], paths: [/b]}]"),
		credentialFile("git: {repositories: [a]}"), credentialFile("git: {repositories: [b]}"), credentialFile("git: {repositories: [a], fetch: false}"),
		credentialFile("git: {repositories: [a], push: [refs/a]}"), credentialFile("git: {repositories: [a], force: true}"),
		credentialFile("git: {repositories: [a], tags: true}"), credentialFile("git: {repositories: [a], delete: true}"),
		credentialFile("limits: {rate: 1/s}"), credentialFile("limits: {rate: 1/min}"), credentialFile("limits: {concurrency: 1}"), credentialFile("limits: {body: 1}"),
		credentialFile("limits: {budget: {requests: 1}}"), credentialFile("sets: {A: a}"), credentialFile("sets: {A: b}"), credentialFile("sets: {B: a}"),
	} {
		d := decode(t, file).Digest()
		if !strings.HasPrefix(d, "sha256:") || len(d) != len("sha256:")+64 {
			t.Fatalf("digest %q", d)
		}
		if other, ok := seen[d]; ok {
			t.Errorf("%q and %q have the same digest", file, other)
		}
		seen[d] = file
	}
	if other := decode(t, "# hello\nruntime: runc\nlimits: {pids: 100}").Digest(); other != Default().Digest() {
		t.Error("a file that says what the default says has another digest")
	}
	if decode(t, credentialFile("name: env-1", "from: env")).Digest() != decode(t, credentialFile("name: env-1", "from: env:ENV_1")).Digest() {
		t.Error("two ways to write one variable differ")
	}
	bare := Default()
	bare.Capabilities, bare.User.Groups, bare.Accept, bare.Credentials = nil, nil, nil, nil
	if bare.Digest() != Default().Digest() {
		t.Error("nil and empty differ")
	}
}

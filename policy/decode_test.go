package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a file may say, and what comes of it. Each row changes Default the way
// the file should.
func TestDecode(t *testing.T) {
	for _, row := range []struct {
		name string
		file string
		want func(*Policy)
	}{
		{"empty", "", func(p *Policy) {}},
		{"comments only", "# nothing\n", func(p *Policy) {}},
		{"empty document", "---\n...\n", func(p *Policy) {}},
		{"byte order mark", "\ufeffversion: 1\n", func(p *Policy) {}},
		{"windows line ends", "version: 1\r\nimage: a\r\n", func(p *Policy) { p.Image = "a" }},
		{"empty credentials", "credentials: []", func(p *Policy) {}},
		{"credentials", credentialFile(), func(p *Policy) {
			c := defaultCredential()
			c.Name, c.From, c.Attach.Style = "a", "env:A", AttachBearer
			c.Route.Listen, c.Route.Upstream = "/a", "https://a.example"
			p.Credentials = []Credential{c}
		}},
		{"image", "image: ghcr.io:443/a/b:1@sha256:0f", func(p *Policy) { p.Image = "ghcr.io:443/a/b:1@sha256:0f" }},
		{"engine's default runtime", `runtime: ""`, func(p *Policy) { p.Runtime = "" }},
		{"runtime by path", `runtime: /usr/bin/runsc`, func(p *Policy) { p.Runtime = "/usr/bin/runsc" }},
		{"user merges", "user: {uid: 0}", func(p *Policy) { p.User.UID = 0 }},
		{"largest uid", "user: {uid: 4294967294}", func(p *Policy) { p.User.UID = 1<<32 - 2 }},
		{"no name", `user: {name: "", groups: [5, 6]}`, func(p *Policy) { p.User.Name, p.User.Groups = "", []int64{5, 6} }},
		{"writable rootfs", "rootfs: writable", func(p *Policy) { p.Rootfs = Writable }},
		{"no tmpfs", "tmpfs: {}", func(p *Policy) { p.Tmpfs = map[string]Tmpfs{} }},
		{"tmpfs replaces, its entries are tight", "tmpfs: {/run: {}, /dev/shm: {exec: true}, /x: {size: unlimited}}", func(p *Policy) {
			p.Tmpfs = map[string]Tmpfs{"/run": {Size: 2 << 30}, "/dev/shm": {Size: 2 << 30, Exec: true}, "/x": {}}
		}},
		{"limits merge", "limits: {memory: 512m}", func(p *Policy) { p.Limits.Memory = 512 << 20 }},
		{"limits without bound", "limits: {memory: unlimited, swap: unlimited, cpus: unlimited, pids: unlimited, nofile: unlimited, core: unlimited}", func(p *Policy) {
			p.Limits = Limits{Swap: -1, Core: -1}
		}},
		{"limits in other forms", `limits: {memory: 8388608, swap: 1G, cpus: 0.25, pids: 1, nofile: "64", core: 1k}`, func(p *Policy) {
			p.Limits = Limits{Memory: 8 << 20, Swap: 1 << 30, CPUs: 250, PIDs: 1, NoFile: 64, Core: 1 << 10}
		}},
		{"capabilities", "capabilities: [CAP_NET_RAW, CHOWN]", func(p *Policy) { p.Capabilities = []string{"CHOWN", "NET_RAW"} }},
		{"every capability", "capabilities: [ALL]", func(p *Policy) { p.Capabilities = []string{"ALL"} }},
		{"privileges", "no_new_privileges: false", func(p *Policy) { p.NoNewPrivileges = false }},
		{"no seccomp", "seccomp: unconfined", func(p *Policy) { p.Seccomp = "unconfined" }},
		{"seccomp file", "seccomp: profiles/../tight.json", func(p *Policy) { p.Seccomp = "profiles/../tight.json" }},
		{"network", "network: bridge", func(p *Policy) { p.Network = NetworkBridge }},
		{"sysctls replace", `sysctls: {kernel.shm_rmid_forced: "1", fs.mqueue.msg_max: "10", kernel.sem: "250 32000 32 128"}`, func(p *Policy) {
			p.Sysctls = map[string]string{"kernel.shm_rmid_forced": "1", "fs.mqueue.msg_max": "10", "kernel.sem": "250 32000 32 128"}
		}},
		{"workspace", "workspace: {source: ../x, mode: ro}", func(p *Policy) { p.Workspace.Source, p.Workspace.Mode = "../x", WorkspaceRO }},
		{"no workspace, so no clash", "workspace: {mode: none, target: /tmp}", func(p *Policy) {
			p.Workspace.Mode, p.Workspace.Target = WorkspaceNone, "/tmp"
		}},
		{"commands replace", "environment: {commands: [{run: [a, b, b]}]}", func(p *Policy) {
			p.Environment.Commands = []Command{{Run: []string{"a", "b", "b"}}}
		}},
		{"packages", "environment: {python_packages: [a.b]}", func(p *Policy) { p.Environment.PythonPackages = []string{"a.b"} }},
		{"git merges", `environment: {git: {user.name: ""}}`, func(p *Policy) { p.Environment.Git.UserName = "" }},
		{"accept", "accept: [{check: fs.tmp-noexec, reason: why, until: 2030-01-31}]", func(p *Policy) {
			p.Accept = []Accept{{Check: "fs.tmp-noexec", Reason: "why", Until: "2030-01-31"}}
		}},
		{"quoted date", "accept: [{check: a, reason: why, until: '2030-01-31'}]", func(p *Policy) {
			p.Accept = []Accept{{Check: "a", Reason: "why", Until: "2030-01-31"}}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			want := Default()
			row.want(want)
			got := decode(t, row.file)
			got.Origins, got.Source = want.Origins, want.Source
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			// Whatever can be written can be written again.
			text, err := got.YAML()
			if err != nil {
				t.Fatal(err)
			}
			again := decode(t, string(text))
			again.Origins, again.Source = want.Origins, want.Source
			if diff := cmp.Diff(want, again); diff != "" {
				t.Errorf("after YAML -want +got:\n%s\nfrom\n%s", diff, text)
			}
			if got.Digest() != again.Digest() {
				t.Error("digest changes with the form of the file")
			}
		})
	}
}

// What a file may not say, and how that is told. Every rule of the decoder has
// a row that fails when the rule is taken out.
func TestDecodeRefuses(t *testing.T) {
	const f = "tightship.yaml"
	for _, row := range []struct{ name, file, want string }{
		{"unknown key", "limits:\n  memroy: 2g", f + `:2:3: limits.memroy: unknown key (did you mean "memory"?)`},
		{"unknown key in its own style", "no-new-privilege: true", f + `:1:1: no-new-privilege: unknown key (did you mean "no_new_privileges"?)`},
		{"key in the wrong place", "pids: 3", f + `:1:1: pids: unknown key (did you mean "limits.pids"?)`},
		{"unknown key like nothing", "zebra: 2g", f + `:1:1: zebra: unknown key`},
		{"unknown key that is long", strings.Repeat("k", 90) + ": 2g", f + `:1:1: ` + strings.Repeat("k", 90) + `: unknown key`},
		{"empty key", `"": 1`, f + `:1:1: "": unknown key`},
		{"key with a line break", `"a\nb": 1`, f + `:1:1: "a\nb": unknown key`},
		{"key that is a list", "? [a]\n: 1", f + `:1:3: want a key, found a list`},
		{"merge key", "<<: {image: a}", f + `:1:1: <<: unknown key`},
		{"duplicate key", "image: a\nimage: b", f + `:2:1: image: duplicate key, it is already on line 1`},
		{"duplicate mount point", "tmpfs:\n  /a: {}\n  \"/a\": {}", f + `:3:3: tmpfs./a: duplicate key, it is already on line 2`},
		{"root is a list", "[a]", f + `:1:1: want keys and values, found a list`},
		{"root is text", "hello", f + `:1:1: want keys and values, found the text "hello"`},
		{"group without anything", "limits:\n", f + `:1:8: limits: want keys and values, found nothing`},
		{"list without anything", "capabilities:\n", f + `:1:14: capabilities: want a list, found nothing`},
		{"text where a list belongs", "capabilities: CHOWN", f + `:1:15: capabilities: want a list, found the text "CHOWN"`},
		{"number where text belongs", "image: 5", f + `:1:8: image: want text (in quotes), found 5`},
		{"list where text belongs", "image: [a]", f + `:1:8: image: want text, found a list`},
		{"group where text belongs", "image: {a: b}", f + `:1:8: image: want text, found keys and values`},
		{"NUL", `seccomp: "./a\0b"`, f + `:1:10: seccomp: holds a NUL character`},

		{"version as text", `version: "1"`, f + `:1:10: version: want 1, found the text "1"`},
		{"version without end", "version: " + strings.Repeat("9", 18), f + `:1:10: version: this program reads version 1 of the format, not 999999999999999999`},
		{"number without end", "image: " + strings.Repeat("9", 100), f + `:1:8: image: want text (in quotes), found ` + strings.Repeat("9", 60) + `…`},
		{"version to come", `version: 2`, f + `:1:10: version: this program reads version 1 of the format, not 2`},
		{"image that is an option", "image: --privileged", f + `:1:8: image: want an image reference, found "--privileged"`},
		{"empty image", `image: ""`, f + `:1:8: image: want an image reference, found ""`},
		{"runtime that is an option", "runtime: --root=x", f + `:1:10: runtime: want the name of an OCI runtime, found "--root=x"`},
		{"user name", "user: {name: 'a:b'}", f + `:1:14: user.name: want a user name, found "a:b"`},
		{"uid that nobody can have", "user: {uid: 4294967295}", f + `:1:13: user.uid: must be between 0 and 4294967294`},
		{"uid overflow", "user: {uid: 99999999999999999999}", f + `:1:13: user.uid: must be between 0 and 4294967294`},
		{"negative uid", "user: {uid: -1}", f + `:1:13: user.uid: must not be negative`},
		{"octal gid", "user: {gid: 0100}", f + `:1:13: user.gid: want a whole number, found "0100"`},
		{"uid by name", "user: {uid: root}", f + `:1:13: user.uid: want a whole number, found the text "root"`},
		{"group twice", "user: {groups: [5, 5]}", f + `:1:20: user.groups[1]: 5 is listed twice`},
		{"rootfs", "rootfs: readonly", f + `:1:9: rootfs: want read-only or writable, found "readonly" (did you mean "read-only"?)`},

		{"relative mount point", "tmpfs: {tmp: {}}", f + `:1:9: tmpfs.tmp: want an absolute path, found "tmp"`},
		{"unclean mount point", "tmpfs: {/tmp/: {}}", f + `:1:9: tmpfs./tmp/: want a path without "..", ".", doubled or closing slashes, found "/tmp/" (did you mean "/tmp"?)`},
		{"mount point with ..", "tmpfs: {/a/../proc: {}}", f + `:1:9: tmpfs./a/../proc: want a path without "..", ".", doubled or closing slashes, found "/a/../proc" (did you mean "/proc"?)`},
		{"tmpfs over root", "tmpfs: {/: {}}", f + `:1:9: tmpfs./: must not cover the root of the container`},
		{"tmpfs over proc", "tmpfs: {/proc: {}}", f + `:1:9: tmpfs./proc: must not cover /proc, which belongs to the runtime`},
		{"tmpfs in proc", "tmpfs: {/proc/sys: {}}", f + `:1:9: tmpfs./proc/sys: must not cover /proc/sys, which belongs to the runtime`},
		{"tmpfs over sys", "tmpfs: {/sys: {}}", f + `:1:9: tmpfs./sys: must not cover /sys, which belongs to the runtime`},
		{"tmpfs in sys", "tmpfs: {/sys/fs: {}}", f + `:1:9: tmpfs./sys/fs: must not cover /sys/fs, which belongs to the runtime`},
		{"tmpfs over dev", "tmpfs: {/dev: {}}", f + `:1:9: tmpfs./dev: must not cover /dev, which belongs to the runtime`},
		{"empty mount point", `tmpfs: {"": {}}`, f + `:1:9: tmpfs."": is empty, want an absolute path`},
		{"mount point with a line break", `tmpfs: {"/a\nb": {}}`, f + `:1:9: tmpfs."/a\nb": holds a character that cannot be printed`},
		{"mount point without end", "tmpfs: {/" + strings.Repeat("a", 500) + ": {}}", f + `:1:9: tmpfs."/` + strings.Repeat("a", 59) + `…": is too long for a mount point`},
		{"tmpfs without anything", "tmpfs: {/a: }", f + `:1:13: tmpfs./a: want keys and values, found nothing`},
		{"tmpfs too small", "tmpfs: {/a: {size: 4095}}", f + `:1:20: tmpfs./a.size: is too little, want at least 4k`},
		{"tmpfs of nothing", "tmpfs: {/a: {size: 0}}", f + `:1:20: tmpfs./a.size: must not be 0, write unlimited for no limit`},
		{"yes", "tmpfs: {/a: {exec: yes}}", f + `:1:20: tmpfs./a.exec: want true or false, "yes" is neither in YAML 1.2`},
		{"flag as text", "no_new_privileges: 'true'", f + `:1:20: no_new_privileges: want true or false, found the text "true"`},
		{"tmpfs option of docker", "tmpfs: {/a: {noexec: true}}", f + `:1:14: tmpfs./a.noexec: unknown key (did you mean "exec"?)`},

		{"workspace under a tilde", "workspace: {source: ~/x}", f + `:1:21: workspace.source: ~ is not expanded here, write the path in full`},
		{"workspace from nowhere", "workspace: {source: ''}", f + `:1:21: workspace.source: is empty, want a path`},
		{"workspace with a line break", `workspace: {source: "a\nb"}`, f + `:1:21: workspace.source: holds a character that cannot be printed`},
		{"relative target", "workspace: {target: work}", f + `:1:21: workspace.target: want an absolute path, found "work"`},
		{"overlay", "workspace: {mode: overlay}", f + `:1:19: workspace.mode: "overlay" is not supported by this version`},
		{"workspace mode", "workspace: {mode: rx}", f + `:1:19: workspace.mode: want rw or ro or none, found "rx" (did you mean "rw"?)`},
		{"workspace on a tmpfs", "workspace:\n  target: /tmp", f + `:2:3: workspace.target: a tmpfs and the workspace cannot both be at "/tmp"`},
		{"tmpfs on the workspace", "tmpfs:\n  /home/claude-agent/workspace: {}", f + `:2:3: tmpfs./home/claude-agent/workspace: a tmpfs and the workspace cannot both be at "/home/claude-agent/workspace"`},

		{"size", "limits: {memory: 2gb}", f + `:1:18: limits.memory: want a size as 512m, 2g, 1048576 or unlimited, found "2gb"`},
		{"size misspelt", "limits: {memory: unlimted}", f + `:1:18: limits.memory: want a size as 512m, 2g, 1048576 or unlimited, found "unlimted" (did you mean "unlimited"?)`},
		{"hexadecimal size", "limits: {memory: 0x10}", f + `:1:18: limits.memory: want a size as 512m, 2g, 1048576 or unlimited, found "0x10"`},
		{"octal size", "limits: {memory: 010g}", f + `:1:18: limits.memory: want a size as 512m, 2g, 1048576 or unlimited, found "010g"`},
		{"size that is a list", "limits: {memory: []}", f + `:1:18: limits.memory: want a size as 512m, 2g or unlimited, found a list`},
		{"negative size", "limits: {memory: -1}", f + `:1:18: limits.memory: must not be negative`},
		{"size overflow by the letter", "limits: {memory: 9223372036854775807t}", f + `:1:18: limits.memory: is larger than any machine, write unlimited`},
		{"size overflow by the digits", "limits: {memory: 99999999999999999999}", f + `:1:18: limits.memory: is larger than any machine, write unlimited`},
		{"no memory", "limits: {memory: 0}", f + `:1:18: limits.memory: must not be 0, write unlimited for no limit`},
		{"too little memory", "limits: {memory: 5m}", f + `:1:18: limits.memory: is too little, want at least 6m`},
		{"negative swap", "limits: {swap: -1}", f + `:1:16: limits.swap: must not be negative`},
		{"swap on top of everything", "limits: {memory: unlimited, swap: 1g}", f + `:1:29: limits.swap: means nothing without limits.memory, on top of which it counts`},
		{"cpus in words", "limits: {cpus: two}", f + `:1:16: limits.cpus: want a number of CPUs as 2, 0.5 or unlimited, found "two"`},
		{"cpus too fine", "limits: {cpus: 0.0625}", f + `:1:16: limits.cpus: want a number of CPUs as 2, 0.5 or unlimited, found "0.0625"`},
		{"cpus too few", "limits: {cpus: 0.009}", f + `:1:16: limits.cpus: is too little, want at least 0.01`},
		{"cpus too many", "limits: {cpus: 8193}", f + `:1:16: limits.cpus: is more than any machine has, write unlimited`},
		{"cpus below nothing", "limits: {cpus: -0.5}", f + `:1:16: limits.cpus: must not be negative`},
		{"no cpus", "limits: {cpus: 0}", f + `:1:16: limits.cpus: must not be 0, write unlimited for no limit`},
		{"no pids", "limits: {pids: 0}", f + `:1:16: limits.pids: must not be 0, write unlimited for no limit`},
		{"pids too many", "limits: {pids: 4194305}", f + `:1:16: limits.pids: must be between 0 and 4194304`},
		{"half a pid", "limits: {pids: 1.5}", f + `:1:16: limits.pids: want a whole number, found "1.5"`},
		{"nofile too few", "limits: {nofile: 15}", f + `:1:18: limits.nofile: is too little, want at least 16`},
		{"nofile too many", "limits: {nofile: 1073741817}", f + `:1:18: limits.nofile: must be between 0 and 1073741816`},

		{"capability", "capabilities: [NET_RAWW]", f + `:1:16: capabilities[0]: unknown capability "NET_RAWW" (did you mean "NET_RAW"?)`},
		{"capability in lower case", "capabilities: [cap_net_raw]", f + `:1:16: capabilities[0]: unknown capability "cap_net_raw" (did you mean "NET_RAW"?)`},
		{"capability twice", "capabilities: [CHOWN, CAP_CHOWN]", f + `:1:23: capabilities[1]: CHOWN is listed twice`},
		{"seccomp misspelt", "seccomp: defualt", f + `:1:10: seccomp: want default, unconfined or a file (with a / or . in its name), found "defualt" (did you mean "default"?)`},
		{"strict seccomp", "seccomp: strict", f + `:1:10: seccomp: "strict" is not supported by this version`},
		{"seccomp under a tilde", "seccomp: ~/x.json", f + `:1:10: seccomp: ~ is not expanded here, write the path in full`},
		{"broker", "network: broker", f + `:1:10: network: "broker" is not supported by this version`},
		{"host network", "network: host", f + `:1:10: network: want none or bridge, found "host"`},
		{"sysctl of the host", "sysctls: {vm.swappiness: '1'}", f + `:1:11: sysctls.vm.swappiness: is not a sysctl a container can have for itself (net.*, fs.mqueue.*, kernel.msg*, kernel.shm*, kernel.sem)`},
		{"sysctl of the host's kernel", "sysctls: {kernel.core_pattern: '|x'}", f + `:1:11: sysctls.kernel.core_pattern: is not a sysctl a container can have for itself (net.*, fs.mqueue.*, kernel.msg*, kernel.shm*, kernel.sem)`},
		{"sysctl by path", "sysctls: {net./../kernel: '1'}", f + `:1:11: sysctls.net./../kernel: is not a sysctl a container can have for itself (net.*, fs.mqueue.*, kernel.msg*, kernel.shm*, kernel.sem)`},
		{"sysctl without end", "sysctls: {net." + strings.Repeat("a", 252) + ": '1'}", f + `:1:11: sysctls.net.` + strings.Repeat("a", 252) + `: is not a sysctl a container can have for itself (net.*, fs.mqueue.*, kernel.msg*, kernel.shm*, kernel.sem)`},
		{"sysctl as number", "sysctls: {net.core.somaxconn: 5}", f + `:1:31: sysctls.net.core.somaxconn: want text (in quotes), found 5`},
		{"sysctl of nothing", "sysctls: {net.core.somaxconn: ' '}", f + `:1:31: sysctls.net.core.somaxconn: want a value on one line`},
		{"sysctl on two lines", `sysctls: {net.core.somaxconn: "1\n2"}`, f + `:1:31: sysctls.net.core.somaxconn: want a value on one line`},

		{"command without run", "environment: {commands: [{expect: a}]}", f + `:1:26: environment.commands[0]: needs run, the program and its arguments as a list`},
		{"command without words", "environment: {commands: [{run: []}]}", f + `:1:26: environment.commands[0]: needs run, the program and its arguments as a list`},
		{"command without a program", "environment: {commands: [{run: ['']}]}", f + `:1:26: environment.commands[0]: needs run, the program and its arguments as a list`},
		{"command as text", "environment: {commands: [{run: git --version}]}", f + `:1:32: environment.commands[0].run: want a list, found the text "git --version"`},
		{"pattern", "environment: {commands: [{run: [a], expect: '('}]}", f + ":1:45: environment.commands[0].expect: error parsing regexp: missing closing ): `(`"},
		{"name pattern", "environment: {git: {user.name: '['}}", f + ":1:32: environment.git.user.name: error parsing regexp: missing closing ]: `[`"},
		{"email pattern", "environment: {git: {user.email: '['}}", f + ":1:33: environment.git.user.email: error parsing regexp: missing closing ]: `[`"},
		{"package that is code", "environment: {python_packages: ['os; import x']}", f + `:1:33: environment.python_packages[0]: want the name of a package as in an import statement, found "os; import x"`},
		{"package twice", "environment: {python_packages: [a, a]}", f + `:1:36: environment.python_packages[1]: "a" is listed twice`},

		{"accept without reason", "accept: [{check: a, until: 2030-01-01}]", f + `:1:10: accept[0]: needs reason`},
		{"accept without date", "accept: [{check: a, reason: b}]", f + `:1:10: accept[0]: needs until`},
		{"accept without check", "accept: [{reason: b, until: 2030-01-01}]", f + `:1:10: accept[0]: needs check`},
		{"accept as text", "accept: [a]", f + `:1:10: accept[0]: want keys and values, found the text "a"`},
		{"accept with empty check", "accept: [{check: '', reason: b, until: 2030-01-01}]", f + `:1:18: accept[0].check: want the ID of a check, found ""`},
		{"accept with blank reason", "accept: [{check: a, reason: ' ', until: 2030-01-01}]", f + `:1:29: accept[0].reason: is empty, say why`},
		{"accept with a date that is not", "accept: [{check: a, reason: b, until: 2030-02-30}]", f + `:1:39: accept[0].until: want a date of the calendar as 2006-01-02, found "2030-02-30"`},
		{"accept with a time", "accept: [{check: a, reason: b, until: 2030-02-20T10:00:00Z}]", f + `:1:39: accept[0].until: want a date of the calendar as 2006-01-02, found "2030-02-20T10:00:00Z"`},
		{"accept with a year", "accept: [{check: a, reason: b, until: 2030}]", f + `:1:39: accept[0].until: want a date as 2006-01-02, found 2030`},
		{"accept twice", "accept:\n- {check: a, reason: b, until: 2030-01-01}\n- {check: a, reason: c, until: 2031-01-01}", f + `:3:3: accept[1]: check "a" is accepted twice`},

		{"alias bomb", "a: &a [x]\nb: &b [*a, *a]", f + ":1:4: anchors (&) are not supported, write the value out where it is needed\n" +
			f + ":2:4: anchors (&) are not supported, write the value out where it is needed\n" +
			f + ":2:8: aliases (*) are not supported, write the value out\n" +
			f + ":2:12: aliases (*) are not supported, write the value out"},
		{"anchor at the root", "&a", f + ":1:1: anchors (&) are not supported, write the value out where it is needed"},
		{"tag", "image: !!binary aGk=", f + ":1:8: tags (!) are not supported"},
		{"second document", "version: 1\n---\nversion: 1\n", f + ":2:1: a second document starts here, a policy is one document"},
		{"broken second document", "version: 1\n---\n[", f + ":3: is not valid YAML: did not find expected node content"},
		{"not YAML", "version: 1\n image: a\n", f + ":2: is not valid YAML: mapping values are not allowed in this context"},
		{"not UTF-8", "# \xff", f + ":1:3: is not UTF-8 text"},
		{"UTF-16", "\xff\xfea\x00", f + ":1:1: is not UTF-8 text"},
		{"NUL byte", "a: \x00", f + `:1:4: holds a control character, '\x00'`},
		{"hidden line break", "# harmless\u2028rootfs: writable", f + `:1:11: holds a line break that editors do not show, '\u2028'`},
		{"next line", "# harmless\u0085rootfs: writable", f + `:1:11: holds a line break that editors do not show, '\u0085'`},
		{"lone carriage return", "# harmless\rrootfs: writable", f + `:1:11: holds a line break that editors do not show, '\r'`},
		{"turned letters", "version: 1\n# \u202egpj", f + `:2:3: holds an invisible mark that reorders text, '\u202e'`},
		{"too large", "#" + strings.Repeat(" ", MaxFileSize), f + `: is larger than 1 MiB, which no policy is`},

		{"all that is wrong, in order", "workspace: {target: /tmp}\nlimits: {pids: 0, cpus: no}\nimage: 5", f + `:1:13: workspace.target: a tmpfs and the workspace cannot both be at "/tmp"` + "\n" +
			f + ":2:16: limits.pids: must not be 0, write unlimited for no limit\n" +
			f + `:2:25: limits.cpus: want a number of CPUs as 2, 0.5 or unlimited, found "no"` + "\n" +
			f + ":3:8: image: want text (in quotes), found 5"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, err := Decode(f, []byte(row.file))
			if err == nil {
				t.Fatalf("decoded to %+v, want %s", p, row.want)
			}
			if p != nil {
				t.Error("a policy came with the error")
			}
			if diff := cmp.Diff(row.want, err.Error()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestDecodeStopsCounting(t *testing.T) {
	_, err := Decode("f", []byte("user: {groups: ["+strings.Repeat("x, ", 1000)+"]}"))
	if errs, ok := err.(Errors); !ok || len(errs) != maxErrors {
		t.Errorf("%T with %d lines, want %d", err, strings.Count(err.Error(), "\n")+1, maxErrors)
	}
}

func TestOrigins(t *testing.T) {
	p := decode(t, "limits:\n  memory: 1g\ntmpfs:\n  /tmp: {exec: true}\naccept:\n  - check: a\n    reason: b\n    until: 2030-01-01\ncapabilities: [CHOWN]\n")
	want := map[string]Origin{
		"limits": {1, 1}, "limits.memory": {2, 3},
		"tmpfs": {3, 1}, "tmpfs./tmp": {4, 3}, "tmpfs./tmp.exec": {4, 10},
		"accept": {5, 1}, "accept[0]": {6, 5}, "accept[0].check": {6, 5}, "accept[0].reason": {7, 5}, "accept[0].until": {8, 5},
		"capabilities": {9, 1},
	}
	if diff := cmp.Diff(want, p.Origins); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

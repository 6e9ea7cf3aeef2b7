package policy

// Default returns the policy that applies where no file says otherwise: the
// hardened baseline. The caller may change what it returns.
func Default() *Policy {
	return &Policy{
		Version: Version,
		Image:   "tightship-agent:latest",
		User:    User{Name: "claude-agent", UID: 1000, GID: 100, Groups: []int64{}},
		Rootfs:  ReadOnly,
		Tmpfs:   map[string]Tmpfs{"/tmp": defaultTmpfs()},
		Workspace: Workspace{
			Source: ".",
			Target: "/home/claude-agent/workspace",
			Mode:   WorkspaceRW,
		},
		Limits: Limits{
			Memory: 2 << 30,
			Swap:   0,
			CPUs:   2000,
			PIDs:   100,
			NoFile: 1024,
			Core:   0,
		},
		Capabilities:    []string{},
		NoNewPrivileges: true,
		Seccomp:         SeccompDefault,
		Network:         NetworkNone,
		// Engines lower this to 0 in the container's own network namespace,
		// where it would make "no CAP_NET_BIND_SERVICE" mean nothing.
		Sysctls: map[string]string{"net.ipv4.ip_unprivileged_port_start": "1024"},
		Environment: Environment{
			Commands: []Command{
				{Run: []string{"python3.11", "--version"}, Expect: `^Python 3\.11\.`},
				{Run: []string{"node", "--version"}, Expect: `^v20\.`},
				{Run: []string{"npm", "--version"}, Expect: `^\d+\.`},
				{Run: []string{"git", "--version"}, Expect: `^git version`},
				{Run: []string{"claude", "--version"}, Expect: `\d+\.\d+`},
			},
			PythonPackages: []string{"anthropic", "requests", "github"},
			Git:            Git{UserName: ".+", UserEmail: ".+", NonInteractive: true},
		},
		Credentials: []Credential{},
		Runtime:     "runc",
		Accept:      []Accept{},
		Origins:     map[string]Origin{},
	}
}

// defaultTmpfs is what a tmpfs entry starts from, whatever its mount point.
func defaultTmpfs() Tmpfs { return Tmpfs{Size: 2 << 30} }

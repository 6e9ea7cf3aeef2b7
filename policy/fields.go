package policy

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// root decodes the whole file over the defaults that d.policy starts with.
func (d *decoder) root(n *yaml.Node) {
	p := d.policy
	d.group(n, "", keys{
		"version":           d.version,
		"image":             d.text(&p.Image, matching(imageRE, "an image reference")),
		"user":              d.user(&p.User),
		"rootfs":            choice(d, &p.Rootfs, nil, ReadOnly, Writable),
		"tmpfs":             d.tmpfs,
		"workspace":         d.workspace(&p.Workspace),
		"limits":            d.limits(&p.Limits),
		"capabilities":      d.caps,
		"no_new_privileges": d.flag(&p.NoNewPrivileges),
		"seccomp":           d.text(&p.Seccomp, seccompValue),
		"network":           choice(d, &p.Network, []string{"broker"}, NetworkNone, NetworkBridge),
		"sysctls":           d.sysctls,
		"environment":       d.environment(&p.Environment),
		"credentials":       d.credentials,
		"runtime":           d.text(&p.Runtime, matching(runtimeRE, "the name of an OCI runtime")),
		"accept":            d.accept,
	})
	d.together(p)
}

// together checks what no single key can be blamed for.
func (d *decoder) together(p *Policy) {
	if p.Limits.Memory == 0 && p.Limits.Swap > 0 {
		d.addAt("limits.swap", "means nothing without limits.memory, on top of which it counts")
	}
	if _, ok := p.Tmpfs[p.Workspace.Target]; ok && p.Workspace.Mode != WorkspaceNone {
		at := "workspace.target"
		if _, written := p.Origins[at]; !written {
			at = join("tmpfs", p.Workspace.Target)
		}
		d.addAt(at, "a tmpfs and the workspace cannot both be at "+quoted(p.Workspace.Target))
	}
}

func (d *decoder) version(n *yaml.Node, at string) {
	if !scalar(n, "!!int") {
		d.wrongType(n, at, "1")
	} else if n.Value != "1" {
		d.add(n, at, "this program reads version 1 of the format, not "+short(n.Value), "")
	}
}

func (d *decoder) user(u *User) reader {
	return func(n *yaml.Node, at string) {
		d.group(n, at, keys{
			"name": d.text(&u.Name, matching(userRE, "a user name")),
			"uid":  d.id(&u.UID),
			"gid":  d.id(&u.GID),
			"groups": func(n *yaml.Node, at string) {
				u.Groups = []int64{}
				seen := map[int64]bool{}
				d.items(n, at, func(n *yaml.Node, at string) {
					g, ok := d.whole(n, at, 0, maxID)
					if ok && seen[g] {
						d.add(n, at, n.Value+" is listed twice", "")
					} else if ok {
						u.Groups = append(u.Groups, g)
						seen[g] = true
					}
				})
			},
		})
	}
}

func (d *decoder) tmpfs(n *yaml.Node, at string) {
	d.policy.Tmpfs = map[string]Tmpfs{}
	d.entries(n, at, func(k, v *yaml.Node, at string) {
		if problem, nearest := mountPoint(k.Value); problem != "" {
			d.add(k, at, problem, nearest)
			return
		}
		t := defaultTmpfs()
		d.group(v, at, keys{
			"size": d.size(&t.Size, minTmpfs),
			"exec": d.flag(&t.Exec),
			"suid": d.flag(&t.Suid),
			"dev":  d.flag(&t.Dev),
		})
		d.policy.Tmpfs[k.Value] = t
	})
}

func (d *decoder) workspace(w *Workspace) reader {
	return func(n *yaml.Node, at string) {
		d.group(n, at, keys{
			"source": d.text(&w.Source, hostPath),
			"target": d.text(&w.Target, mountPoint),
			"mode":   choice(d, &w.Mode, []string{"overlay"}, WorkspaceRW, WorkspaceRO, WorkspaceNone),
		})
	}
}

func (d *decoder) limits(l *Limits) reader {
	return func(n *yaml.Node, at string) {
		d.group(n, at, keys{
			"memory": d.size(&l.Memory, minMemory),
			"swap":   d.allowance(&l.Swap),
			"cpus":   d.cpus(&l.CPUs),
			"pids":   d.count(&l.PIDs, 1, maxPIDs),
			"nofile": d.count(&l.NoFile, minNoFile, maxNoFile),
			"core":   d.allowance(&l.Core),
		})
	}
}

func (d *decoder) caps(n *yaml.Node, at string) {
	list := []string{}
	d.items(n, at, func(n *yaml.Node, at string) {
		name, ok := d.word(n, at, capability)
		name = strings.TrimPrefix(name, "CAP_")
		if ok && slices.Contains(list, name) {
			d.add(n, at, name+" is listed twice", "")
		} else if ok {
			list = append(list, name)
		}
	})
	// Their order means nothing, and must not change the digest.
	slices.Sort(list)
	d.policy.Capabilities = list
}

func (d *decoder) sysctls(n *yaml.Node, at string) {
	d.policy.Sysctls = map[string]string{}
	d.entries(n, at, func(k, v *yaml.Node, at string) {
		if problem := sysctl(k.Value); problem != "" {
			d.add(k, at, problem, "")
			return
		}
		value, ok := d.word(v, at, func(s string) (string, string) {
			if strings.TrimSpace(s) == "" || !printable(strings.ReplaceAll(s, "\t", " ")) {
				return "want a value on one line", ""
			}
			return "", ""
		})
		if ok {
			d.policy.Sysctls[k.Value] = value
		}
	})
}

func (d *decoder) environment(e *Environment) reader {
	return func(n *yaml.Node, at string) {
		d.group(n, at, keys{
			"commands": func(n *yaml.Node, at string) {
				e.Commands = []Command{}
				d.items(n, at, func(n *yaml.Node, at string) {
					if c, ok := d.command(n, at); ok {
						e.Commands = append(e.Commands, c)
					}
				})
			},
			// These end up in an import statement, so nothing but a name may.
			"python_packages": d.words(&e.PythonPackages, true, matching(importRE, "the name of a package as in an import statement")),
			"git": func(n *yaml.Node, at string) {
				d.group(n, at, keys{
					"user.name":      d.text(&e.Git.UserName, anyRegexp),
					"user.email":     d.text(&e.Git.UserEmail, anyRegexp),
					"noninteractive": d.flag(&e.Git.NonInteractive),
				})
			},
		})
	}
}

func (d *decoder) command(n *yaml.Node, at string) (Command, bool) {
	c, before := Command{}, len(d.errs)
	d.group(n, at, keys{
		"run":    d.words(&c.Run, false, nil),
		"expect": d.text(&c.Expect, anyRegexp),
	})
	// What is wrong inside "run" has been said; only an absent or empty one
	// is news.
	if len(d.errs) == before && (len(c.Run) == 0 || c.Run[0] == "") {
		d.add(n, at, "needs run, the program and its arguments as a list", "")
	}
	return c, len(d.errs) == before
}

func (d *decoder) accept(n *yaml.Node, at string) {
	d.policy.Accept = []Accept{}
	seen := map[string]bool{}
	d.items(n, at, func(n *yaml.Node, at string) {
		var a Accept
		d.group(n, at, keys{
			"check":  d.text(&a.Check, matching(checkRE, "the ID of a check")),
			"reason": d.text(&a.Reason, notBlank),
			"until": func(n *yaml.Node, at string) {
				if !scalar(n, "!!timestamp", "!!str") {
					d.wrongType(n, at, "a date as 2006-01-02")
				} else if _, err := time.Parse(dateLayout, n.Value); err != nil {
					d.add(n, at, "want a date of the calendar as 2006-01-02, found "+quoted(n.Value), "")
				} else {
					a.Until = Date(n.Value)
				}
			},
		})
		d.needs(n, at, "check", "reason", "until")
		if a.Check != "" && seen[a.Check] {
			d.add(n, at, "check "+quoted(a.Check)+" is accepted twice", "")
		}
		seen[a.Check] = true
		d.policy.Accept = append(d.policy.Accept, a)
	})
}

func notBlank(s string) (string, string) {
	if strings.TrimSpace(s) == "" {
		return "is empty, say why", ""
	}
	return "", ""
}

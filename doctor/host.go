package doctor

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/tightship-dev/tightship/kernel"
)

// maxFile bounds what is read of one file.
const maxFile = 4 << 20

// read returns a file's content, nil where it cannot be had whole.
func (p Probes) read(name string) []byte {
	if info, err := p.stat(name); err != nil || !info.Mode().IsRegular() {
		return nil // opening a pipe could wait for ever
	}
	f, err := p.FS.Open(strings.TrimPrefix(path.Clean(name), "/"))
	if err != nil {
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil || len(data) > maxFile {
		return nil
	}
	return data
}

// line is a file of one line, "" where it cannot be had.
func (p Probes) line(name string) string { return strings.TrimSpace(string(p.read(name))) }

func (p Probes) exists(name string) bool {
	_, err := p.stat(name)
	return err == nil
}

func (p Probes) stat(name string) (fs.FileInfo, error) {
	return fs.Stat(p.FS, strings.TrimPrefix(path.Clean(name), "/"))
}

// host reads what a Linux host says of itself.
func (p Probes) host() Host {
	h := Host{
		Kernel:  p.line("/proc/sys/kernel/osrelease"),
		Cores:   p.Cores,
		Memory:  parseMemory(p.read("/proc/meminfo")),
		Systemd: p.exists("/run/systemd/system"),
		Core:    p.line("/proc/sys/kernel/core_pattern"),
		Overlay: "no",
		Seccomp: p.seccomp(),
	}
	release := p.read("/etc/os-release")
	if release == nil {
		release = p.read("/usr/lib/os-release")
	}
	h.Name, h.Family = parseRelease(release)
	h.Mounts, _ = kernel.ParseMountinfo(p.read("/proc/self/mountinfo")) // none: could not be told
	h.Cgroup = p.cgroup(h.Mounts)
	h.UserNS = p.userNS()
	p.lsm(&h)
	switch known := p.read("/proc/filesystems"); {
	case known == nil:
		h.Overlay = ""
	case hasFilesystem(known, "overlay"):
		h.Overlay = "yes"
	}
	return h
}

// seccomp tells whether filters can be had. Where /proc/sys is masked, a kernel
// that has seccomp may have it without filters.
func (p Probes) seccomp() string {
	actions := p.line("/proc/sys/kernel/seccomp/actions_avail")
	status := p.line("/proc/self/status")
	switch {
	case slices.Contains(strings.Fields(actions), "errno"):
		return "yes"
	case actions != "", status != "" && !strings.Contains(status, "\nSeccomp:"):
		return "no"
	}
	return ""
}

func (p Probes) userNS() UserNS {
	return UserNS{
		Supported: p.exists("/proc/self/ns/user"),
		Max:       p.line("/proc/sys/user/max_user_namespaces"),
		Clone:     p.line("/proc/sys/kernel/unprivileged_userns_clone"),
		AppArmor:  p.line("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
		UIDs:      parseSubIDs(p.read("/etc/subuid"), p.User, p.UID),
		GIDs:      parseSubIDs(p.read("/etc/subgid"), p.User, p.UID),
	}
}

// lsm reads the security modules. The list is in securityfs, which is not
// mounted everywhere; the two that matter to containers also show elsewhere.
func (p Probes) lsm(h *Host) {
	if list := p.line("/sys/kernel/security/lsm"); list != "" {
		h.LSMs = strings.Split(list, ",")
	} else if p.exists("/sys/kernel") {
		h.LSMs = []string{}
		if p.line("/sys/module/apparmor/parameters/enabled") == "Y" {
			h.LSMs = append(h.LSMs, "apparmor")
		}
		if p.exists("/sys/fs/selinux/enforce") {
			h.LSMs = append(h.LSMs, "selinux")
		}
	}
	h.Permissive = slices.Contains(h.LSMs, "selinux") && p.line("/sys/fs/selinux/enforce") == "0"
}

// controllers is what a container's limits rest on.
var controllers = []string{"cpu", "memory", "pids"}

func (p Probes) cgroup(mounts []kernel.Mount) Cgroup {
	var c Cgroup
	unified, legacy := "", map[string]string{} // mount points
	for _, m := range mounts {
		switch m.FSType {
		case "cgroup2":
			unified = m.Target
		case "cgroup":
			for _, name := range controllers {
				if slices.Contains(m.SuperOptions, name) {
					legacy[name] = m.Target
				}
			}
		}
	}
	own, _ := kernel.ParseCgroup(p.read("/proc/self/cgroup"))
	switch {
	case len(legacy) > 0 && unified != "":
		c.Version = "hybrid"
	case len(legacy) > 0:
		c.Version = "v1"
	case unified != "":
		c.Version = "v2"
		c.Enabled = p.controllersOf(unified)
		c.Usable = p.delegated(unified, own[""])
		return c
	}
	enabled := parseControllers(p.read("/proc/cgroups"))
	for _, name := range controllers {
		at, mounted := legacy[name]
		if !mounted || !slices.Contains(enabled, name) {
			continue
		}
		c.Enabled = append(c.Enabled, name)
		if p.Writable(at) == nil || own[name] != "" && p.Writable(path.Join(at, own[name])) == nil {
			c.Usable = append(c.Usable, name)
		}
	}
	return c
}

// delegated is the controllers of the first cgroup that this user may divide:
// the whole tree (root), what systemd hands to a user, or our own.
func (p Probes) delegated(mount, own string) []string {
	user := fmt.Sprintf("user.slice/user-%d.slice/user@%d.service", p.UID, p.UID)
	for _, dir := range []string{mount, path.Join(mount, user), path.Join(mount, own)} {
		if p.exists(dir) && p.Writable(dir) == nil {
			return p.controllersOf(dir)
		}
	}
	return nil
}

func (p Probes) controllersOf(dir string) []string {
	has := strings.Fields(p.line(path.Join(dir, "cgroup.controllers")))
	var out []string
	for _, name := range controllers {
		if slices.Contains(has, name) {
			out = append(out, name)
		}
	}
	return out
}

package doctor

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"strings"
	"syscall"
)

// defaultHost is where the docker command and we look without being told.
const defaultHost = "unix:///var/run/docker.sock"

// endpoints lists where an engine may listen, what `tightship verify` uses
// first. A socket that nobody named counts only if it is there; the default one
// always does, for it is what people expect to work.
func (p Probes) endpoints() []Endpoint {
	var out []Endpoint
	seen := map[string]bool{}
	add := func(e Endpoint, must bool) {
		file, isSocket := strings.CutPrefix(e.Host, "unix://")
		key := e.Host
		if isSocket {
			// The usual symbolic link, also where nothing is there to compare.
			if rest, ok := strings.CutPrefix(path.Clean(file), "/var/run/"); ok {
				file = "/run/" + rest
			}
			key = file
			info, err := p.stat(file)
			if !must && err != nil && os.IsNotExist(err) {
				return
			}
			if id, ok := identity(info, err); ok {
				key = id
			}
		}
		if e.Host != "" && !seen[key] {
			seen[key] = true
			out = append(out, e)
		}
	}
	host := p.Getenv("DOCKER_HOST")
	add(Endpoint{Host: host, From: "DOCKER_HOST"}, true)
	if e, ok := p.context(); ok && host == "" {
		add(e, true)
	}
	add(Endpoint{Host: defaultHost, From: "the default socket"}, true)
	home, runtime := p.Getenv("HOME"), p.Getenv("XDG_RUNTIME_DIR")
	if runtime == "" && p.UID > 0 {
		runtime = fmt.Sprintf("/run/user/%d", p.UID)
	}
	for _, s := range []struct{ dir, file, from string }{
		{runtime, "docker.sock", "rootless Docker's socket"},
		{runtime, "podman/podman.sock", "your Podman's socket"},
		{"/run", "podman/podman.sock", "Podman's socket"},
		{home, ".docker/run/docker.sock", "Docker Desktop's socket"},
		{home, ".colima/default/docker.sock", "Colima's socket"},
	} {
		if path.IsAbs(s.dir) {
			add(Endpoint{Host: "unix://" + path.Join(s.dir, s.file), From: s.from}, false)
		}
	}
	out[p.used(out)].Used = true
	return out
}

// used is the endpoint that `tightship verify` reaches without being told: the
// one that was named, else the first socket that is there.
func (p Probes) used(all []Endpoint) int {
	if all[0].Host != defaultHost || all[0].From != "the default socket" {
		return 0
	}
	for i, e := range all {
		if file, ok := strings.CutPrefix(e.Host, "unix://"); ok && !strings.HasPrefix(e.From, "Docker Desktop") && !strings.HasPrefix(e.From, "Colima") {
			if _, err := p.stat(file); err == nil {
				return i
			}
		}
	}
	return 0
}

// context is the endpoint of the docker context in use, if it is not the
// built-in one, which is DOCKER_HOST or the default socket.
func (p Probes) context() (Endpoint, bool) {
	dir := cmp.Or(p.Getenv("DOCKER_CONFIG"), path.Join(p.Getenv("HOME"), ".docker"))
	if !path.IsAbs(dir) {
		return Endpoint{}, false
	}
	name := cmp.Or(p.Getenv("DOCKER_CONTEXT"), contextName(p.read(path.Join(dir, "config.json"))))
	if name == "" || name == "default" {
		return Endpoint{}, false
	}
	host := contextHost(p.read(path.Join(dir, contextDir(name), "meta.json")))
	return Endpoint{Host: host, From: fmt.Sprintf("docker context %q", name)}, host != ""
}

// identity names a file by its device and number, so that two paths to one
// socket are one endpoint.
func identity(info os.FileInfo, err error) (string, bool) {
	if err != nil {
		return "", false
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", false
	}
	return fmt.Sprintf("%d:%d", s.Dev, s.Ino), true
}

// socket says who may use an endpoint's socket.
func (p Probes) socket(host string) Socket {
	file, ok := strings.CutPrefix(host, "unix://")
	if !ok {
		return Socket{}
	}
	info, err := p.stat(file)
	if err != nil {
		return Socket{}
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode().Perm()&0o060 != 0o060 {
		return Socket{} // its group may not use it either
	}
	name, listed := parseGroup(p.read("/etc/group"), s.Gid, p.User)
	return Socket{Group: name, Listed: listed}
}

package mutate

import "github.com/tightship-dev/tightship/spec"

// mounts weakens what of the host is mounted. Where writing is what counts, the
// probes ask for files without a name; elsewhere the mount is read-only.
func mounts() []Mutation {
	bind := func(id, title string, m spec.Mount) Mutation {
		m.Kind = spec.Bind
		return Mutation{ID: id, Title: title, Apply: func(c *spec.Container) { c.Mounts = append(c.Mounts, m) }}
	}
	socket := bind("mount.docker-sock", "the engine's socket is mounted", spec.Mount{Source: "/var/run/docker.sock", Target: SocketTarget})
	socket.Socket = true
	shared := bind("mount.shared", "a host directory is mounted that hands on mounts", spec.Mount{Source: "/var/tmp", Target: SharedTarget, ReadOnly: true, Propagation: "rshared"})
	shared.Shared, shared.MayBeRefused = true, "gVisor starts no container whose root hands on mounts"
	slave := bind("mount.slave", "a host directory is mounted that follows the host's mounts", spec.Mount{Source: "/var/tmp", Target: SharedTarget, ReadOnly: true, Propagation: "rslave"})
	slave.Shared = true
	// A real one may be large, and hold sockets and mounts of its own.
	home := bind("mount.home", "a home is mounted read-only", spec.Mount{Source: "/root", Target: DirTarget, ReadOnly: true})
	home.Dir = true
	return []Mutation{
		socket, shared, slave, home,
		bind("mount.host-root", "the host's root is mounted", spec.Mount{Source: "/", Target: "/mnt/host", Propagation: "rslave"}),
		bind("mount.var-run", "the host's /var/run is mounted", spec.Mount{Source: "/var/run", Target: "/mnt/run"}),
		bind("mount.etc", "the host's /etc is mounted read-only", spec.Mount{Source: "/etc", Target: "/mnt/etc", ReadOnly: true}),
		bind("mount.file", "a file of the host's is mounted read-only", spec.Mount{Source: "/etc/passwd", Target: "/mnt/passwd", ReadOnly: true}),
	}
}

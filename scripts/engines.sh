#!/usr/bin/env bash
# Starts further engines beside the machine's own, for testing against: each with
# a socket, a store and a network setup of its own, so that no other engine
# notices. Asks nothing and can be run again at any time. Needs root on Debian or
# Ubuntu; docs/engines.md says what was tested with which.
#
# usage: scripts/engines.sh docker29 | podman | podman-rootless  start | stop
#        scripts/engines.sh stop
#
#   docker29         today's Docker Engine with its containerd and runc, built from
#                    the Go modules pinned below into bin/engines (minutes, once),
#                    with bin/runsc as its runtime "runsc"
#   podman           Debian's Podman as root
#   podman-rootless  Debian's Podman as a user made for it
#
# start prints the engine's address on stdout. stop ends the engine and removes
# its containers, images and files; alone it does so for all of them.
#
# exit code: 0 there, 1 failed, 3 cannot be had on this machine
set -euo pipefail
cd "$(dirname "$0")/.."

# The current Docker line. Its own names for these are 29 and API 1.56.
dockerd=github.com/moby/moby/v2/cmd/dockerd@v2.0.0-beta.24
containerd=github.com/containerd/containerd/v2/cmd/containerd@v2.4.2
runc=github.com/opencontainers/runc@v1.5.2

run=/run/tightship-engines      # sockets and what lives as long as the engine
data=/var/lib/tightship-engines # stores; not under /tmp, which runsc mounts over
user=tightship-rootless

say() { echo "engines: $*" >&2; }
die() { say "$1"; say "hint: $2"; exit "${3:-1}"; }

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

install_packages() {
	local missing=()
	for p; do
		if [ "$(dpkg-query -Wf '${db:Status-Status}' "$p" 2>/dev/null)" != installed ]; then missing+=("$p"); fi
	done
	if [ ${#missing[@]} = 0 ]; then return; fi
	say "installing Debian packages: ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	local apt=(apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
	"${apt[@]}" update >&2
	"${apt[@]}" install -y --no-install-recommends "${missing[@]}" >&2 </dev/null ||
		die "cannot install ${missing[*]}" "is a Debian mirror reachable?" 3
}

### Processes

# alive NAME: prints the process ID of a daemon that this script started, if it
# lives. A number alone may be another process's by now.
alive() {
	local pid start
	read -r pid start 2>/dev/null <"$run/$1.pid" || return 1
	[ "$(born "$pid")" = "$start" ] || return 1
	! grep -q '^State:[[:space:]]*[ZX]' "/proc/$pid/status" 2>/dev/null || return 1
	echo "$pid"
}

# born PID: when it started, in ticks since boot (proc_pid_stat(5), field 22).
born() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# daemon NAME COMMAND...: starts it in a session of its own, with nothing of the
# caller's kept open: a pipe to it would never end.
daemon() {
	local name=$1 pid
	shift
	(
		for fd in /proc/self/fd/*; do
			fd=${fd##*/}
			if [ "$fd" -gt 2 ]; then eval "exec $fd>&-"; fi
		done
		exec setsid nohup "$@" </dev/null >"$run/$name.log" 2>&1
	) &
	pid=$!
	echo "$pid $(born "$pid")" >"$run/$name.pid"
}

# end NAME: TERM, then KILL.
end() {
	local pid signal
	for signal in TERM KILL; do
		pid=$(alive "$1") || return 0
		kill -"$signal" "$pid"
		for _ in $(seq 40); do
			alive "$1" >/dev/null || return 0
			sleep 0.5
		done
	done
	die "$1 ($pid) does not stop" "see $run/$1.log"
}

answers() { timeout 10 docker -H "unix://$1" version >/dev/null 2>&1; }

# wait_for NAME SOCKET: until it answers; the daemon's last words if it does not.
wait_for() {
	for _ in $(seq 60); do
		if answers "$2"; then
			say "$1 answers at unix://$2"
			echo "unix://$2"
			return
		fi
		alive "$1" >/dev/null || break
		sleep 0.5
	done
	tail -n 15 "$run/$1.log" | sed 's/^/    /' >&2
	die "$1 was started and does not answer" "its log is $run/$1.log" 3
}

# prepare: what every engine needs before anything of it is made.
prepare() {
	can_install || die "this is not root on a machine with apt-get" "run it as root on Debian or Ubuntu" 3
	command -v docker >/dev/null || die "there is no docker command" "scripts/setup.sh engine installs it" 3
	mkdir -p "$run" "$data"
	exec 9>"$run/lock"
	flock 9
}

# discard DIR...: containers' mounts first, then the files.
discard() {
	local dir target
	for dir; do
		while read -r target; do
			umount -l "$target" 2>/dev/null || true
		done < <(awk -v d="$dir" 'index($5, d "/") == 1 || $5 == d {print $5}' /proc/self/mountinfo | sort -r)
		rm -rf --one-file-system "$dir"
	done
}

unlink_bridge() {
	if ip link show "$1" >/dev/null 2>&1; then ip link delete "$1"; fi
}

# empty SOCKET: removes an engine's containers, and with them their shims.
empty() {
	local all
	all=$(timeout 20 docker -H "unix://$1" ps -aq 2>/dev/null) || return 0
	# shellcheck disable=SC2086 # a list
	if [ -n "$all" ]; then timeout 60 docker -H "unix://$1" rm -f $all >/dev/null 2>&1 || true; fi
}

### The current Docker

# build: the programs, into a folder named after their versions, so that a new
# version is a new folder. Prints it.
build() {
	local dir
	dir=bin/engines/docker-$(echo "$dockerd $containerd $runc" | sha256sum | cut -c1-12)
	if [ ! -e "$dir/complete" ]; then
		command -v go >/dev/null || die "there is no Go to build Docker with" "install Go, see go.mod for the version" 3
		install_packages gcc libc6-dev libseccomp-dev pkg-config
		say "building Docker, containerd and runc from their modules (about five minutes on two cores, once)"
		mkdir -p "$dir"
		local version=${dockerd##*@} try=(env -u GOFLAGS GOBIN="$PWD/$dir" go install -trimpath)
		# cgo only where libseccomp is: without it runc cannot filter system calls.
		# The rest of containerd's tags leave out what nothing here uses.
		{
			CGO_ENABLED=1 "${try[@]}" -tags seccomp -ldflags "-s -w -X main.version=${runc##*@v}" "$runc" &&
				CGO_ENABLED=0 "${try[@]}" -tags "no_cri no_btrfs no_devmapper no_zfs no_aufs" \
					-ldflags "-s -w -X github.com/containerd/containerd/v2/version.Version=${containerd##*@}" \
					"$containerd" "${containerd/containerd@/containerd-shim-runc-v2@}" &&
				CGO_ENABLED=0 "${try[@]}" -ldflags "-s -w -X github.com/moby/moby/v2/dockerversion.Version=29-${version#v}" "$dockerd"
		} >&2 || die "Docker could not be built" "is a Go module proxy reachable?" 3
		touch "$dir/complete"
	fi
	echo "$PWD/$dir"
}

docker29_start() {
	local bin socket=$run/docker29.sock containerd_socket=$run/docker29-containerd.sock
	prepare
	install_packages iproute2
	bin=$(build)
	if answers "$socket"; then
		wait_for docker29 "$socket"
		return
	fi
	docker29_clear
	mkdir -p "$data/docker29" "$run/docker29"
	local runtimes='{}'
	if [ -x bin/runsc ]; then
		install -m 0755 bin/runsc "$data/docker29/runsc"
		runtimes="{\"runsc\": {\"path\": \"$data/docker29/runsc\"}}"
	fi
	echo "{\"runtimes\": $runtimes}" >"$data/docker29/daemon.json"
	cat >"$data/docker29/containerd.toml" <<-END
		version = 3
		root = "$data/docker29/containerd"
		state = "$run/docker29/containerd"
		[grpc]
		address = "$containerd_socket"
		[ttrpc]
		address = "$containerd_socket.ttrpc"
	END
	daemon docker29-containerd env PATH="$bin:$PATH" "$bin/containerd" --config "$data/docker29/containerd.toml"
	for _ in $(seq 60); do
		if [ -S "$containerd_socket" ]; then break; fi
		sleep 0.5
	done
	# A bridge of its own and no firewall rules: without one of its own, as with
	# --bridge none, dockerd deletes docker0, which is the first engine's.
	ip link add tightship1 type bridge
	ip address add 10.213.78.1/24 dev tightship1
	ip link set tightship1 up
	daemon docker29 env PATH="$bin:$PATH" "$bin/dockerd" --config-file "$data/docker29/daemon.json" \
		--host "unix://$socket" --containerd "$containerd_socket" \
		--data-root "$data/docker29/docker" --exec-root "$run/docker29/exec" --pidfile "$run/docker29/dockerd.pid" \
		--bridge tightship1 --iptables=false --ip6tables=false
	wait_for docker29 "$socket"
}

docker29_clear() {
	empty "$run/docker29.sock"
	end docker29
	end docker29-containerd
	discard "$run/docker29" "$data/docker29"
	rm -f "$run"/docker29*
	unlink_bridge tightship1
}

### Podman

# podman_config DIR RUNDIR: an engine that shares no store, no network and
# no lock with another Podman. crun, Debian's default, refuses hybrid cgroups.
podman_config() {
	local dir=$1 rundir=$2 runtime
	runtime=$(command -v runc)
	mkdir -p "$dir/networks" "$rundir"
	# Podman gives every container of root's a limit of 1048576 processes and open
	# files. Where nobody may raise a limit so far, no container would start.
	if ! (ulimit -Hu unlimited) 2>/dev/null; then
		cat >"$dir/runc" <<-END
			#!/usr/bin/env bash
			# Lowers the limits that Podman adds to what this machine can give.
			last=
			for arg; do
			    case \$last in
			    --bundle | -b) file=\$arg/config.json ;;
			    --process | -p) file=\$arg ;;
			    *) file= ;;
			    esac
			    last=\$arg
			    if [ -w "\$file" ]; then
			        sed -i -E -e "s/(\"RLIMIT_NPROC\",\"hard\":)1048576(,\"soft\":)1048576/\1\$(ulimit -Hu)\2\$(ulimit -Hu)/" \\
			            -e "s/(\"RLIMIT_NOFILE\",\"hard\":)1048576(,\"soft\":)1048576/\1\$(ulimit -Hn)\2\$(ulimit -Hn)/" "\$file"
			    fi
			done
			exec $runtime "\$@"
		END
		chmod 0755 "$dir/runc"
		runtime=$dir/runc
	fi
	cat >"$dir/containers.conf" <<-END
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		runtime = "runc"
		[engine.runtimes]
		runc = ["$runtime"]
		[network]
		network_config_dir = "$dir/networks"
		default_network = "tightship"
	END
	# A bridge without a firewall: its rules would be the whole machine's.
	cat >"$dir/networks/tightship.conflist" <<-END
		{"cniVersion": "0.4.0", "name": "tightship", "plugins": [{
			"type": "bridge", "bridge": "tightship0", "isGateway": true,
			"ipam": {"type": "host-local", "dataDir": "$rundir/cni", "ranges": [[{"subnet": "10.213.77.0/24"}]]}
		}]}
	END
	# The store's place is given as flags: rootless, Podman ignores a file for it.
	podman=(env -C / CONTAINERS_CONF="$dir/containers.conf" TMPDIR="$dir" XDG_RUNTIME_DIR="$rundir"
		podman --root "$dir/storage" --runroot "$rundir/containers" --storage-driver overlay
		system service --time=0)
}

podman_start() {
	local socket=$run/podman.sock dir=$data/podman
	prepare
	install_packages podman runc iproute2
	if answers "$socket"; then
		wait_for podman "$socket"
		return
	fi
	podman_clear
	podman_config "$dir" "$run/podman"
	daemon podman "${podman[@]}" "unix://$socket"
	wait_for podman "$socket"
}

# end_conmons DIR: Podman's monitors of what ran in containers stay for five minutes
# after it, and then call Podman to clean up, which would make the store anew.
end_conmons() {
	local proc
	for proc in /proc/[0-9]*; do
		if [ "$(cat "$proc/comm" 2>/dev/null)" = conmon ] && tr '\0' ' ' <"$proc/cmdline" 2>/dev/null | grep -qF " $1/"; then
			kill -KILL "${proc#/proc/}" 2>/dev/null || true
		fi
	done
}

podman_clear() {
	empty "$run/podman.sock"
	end podman
	end_conmons "$data/podman"
	discard "$run/podman" "$data/podman"
	rm -f "$run"/podman.*
	unlink_bridge tightship0
}

rootless_start() {
	local home=$data/rootless rundir=$run/rootless socket
	socket=$rundir/podman.sock
	prepare
	install_packages podman runc uidmap
	if answers "$socket"; then
		wait_for rootless "$socket"
		return
	fi
	rootless_clear
	useradd --system --home-dir "$home" --shell /usr/sbin/nologin "$user"
	usermod --add-subuids 500000-565535 --add-subgids 500000-565535 "$user"
	podman_config "$home" "$rundir"
	chown -R "$user:" "$home" "$rundir"
	daemon rootless runuser -u "$user" -- env HOME="$home" "${podman[@]}" "unix://$socket"
	wait_for rootless "$socket"
}

rootless_clear() {
	empty "$run/rootless/podman.sock"
	end rootless
	end_conmons "$data/rootless"
	if id "$user" >/dev/null 2>&1; then
		# What runuser started, and the process that holds the user namespace.
		for signal in TERM KILL; do
			# shellcheck disable=SC2046 # a list
			kill -$signal $(ps -o pid= -u "$user") 2>/dev/null || true
			sleep 1
		done
		userdel "$user" 2>/dev/null || true
	fi
	discard "$run/rootless" "$data/rootless"
	rm -f "$run"/rootless.*
}

stop() {
	if [ ! -d "$run" ]; then return; fi
	prepare
	case $1 in
	docker29) docker29_clear ;;
	podman) podman_clear ;;
	podman-rootless) rootless_clear ;;
	esac
	say "$1 is stopped"
}

case "$*" in
"docker29 start") docker29_start ;;
"podman start") podman_start ;;
"podman-rootless start") rootless_start ;;
"docker29 stop" | "podman stop" | "podman-rootless stop") stop "$1" ;;
stop) for engine in podman-rootless podman docker29; do stop $engine; done ;;
*) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 64 ;;
esac

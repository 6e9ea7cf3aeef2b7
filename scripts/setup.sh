#!/usr/bin/env bash
# Brings a bare Debian or Ubuntu to where `make demo` and `make test` run. Asks
# nothing, can be run again at any time, and does only what is still missing.
#
# usage: scripts/setup.sh [engine | base | clients | compiler | sshd | nginx | mitmproxy | vm | make | stop]
#
#   engine    a Docker engine that answers: the one there is, or one installed and
#             started here, which also gets bin/runsc as its runtimes "runsc" and, for
#             containers that may connect to a socket of the host's, "runsc-broker"
#   base      a base image for image/Dockerfile; prints its name on stdout
#   clients   bin/clients: curl and Python packages that the reference image lacks, for
#             the broker's tests to mount into containers
#   compiler  gcc and the C library's headers, which `go test -race` needs
#   sshd      the SSH server's program, for the tests of remote engines; starts none
#   nginx     nginx's program, for `make bench-broker`; prints its path, starts none
#   mitmproxy mitmdump, for the same; prints its path
#   vm        what builds and runs the virtual machine of the lane vm
#   make      make itself
#   stop      ends the engine that this script started, and no other
#   (none)    engine and base
#
# exit code: 0 there, 1 failed, 3 cannot be had on this machine (not root, no apt, the
# engine does not start): a caller counts what rests on it as skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

state=/run/tightship-setup
pidfile=$state/dockerd.pid
log=$state/dockerd.log
config=$state/daemon.json
runtimes=/usr/local/lib/tightship # stable, and not under /tmp, which runsc mounts over
public_base=debian:bookworm-slim
own_base=tightship-base:bookworm

say() { echo "setup: $*" >&2; }
die() { say "$1"; say "hint: $2"; exit "${3:-1}"; }

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

updated=
install_packages() {
	say "installing Debian packages: $*"
	export DEBIAN_FRONTEND=noninteractive
	local apt=(apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
	if [ -z "$updated" ]; then
		"${apt[@]}" update >&2
		updated=1
	fi
	"${apt[@]}" install -y --no-install-recommends "$@" >&2 </dev/null
}

# known PACKAGE: apt can install it. Debian 13 split what docker.io holds in 12.
known() { apt-cache show "$1" >/dev/null 2>&1; }

### The engine

answers() { timeout 20 docker version --format '{{.Server.Version}}' 2>/dev/null; }

engine() {
	local version
	if version=$(answers); then
		say "Docker Engine $version answers"
		if ours >/dev/null; then register_runsc; fi
		return
	fi
	if [ -n "${DOCKER_HOST:-}" ]; then
		die "no engine answers at DOCKER_HOST=$DOCKER_HOST" "unset DOCKER_HOST to use an engine of this machine" 3
	fi
	if ! can_install; then
		die "no Docker engine answers, and this is not root on a machine with apt-get" \
			"start Docker, or let your user use it (group docker), or run this as root" 3
	fi
	mkdir -p "$state"
	exec 9>"$state/lock"
	flock 9
	if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
		apt-get -qq update >&2 && updated=1
		local packages=(docker.io iptables)
		for extra in docker-cli docker-buildx; do
			if known "$extra"; then packages+=("$extra"); fi
		done
		install_packages "${packages[@]}"
	fi
	if [ -d /run/systemd/system ]; then
		say "starting Docker with systemd"
		systemctl start docker
	elif ! version=$(answers); then # the package's own script may have started it
		start_dockerd
	fi
	wait_for_engine
	exec 9>&-
}

# unreaped PID: true for a process that was killed and that nobody has reaped, as
# happens where no init does: it still has a name and a number, and runs no more.
unreaped() { grep -q '^State:[[:space:]]*[ZX]' "/proc/$1/status" 2>/dev/null; }

# ours: prints the process ID of the dockerd that this script started, if it lives.
ours() {
	local pid
	pid=$(cat "$pidfile" 2>/dev/null) || return 1
	[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] || return 1
	! unreaped "$pid" || return 1
	echo "$pid"
}

start_dockerd() {
	ours >/dev/null || rm -f "$pidfile"
	# dockerd would wait in vain for the containerd of one that was killed.
	local pid containerd=/run/docker/containerd/containerd
	if pid=$(cat "$containerd.pid" 2>/dev/null) && unreaped "$pid"; then
		rm -f "$containerd".pid "$containerd".sock*
	fi
	local args=(--pidfile "$pidfile")
	# A configuration of the machine's owner stays in charge.
	if [ ! -e /etc/docker/daemon.json ]; then
		write_config
		args+=(--config-file "$config")
	fi
	say "starting dockerd (log: $log; scripts/setup.sh stop ends it)"
	(
		# Nothing of the caller's may be kept open: a pipe to it would never end.
		for fd in /proc/self/fd/*; do
			fd=${fd##*/}
			if [ "$fd" -gt 2 ]; then eval "exec $fd>&-"; fi
		done
		exec setsid nohup dockerd "${args[@]}" </dev/null >"$log" 2>&1
	) &
	started=$!
}

started= # the process ID of a dockerd that is on its way
wait_for_engine() {
	local version
	for _ in $(seq 60); do
		if version=$(answers); then
			say "Docker Engine $version answers"
			return
		fi
		if [ -n "$started" ] && ! kill -0 "$started" 2>/dev/null; then break; fi
		sleep 1
	done
	if [ -r "$log" ]; then
		say "the end of $log:"
		grep -v 'level=info' "$log" | tail -n 20 | sed 's/^/    /' >&2
	fi
	die "Docker was started and does not answer" \
		"inside a container or sandbox dockerd needs CAP_SYS_ADMIN, iptables and mounted cgroups; or point DOCKER_HOST at another engine" 3
}

write_config() {
	local content='{}'
	if [ -x bin/runsc ]; then
		mkdir -p "$runtimes"
		# Renamed into place: a sandbox may be running the old one.
		if ! cmp -s bin/runsc "$runtimes/runsc"; then
			install -m 0755 bin/runsc "$runtimes/runsc.new"
			mv "$runtimes/runsc.new" "$runtimes/runsc"
		fi
		# Without --oci-seccomp runsc ignores the system call filter it is given.
		# With --host-uds=open a container reaches the sockets that are mounted into it,
		# which is what the broker's needs and what no other should have. Since Docker 24
		# an annotation does the same for one container.
		content=$(printf '{"runtimes": {"runsc": {"path": "%s", "runtimeArgs": [%s]}, "runsc-broker": {"path": "%s", "runtimeArgs": [%s]}}}' \
			"$runtimes/runsc" '"--oci-seccomp"' "$runtimes/runsc" '"--oci-seccomp", "--host-uds=open"')
	fi
	echo "$content" >"$config"
}

# register_runsc adds a runtime built after the engine's start, or renews it.
register_runsc() {
	local before
	before=$(cat "$config" 2>/dev/null) || return 0 # the owner's configuration rules
	write_config
	if [ "$before" != "$(cat "$config")" ]; then
		kill -HUP "$(ours)"
		say "registered the runtimes runsc and runsc-broker"
	fi
}

stop() {
	local pid
	if ! pid=$(ours); then
		say "no engine to stop: none was started here"
		return
	fi
	kill -TERM "$pid"
	for _ in $(seq 60); do
		if ! ours >/dev/null; then
			say "stopped dockerd"
			return
		fi
		sleep 0.5
	done
	die "dockerd ($pid) does not stop" "see $log; a container may hang"
}

### The base image

base() {
	for image in "$public_base" "$own_base"; do
		if docker image inspect "$image" >/dev/null 2>&1; then
			echo "$image"
			return
		fi
	done
	if ! command -v mmdebstrap >/dev/null; then
		if ! can_install; then
			say "cannot make a base image here: leaving it to the engine to pull $public_base"
			echo "$public_base"
			return
		fi
		local packages=(mmdebstrap ca-certificates)
		if [ ! -e /usr/share/keyrings/debian-archive-keyring.gpg ]; then packages+=(debian-archive-keyring); fi
		install_packages "${packages[@]}"
	fi
	scripts/base-image.sh "$own_base"
	echo "$own_base"
}

### The clients

# Every client's file is as its makers published it. curl comes with its own loader and
# libraries, as the image's C library may be another one.
clients() {
	local to=bin/clients requirements=test/testdata/broker/requirements.txt file
	if ! cmp -s "$requirements" "$to/requirements.txt"; then
		if ! python3 -m pip --version >/dev/null 2>&1; then
			can_install || die "no pip" "install python3-pip" 3
			install_packages python3-pip
		fi
		rm -rf "$to/python"
		python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --require-hashes \
			--only-binary :all: --implementation cp --python-version 3.11 --target "$to/python" -r "$requirements" >&2
		cp "$requirements" "$to/"
	fi
	if [ -x "$to/curl/curl" ]; then return; fi
	if ! type -P curl >/dev/null; then
		can_install || die "no curl" "install curl" 3
		install_packages curl
	fi
	rm -rf "$to/curl"
	mkdir -p "$to/curl/lib"
	while read -r file; do
		case $file in
		*/ld-linux*) cp -L "$file" "$to/curl/loader" ;;
		*) cp -L "$file" "$to/curl/lib/" ;;
		esac
	done < <(ldd "$(type -P curl)" | grep -o '/[^ ]*')
	cp -L "$(type -P curl)" "$to/curl/curl"
}

### The compiler

compiler() {
	if echo '#include <stdlib.h>' | "${CC:-gcc}" -E -x c - >/dev/null 2>&1; then return; fi
	can_install || die "no C compiler" "install gcc and libc6-dev" 3
	install_packages gcc libc6-dev
}

### Servers of which only the program is wanted

# can_install_idle: apt can install a server without one for everybody being started,
# now or at the next boot, as the package does where systemd runs.
can_install_idle() { [ ! -d /run/systemd/system ] && can_install; }

# install_idle PACKAGE...: with nothing started by other init systems either.
install_idle() {
	local policy=/usr/sbin/policy-rc.d own=
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod +x $policy
		own=1
	fi
	install_packages "$@" || { [ -z "$own" ] || rm -f $policy; exit 1; }
	if [ -n "$own" ]; then rm -f $policy; fi
}

sshd() {
	if [ -x /usr/sbin/sshd ] && type -P ssh ssh-keygen >/dev/null; then return; fi
	can_install_idle || die "no SSH server's program" "install openssh-server and openssh-client" 3
	install_idle openssh-server openssh-client
}

nginx() {
	if ! PATH=$PATH:/usr/sbin type -P nginx; then
		can_install_idle || die "nginx is not installed" "install nginx-light" 3
		install_idle nginx-light
		PATH=$PATH:/usr/sbin type -P nginx
	fi
}

### mitmproxy

# Where Debian has none (or no longer), PyPI's goes into an environment of its own.
mitmproxy() {
	local venv=${XDG_CACHE_HOME:-$HOME/.cache}/tightship/mitmproxy
	if type -P mitmdump; then return; fi
	if [ -x "$venv/bin/mitmdump" ]; then echo "$venv/bin/mitmdump"; return; fi
	if can_install; then
		apt-get -qq update >&2 && updated=1
		if known mitmproxy; then
			install_packages mitmproxy
			type -P mitmdump
			return
		fi
		if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then install_packages python3-venv; fi
	fi
	say "installing mitmproxy from PyPI into $venv"
	if ! python3 -m venv "$venv" >&2 || ! "$venv/bin/pip" --quiet install mitmproxy >&2; then
		rm -rf "$venv"
		die "mitmproxy cannot be installed" "install it so that mitmdump is on the PATH" 3
	fi
	echo "$venv/bin/mitmdump"
}

### The virtual machine

vm() {
	local needed=(qemu-system-x86_64 qemu-img mmdebstrap mke2fs debugfs python3)
	if [ "$(uname -m)" != x86_64 ]; then
		die "the virtual machine is an x86_64 one, and so must be what runs in it" "run the lane on such a machine" 3
	fi
	if [ "$(id -u)" != 0 ]; then die "building the virtual machine needs root" "run this as root" 3; fi
	if type -P "${needed[@]}" >/dev/null; then return; fi
	can_install || die "not all of these are installed: ${needed[*]}" "install QEMU, mmdebstrap, e2fsprogs and Python 3" 3
	install_packages qemu-system-x86 qemu-utils mmdebstrap e2fsprogs python3-minimal
}

### What drives all this

make() {
	if type -P make >/dev/null; then return; fi
	can_install || die "make is not installed" "install make" 3
	install_packages make
}

case ${1:-all} in
all) engine; base >/dev/null ;;
engine | base | clients | compiler | sshd | nginx | mitmproxy | vm | make | stop) "$1" ;;
*) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 64 ;;
esac

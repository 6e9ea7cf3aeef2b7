#!/bin/bash
# Inside the virtual machine: what tightship must say on cgroup v2 with AppArmor. Each
# line of output is a case and what came of it; $OUT keeps the reports.
#
# exit code: 0 every case held, 1 otherwise
set -uo pipefail
export PATH=/share/bin:$PATH
mkdir -p /srv/vm/workspace
chmod 755 /srv/vm
cd /srv/vm || exit 1
chown 1000:100 workspace
cp /root/small.tar .
chmod 644 small.tar

failures=0
ok() { echo "ok      $1"; }
failed() {
	echo "FAILED  $1: $2"
	failures=$((failures + 1))
}

# policy FILE [LINE...]: a policy for an image without accounts and tools.
policy() {
	local file=$1
	shift
	printf '%s\n' 'user: {name: ""}' \
		'environment: {commands: [], python_packages: [], git: {user.name: "", user.email: "", noninteractive: false}}' "$@" >"$file"
	chmod 644 "$file"
}

# judges NAME CODE "CHECK..." COMMAND...: a verification ends with this exit code, and
# exactly these checks (stack.combined aside, which sums up) do not hold. The machine is
# emulated and slow, and a verdict must not come of that: no case has a short limit.
judges() {
	local name=$1 code=$2 want=$3 got bad
	shift 3
	timeout 1200 "$@" --timeout 20m --quiet -o json="$OUT/$name.json" >"$OUT/$name.out" 2>&1
	got=$?
	bad=$(jq -r '[.results[0].checks[] | select(.verdict != "pass" and .verdict != "not-applicable" and .id != "stack.combined") | .id] | sort | join(" ")' "$OUT/$name.json" 2>&1)
	if [ $got != "$code" ]; then
		failed "$name" "exit code $got, want $code; not held: $bad; $(tail -n 3 "$OUT/$name.out" | tr '\n' ' ')"
	elif [ "$bad" != "$want" ]; then
		failed "$name" "not held: \"$bad\", want \"$want\""
	else
		ok "$name"
	fi
}

# holds NAME FILTER: a jq filter is true of the report of that case.
holds() {
	if [ "$(jq "$2" "$OUT/$1.json" 2>&1)" = true ]; then ok "$1: $2"; else failed "$1" "not so: $2"; fi
}

# same NAME WANT HAVE
same() { if [ "$2" = "$3" ]; then ok "$1"; else failed "$1" "$3, want $2"; fi; }

# The machine is what these cases are about.
same machine.cgroup2fs cgroup2fs "$(stat -fc %T /sys/fs/cgroup)"
same machine.docker "2 systemd" "$(docker info -f '{{.CgroupVersion}} {{.CgroupDriver}}')"
same machine.apparmor 'docker-default (enforce)' "$(docker run --rm small cat /proc/self/attr/current)"

tightship doctor -o json >"$OUT/doctor.json"
same doctor 0 $?

for id in machine.cgroups machine.lsm; do
	same "doctor.$id" ok "$(jq -r --arg id $id '.results[0].findings[] | select(.id == $id) | .level' "$OUT/doctor.json")"
done

# Docker and runc: proven, each limit with the kernel's own word.
policy default.yaml
judges docker 0 "" tightship verify small --policy default.yaml
holds docker '.results[0].subject | .cgroup == "v2" and .lsm == "apparmor"'
holds docker '[.results[0].checks[] | select(.id | startswith("limits.")) | .kernel] == ["100", "2 GiB", "memory 2 GiB, memory+swap 2 GiB", "2 CPUs", "1024", "core soft 0, hard 0"]'
holds docker '[.results[0].checks[] | select(.id == ("limits.pids", "limits.memory", "limits.cpu")) | .observed | test("kernel.s count of .* moved")] == [true, true, true]'

# A limit that is gone: exactly its checks.
for limit in memory swap pids cpus; do
	policy $limit.yaml "limits: {$limit: unlimited}"
	want=limits.$limit
	case $limit in
	memory) want="limits.memory limits.swap" ;;
	cpus) want=limits.cpu ;;
	esac
	judges "docker-$limit" 1 "$want" tightship verify small --policy $limit.yaml
	judges "daemonless-$limit" 1 "$want" tightship verify --engine oci --runtime runc docker-archive:small.tar --policy $limit.yaml --only 'limits.*'
done

# The checks can fail here, too: those that rest on what this machine has otherwise.
timeout 1800 tightship prove small --policy default.yaml --parallel 2 --timeout 20m --quiet -o json="$OUT/prove.json" \
	--mutation rootfs.writable,tmpfs.exec,caps.SYS_ADMIN,seccomp.unconfined,nnp.off,memory.unlimited,swap.unlimited,pids.unlimited,cpus.unlimited \
	--mutation ns.pid-host,ns.cgroup-host,systempaths.unconfined,mount.host-cgroup,mount.host-sys,network.bridge >"$OUT/prove.out" 2>&1
same prove 0 $?
same prove.summary 15/15/0 "$(jq -r '.results[0].summary | "\(.killed)/\(.mutants)/\(.cross_talk)"' "$OUT/prove.json")"

# A container that runs: as it was made, and after its cgroup was changed from outside.
tightship seccomp show >profile.json
docker run -d --name agent --read-only --tmpfs /tmp:rw,noexec,nosuid,nodev,size=2g \
	--volume "$PWD/workspace:/home/claude-agent/workspace" --user 1000:100 \
	--memory 2g --memory-swap 2g --cpus 2 --pids-limit 100 --ulimit nofile=1024:1024 --ulimit core=0 \
	--cap-drop ALL --security-opt no-new-privileges --security-opt seccomp=profile.json --network none \
	--sysctl net.ipv4.ip_unprivileged_port_start=1024 small sleep 100000 >/dev/null
judges container 0 "" tightship verify --container agent
holds container '[.results[0].checks[] | select(.id | startswith("drift.")) | .verdict] == ["pass", "pass", "pass", "pass", "pass"]'
cgroup=/sys/fs/cgroup/system.slice/docker-$(docker inspect -f '{{.Id}}' agent).scope
while read -r file value; do
	before=$(cat "$cgroup/$file")
	echo "$value" >"$cgroup/$file"
	judges "container-$file" 1 drift.limits tightship verify --container agent --only 'drift.*'
	echo "$before" >"$cgroup/$file"
done <<-'RAISED'
	memory.max 4294967296
	memory.swap.max 1073741824
	pids.max max
	cpu.max 300000 100000
RAISED
docker rm -f agent >/dev/null
# Memory alone: as much swap again comes on top.
docker create --name swapping --read-only --tmpfs /tmp:rw,noexec,nosuid,nodev,size=2g \
	--volume "$PWD/workspace:/home/claude-agent/workspace" --user 1000:100 \
	--memory 2g --cpus 2 --pids-limit 100 --ulimit nofile=1024:1024 --ulimit core=0 \
	--cap-drop ALL --security-opt no-new-privileges --security-opt seccomp=profile.json --network none \
	--sysctl net.ipv4.ip_unprivileged_port_start=1024 small sleep 100000 >/dev/null
judges container-swapping 1 limits.swap tightship verify --container swapping --only 'limits.*'
docker rm -f swapping >/dev/null

# Without a daemon.
judges daemonless 0 "" tightship verify --engine oci --runtime runc docker-archive:small.tar --policy default.yaml
# crun refuses hosts with both cgroup versions, so that this is where it can be tried.
judges daemonless-crun 0 "" tightship verify --engine oci --runtime crun docker-archive:small.tar --policy default.yaml
if type -P runsc >/dev/null; then
	# gVisor has no ip_unprivileged_port_start.
	judges sandbox 1 user.no-privileged-port tightship verify small --runtime runsc --policy default.yaml
	judges daemonless-sandbox 1 user.no-privileged-port tightship verify --engine oci --runtime runsc docker-archive:small.tar --policy default.yaml
	# An ordinary user: without limits, which is said, and never proven.
	as-tester tightship doctor -o json >"$OUT/doctor-tester.json"
	same doctor-tester.delegated 'v2; cpu, memory and pids are delegated to you' \
		"$(jq -r '.results[0].findings[] | select(.id == "machine.cgroups") | .detail' "$OUT/doctor-tester.json")"
	judges tester 1 "limits.cpu limits.memory limits.pids limits.swap user.no-escalation user.no-privileged-port" \
		as-tester tightship verify --engine oci --runtime runsc docker-archive:/srv/vm/small.tar --policy /srv/vm/default.yaml
else
	echo "SKIPPED gVisor: bin/runsc was not built (make build)"
fi

# Podman for an ordinary user. It drops the ulimits (4.3), and nothing else: the other
# limits are enforced by the cgroup that systemd gives that user. No AppArmor, which
# kernel.lsm says.
as-tester podman load --quiet --input /srv/vm/small.tar
as-tester bash -c 'podman system service --time 0 unix:///run/user/1000/podman.sock >/out/podman.log 2>&1 & echo $! >/out/podman.pid'
for _ in $(seq 120); do
	if [ -S /run/user/1000/podman.sock ]; then break; fi
	sleep 0.5
done
policy podman.yaml 'runtime: ""' 'workspace: {mode: none}'
policy podman-memory.yaml 'runtime: ""' 'workspace: {mode: none}' 'limits: {memory: unlimited}'
judges podman-rootless 1 "kernel.lsm limits.core limits.nofile" \
	as-tester env DOCKER_HOST=unix:///run/user/1000/podman.sock tightship verify small --policy /srv/vm/podman.yaml
holds podman-rootless '.results[0].subject | .cgroup == "v2" and .engine == "podman"'
holds podman-rootless '[.results[0].checks[] | select(.id == ("limits.pids", "limits.memory", "limits.cpu")) | .kernel] == ["100", "2 GiB", "2 CPUs"]'
judges podman-memory 1 "limits.memory limits.swap" \
	as-tester env DOCKER_HOST=unix:///run/user/1000/podman.sock tightship verify small --policy /srv/vm/podman-memory.yaml --only limits.memory,limits.swap,limits.pids,limits.cpu
same podman.clean '' "$(as-tester podman ps -aq; as-tester podman volume ls -q)"
kill "$(cat "$OUT/podman.pid")"

# Nothing is left behind.
same clean 'nothing to remove' "$(tightship clean --engine oci)"
same clean.docker '' "$(docker ps -aq; docker volume ls -q)"
same clean.cgroups '' "$(find /sys/fs/cgroup -name '*tightship*')"

echo "$failures failed"
[ $failures = 0 ]

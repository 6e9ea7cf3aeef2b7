#!/usr/bin/env bash
# What `make bench` measures verify against: the same 28 behaviours as a plain
# script would test them, each in a `docker run` of its own, with the same
# protections. It is a yardstick for time only: most of these tests also pass
# with the protections off, which is why they were replaced.
#
# usage: plain.sh IMAGE
set -uo pipefail
image=$1
flags=(--rm --read-only --tmpfs /tmp:rw,noexec,nosuid,nodev,size=2g --user 1000:100 --cap-drop ALL
	--security-opt no-new-privileges --network none --memory 2g --memory-swap 2g --cpus 2 --pids-limit 100
	--ulimit nofile=1024:1024 --ulimit core=0 --sysctl net.ipv4.ip_unprivileged_port_start=1024 --entrypoint "")
failed=0

# passes COMMAND...: it must succeed inside.  fails COMMAND...: it must not.
passes() { docker run "${flags[@]}" "$image" "$@" >/dev/null 2>&1 || { failed=$((failed + 1)); echo "plain: $*" >&2; }; }
fails() { if docker run "${flags[@]}" "$image" "$@" >/dev/null 2>&1; then failed=$((failed + 1)); echo "plain: $*" >&2; fi; }

fails touch /x
fails touch /usr/x
fails touch /var/x
passes sh -c 'echo x > /tmp/x && cat /tmp/x'
fails sh -c 'cp /bin/true /tmp/x && chmod +x /tmp/x && /tmp/x'
passes sh -c 'test -d "$HOME"'
passes sh -c 'test "$(id -u)" != 0'
passes sh -c 'test "$(id -u):$(id -g)" = 1000:100'
fails sudo -n true
fails python3 -c 'import socket; socket.socket().bind(("127.0.0.1", 80))'
passes python3 -c 'import socket; socket.socket().bind(("127.0.0.1", 8080))'
fails python3 -c 'import os
for i in range(120):
    if os.fork() == 0: os.execvp("sleep", ["sleep", "1"])'
fails python3 -c 'b = bytearray(2200 << 20)
for i in range(0, len(b), 4096): b[i] = 1'
passes sh -c 'test "$(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cut -d" " -f1 /sys/fs/cgroup/cpu.max)" = 200000'
passes grep -q 'CapBnd:.*0000000000000000' /proc/self/status
fails python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)'
passes grep -q 'NoNewPrivs:.*1' /proc/self/status
passes sh -c 'cp /bin/true /tmp/x && chmod u+s /tmp/x; ! /tmp/x'
passes true
passes python3.11 --version
passes node --version
passes npm --version
passes git --version
passes claude --version
passes python3 -c 'import anthropic, requests, github'
passes sh -c 'git config --get user.name && git config --get user.email'
passes sh -c '! env | grep -qE "_(KEY|TOKEN|SECRET|PASSWORD)="'
passes sh -c '! touch /x 2>/dev/null && test "$(id -u)" != 0 && grep -q "NoNewPrivs:.*1" /proc/self/status'
exit $((failed > 0))

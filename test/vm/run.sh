#!/usr/bin/env bash
# Runs a command in the virtual machine that build.sh made: QEMU, emulated, without
# network. It needs no privilege.
#
# usage: test/vm/run.sh SUITE SHARE COMMAND [OUT]
#        test/vm/run.sh SUITE --prepare
#
# SHARE is a directory that is copied in as /share, where COMMAND runs as root under
# bash; what it changes there is discarded. What it leaves in $OUT comes back in OUT/out,
# beside code, stdout, stderr and console.log. --prepare starts the machine once and
# saves its state.
#
# env: TIGHTSHIP_VM          where the machines are (~/.cache/tightship-vm)
#      TIGHTSHIP_VM_TIMEOUT  seconds until it is killed (3600)
#
# exit code: the command's; 125 where the machine gave none
set -uo pipefail
suite=${1:?suite} share=${2:?share} command=${3:-} out=${4:-}
vm=${TIGHTSHIP_VM:-$HOME/.cache/tightship-vm}/$suite
memory=4096 cores=2 megabytes=1024
work=$(mktemp -d "${TMPDIR:-/tmp}/tightship-vm.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 125' INT TERM
arguments="root=/dev/vda rw console=ttyS0 quiet loglevel=3 apparmor=1 security=apparmor systemd.unified_cgroup_hierarchy=1 mitigations=off audit=0 no_timer_check vm.warm"

# qemu ROOT-DRIVE ARGUMENT...
qemu() {
	local root=$1
	shift
	timeout --signal=KILL "${TIGHTSHIP_VM_TIMEOUT:-3600}" qemu-system-x86_64 -accel tcg,thread=multi -machine pc-q35-7.2 -cpu max \
		-smp $cores -m $memory -nodefaults -display none -no-reboot -nic none \
		-kernel "$vm/vmlinuz" -initrd "$vm/initrd.img" -append "$arguments" \
		-drive if=none,id=root,cache=unsafe,"$root" -device virtio-blk-pci,drive=root,serial=vmroot \
		-drive if=none,id=in,file="$work/in.img",format=raw,cache=unsafe -device virtio-blk-pci,drive=in,serial=vmin \
		-drive if=none,id=out,file="$work/out.img",format=raw,cache=unsafe -device virtio-blk-pci,drive=out,serial=vmout \
		-serial file:"$work/console.log" "$@" </dev/null
}

truncate -s "${megabytes}M" "$work/in.img"
truncate -s 1G "$work/out.img"
: >"$work/console.log"

if [ "$share" = --prepare ]; then
	rm -f "$vm/ready.qcow2" "$vm/state"
	qemu-img create -q -f qcow2 -b "$vm/base.img" -F raw "$vm/ready.qcow2"
	TIGHTSHIP_VM_TIMEOUT=900 qemu file="$vm/ready.qcow2",format=qcow2 -serial file:"$vm/warm.log" -qmp unix:"$work/qmp",server=on,wait=off &
	python3 - "$work" "$vm" <<'PYTHON'
import json, re, socket, sys, time
work, vm = sys.argv[1:]
end = time.time() + 800
while not (warm := re.search(r'VM-WARM (\d+)', open(work + '/console.log', errors='replace').read())):
    if time.time() > end:
        sys.exit('the virtual machine did not get ready: see ' + vm + '/warm.log')
    time.sleep(.2)
if warm.group(1) != '0':
    sys.exit('the warm-up failed: see ' + vm + '/warm.log')
time.sleep(1)
s = socket.socket(socket.AF_UNIX)
s.connect(work + '/qmp')
lines = s.makefile('rw')
def call(name, **arguments):
    lines.write(json.dumps({'execute': name, 'arguments': arguments}) + '\n')
    lines.flush()
    while True:
        answer = json.loads(lines.readline())
        if 'error' in answer:
            sys.exit(str(answer))
        if 'return' in answer:
            return answer['return']
lines.readline()
call('qmp_capabilities')
call('migrate-set-parameters', **{'max-bandwidth': 1 << 40})
call('migrate', uri='exec:cat > %s/state.tmp' % vm)
while (status := call('query-migrate').get('status')) not in ('completed', 'failed'):
    time.sleep(.1)
call('quit')
sys.exit(status != 'completed')
PYTHON
	code=$?
	if [ $code != 0 ]; then
		kill $! 2>/dev/null
		exit 125
	fi
	wait
	mv "$vm/state.tmp" "$vm/state"
	exit 0
fi

mkdir "$work/.vm"
printf '%s\n' "$command" >"$work/.vm/command"
date +%s >"$work/.vm/epoch"
mke2fs -q -F -t ext4 -O ^has_journal -m 0 -E root_owner=0:0 -d "$share" "$work/in.img" || exit 125
printf 'mkdir .vm\nwrite %s/.vm/command .vm/command\nwrite %s/.vm/epoch .vm/epoch\n' "$work" "$work" | debugfs -w -f - "$work/in.img" >/dev/null 2>&1

qemu file="$vm/ready.qcow2",format=qcow2,snapshot=on -serial stdio -incoming "exec:cat '$vm/state'"
code=$?
mkdir "$work/result"
tar -C "$work/result" --no-same-owner -xf "$work/out.img" 2>/dev/null
if [ -n "$out" ]; then
	mkdir -p "$out"
	cp -a "$work/result/." "$work/console.log" "$out/"
fi
if [ -s "$work/result/code" ]; then exit "$(cat "$work/result/code")"; fi
echo "run.sh: the virtual machine gave no exit code (QEMU's is $code); the end of its console:" >&2
tail -c 2000 "$work/console.log" >&2
exit 125

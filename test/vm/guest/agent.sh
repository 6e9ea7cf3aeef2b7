#!/bin/bash
# Inside the virtual machine: waits for the disk with the command, runs it, writes exit
# code, output and /out to another disk, and powers off.
export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# disk SERIAL: the device with this serial number.
disk() {
	local d
	for d in /sys/block/vd*; do
		if [ "$(cat "$d/serial" 2>/dev/null)" = "$1" ]; then echo "/dev/${d##*/}"; return; fi
	done
	return 1
}

mkdir -p /share /out /run/vm
chmod 1777 /out
stty -F /dev/ttyS1 raw -echo 2>/dev/null
if grep -qw vm.warm /proc/cmdline; then
	vm-warm >/dev/ttyS1 2>&1
	code=$?
	sync
	echo "VM-WARM $code" >/dev/ttyS0
fi
# Here the state is saved: the disk is blank then, and is not when it goes on.
in=$(disk vmin)
until mount -o rw,noatime "$in" /share 2>/dev/null; do sleep 0.1; done
date -s "@$(cat /share/.vm/epoch)" >/dev/null
export OUT=/out
cd /share || exit 1
bash /share/.vm/command </dev/null > >(tee /run/vm/stdout >/dev/ttyS1) 2> >(tee /run/vm/stderr >/dev/ttyS1)
code=$?
sleep 0.2 # for the two tees
echo $code >/run/vm/code
cp -a /out /run/vm/out
tar -C /run/vm -cf "$(disk vmout)" code stdout stderr out
sync
poweroff -ff

#!/usr/bin/env bash
# Builds the virtual machine of the lane `vm`: a Debian with systemd, cgroup v2,
# AppArmor, Docker and runc, as a disk, a kernel and the state of its memory after a
# warm-up, from which run.sh goes on in seconds.
#
# usage: test/vm/build.sh [SUITE]      a Debian suite: bookworm (the default), trixie
#
# It needs root, the packages that scripts/setup.sh vm installs, Debian's package
# archive and about 4 GB below TIGHTSHIP_VM (~/.cache/tightship-vm), and takes two to
# four minutes. Nothing of it needs /dev/kvm or a network.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
suite=${1:-bookworm}
dir=${TIGHTSHIP_VM:-$HOME/.cache/tightship-vm}/$suite
root=$dir/root
runsc=$here/../../bin/runsc

packages=systemd-sysv,dbus,dbus-user-session,libpam-systemd,linux-image-cloud-amd64,kmod,udev,iproute2,procps,iptables,docker.io,containerd,runc,uidmap,apparmor,podman,crun,ca-certificates,jq,busybox-static
# Debian 13 took the command out of docker.io, and wants this to verify signatures.
if [ "$suite" = trixie ]; then packages+=,docker-cli,sqv; fi

mkdir -p "$dir"
rm -rf "$root" "$dir"/{ready.qcow2,state,settings,stamp}

# An initrd with nothing but what this machine's disks need starts sooner.
# shellcheck disable=SC2016 # mmdebstrap's shell expands $1
mmdebstrap --mode=root --variant=minbase --aptopt='APT::Install-Recommends "false"' --include=$packages \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
	--essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"
		printf "MODULES=list\nCOMPRESS=zstd\n" >"$1/etc/initramfs-tools/conf.d/vm"
		printf "virtio_pci\nvirtio_blk\next4\n" >"$1/etc/initramfs-tools/modules"' \
	"$suite" "$root"

install -m755 "$here/guest/agent.sh" "$root/usr/local/sbin/vm-agent"
install -m755 "$here/guest/warm.sh" "$root/usr/local/sbin/vm-warm"
install -m755 "$here/guest/as-tester.sh" "$root/usr/local/bin/as-tester"
if [ -x "$runsc" ]; then install -m755 "$runsc" "$root/usr/local/bin/runsc"; fi

units=$root/etc/systemd/system
cat >"$units/vm-agent.service" <<'UNIT'
[Unit]
Description=Runs the command that the disk brings, and powers off
After=basic.target dbus.socket systemd-logind.service apparmor.service
Wants=systemd-logind.service
[Service]
ExecStart=/usr/local/sbin/vm-agent
KillMode=process
[Install]
WantedBy=multi-user.target
UNIT
mkdir -p "$units/multi-user.target.wants"
ln -sf /etc/systemd/system/vm-agent.service "$units/multi-user.target.wants/"
# What is not needed costs seconds in an emulated machine. Docker is started once,
# during the warm-up.
rm -f "$units"/multi-user.target.wants/{docker,containerd}.service "$units"/timers.target.wants/*
for unit in getty@tty1.service serial-getty@ttyS0.service systemd-timesyncd.service systemd-networkd.service \
	e2scrub_reap.service fstrim.timer apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer systemd-pstore.service \
	modprobe@drm.service modprobe@efi_pstore.service dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount \
	sys-kernel-tracing.mount systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-random-seed.service \
	systemd-journal-flush.service; do
	ln -sf /dev/null "$units/$unit"
done

mkdir -p "$root/etc/docker"
echo '{"runtimes": {"runsc": {"path": "/usr/local/bin/runsc", "runtimeArgs": ["--oci-seccomp"]}}}' >"$root/etc/docker/daemon.json"
echo tightship-vm >"$root/etc/hostname"
echo '127.0.0.1 localhost tightship-vm' >"$root/etc/hosts"
echo '/dev/vda / ext4 defaults,noatime 0 1' >"$root/etc/fstab"
printf 'overlay\n' >"$root/etc/modules-load.d/vm.conf"
chroot "$root" useradd -m -s /bin/bash -u 1000 tester
grep -q ^tester: "$root/etc/subuid" || echo tester:100000:65536 >>"$root/etc/subuid"
grep -q ^tester: "$root/etc/subgid" || echo tester:100000:65536 >>"$root/etc/subgid"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*

cp "$root"/boot/vmlinuz-* "$dir/vmlinuz"
cp "$root"/boot/initrd.img-* "$dir/initrd.img"
rm -f "$dir/base.img"
truncate -s 6G "$dir/base.img"
mke2fs -q -t ext4 -O ^has_journal -m 0 -d "$root" "$dir/base.img"
rm -rf "$root"
"$here/run.sh" "$suite" --prepare
# What it was built from: scripts/test.sh builds it again when that changes.
"$here/stamp.sh" >"$dir/stamp"

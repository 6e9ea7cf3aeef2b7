#!/bin/bash
# Inside the virtual machine, before its state is saved: Docker runs and has the image
# `small` (busybox, without an account for uid 1000), and tester is logged in.
set -eux
systemctl start docker
root=$(mktemp -d)
chmod 755 "$root" # becomes the mode of / without a daemon, where Docker 20.10 ignores it
mkdir -p "$root"/{bin,etc,tmp,proc,sys,dev,root,usr/bin,var}
chmod 1777 "$root/tmp"
cp /bin/busybox "$root/bin/"
for name in sh sleep true id cat ls; do ln -s busybox "$root/bin/$name"; done
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
tar -C "$root" -c . | docker import - small
docker save -o /root/small.tar small
docker run --rm --network none small true
systemctl start user@1000

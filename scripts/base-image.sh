#!/usr/bin/env bash
# Makes a base image for image/Dockerfile out of Debian packages, for machines
# that reach a Debian mirror but no image registry. Needs root and mmdebstrap
# (scripts/setup.sh installs it). Does nothing when the image is already there.
#
# usage: scripts/base-image.sh [--force] [TAG]
#
#   TAG               default tightship-base:bookworm
#   TIGHTSHIP_MIRROR  a Debian mirror, default http://deb.debian.org/debian;
#                     packages are verified by apt's signatures either way
#
# With SOURCE_DATE_EPOCH set, the same packages give the same tar.
set -euo pipefail

suite=bookworm # its python3 is 3.11, which the agent image promises
tag=tightship-base:$suite
force=
for arg in "$@"; do
	case $arg in
	--force) force=1 ;;
	-h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
	-*) echo "base-image: unknown option $arg" >&2; exit 64 ;;
	*) tag=$arg ;;
	esac
done

if [ -z "$force" ] && docker image inspect "$tag" >/dev/null 2>&1; then
	echo "base-image: $tag is already there" >&2
	exit 0
fi
docker version >/dev/null # fails, and says why, before a minute's work is lost
if ! command -v mmdebstrap >/dev/null; then
	echo "base-image: mmdebstrap is not installed" >&2
	echo "base-image: hint: apt-get install mmdebstrap, or build from a registry's base: tightship image build --base debian:bookworm-slim" >&2
	exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mirror=${TIGHTSHIP_MIRROR:-http://deb.debian.org/debian}
# shellcheck disable=SC2016 # the hooks' $1 is mmdebstrap's
opts=(--quiet --variant=minbase --include=ca-certificates
	# mmdebstrap lends the chroot this machine's name and resolver: not ours to ship.
	--customize-hook='rm -f "$1/etc/hostname" "$1/etc/resolv.conf"')
# An HTTPS mirror may sit behind a company's proxy: trust what this machine
# trusts while packages are fetched, but leave no trace of it in the image.
ca=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
if [ -r "$ca" ]; then
	# shellcheck disable=SC2016
	opts+=(--aptopt="Acquire::https::CAInfo \"$ca\""
		--customize-hook='rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap"')
fi
# What debian:bookworm-slim leaves out. dpkg keeps these rules in the image, so
# that later packages obey them too; licences stay.
for dir in doc info linda lintian locale man; do
	opts+=(--dpkgopt="path-exclude=/usr/share/$dir/*")
done
opts+=(--dpkgopt='path-include=/usr/share/doc/*/copyright')

echo "base-image: making $tag out of Debian $suite packages from $mirror (about a minute)" >&2
mmdebstrap "${opts[@]}" "$suite" "$work/rootfs.tar" \
	"deb $mirror $suite main" \
	"deb $mirror $suite-updates main" \
	"deb ${mirror%/debian}/debian-security $suite-security main"

docker import \
	--change 'CMD ["/bin/bash"]' \
	--message "Debian $suite minbase, made by scripts/base-image.sh" \
	"$work/rootfs.tar" "$tag" >/dev/null
echo "base-image: $tag is ready" >&2

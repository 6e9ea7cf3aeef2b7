#!/usr/bin/env bash
# The main job, shown on whatever this machine has. With a Docker engine, or where
# scripts/setup.sh can get one: builds the reference agent image and proves it
# tight. Without: verifies a root file system of this machine's own folders with
# the engine that needs neither daemon nor root.
#
# usage: scripts/demo.sh [IMAGE]      default tightship-agent:latest
#
# exit code: with Docker the verification's; without, 0 when it reached a verdict,
# as an ordinary user's machine cannot enforce all that is asked for.
set -euo pipefail
cd "$(dirname "$0")/.."

image=${1:-tightship-agent:latest}
say() { echo "demo: $*" >&2; }

if scripts/setup.sh engine; then
	make --no-print-directory image IMAGE="$image"
	exec bin/tightship verify "$image"
fi
if [ -n "${DOCKER_HOST:-}" ]; then exit 3; fi # whoever set it means that engine

say "no Docker engine to be had: the engine oci runs the containers instead"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What must still work inside is what this machine has in its system folders; a
# home, with whatever is installed there, is not shown to the container.
commands=
for program in python3 node npm git claude; do
	found=$(PATH=/usr/local/bin:/usr/bin:/bin type -P "$program" || true)
	if [ -n "$found" ] && [[ $(readlink -f "$found") == /usr/* ]]; then
		commands+="${commands:+, }{run: [$program, --version], expect: '\d+\.\d+'}"
		say "verifying that $program works inside"
	else
		say "leaving out $program: this machine has none in its system folders"
	fi
done
cat >"$work/tightship.yaml" <<YAML
version: 1
# This machine's passwd is not shown, so the agent's user has no name.
user: {name: ""}
workspace: {source: $work}
environment:
  commands: [$commands]
  python_packages: []
  git: {user.name: "", user.email: "", noninteractive: false}
YAML

code=0
bin/tightship verify --engine oci --rootfs host --policy "$work/tightship.yaml" || code=$?
case $code in
0) say "PROVEN: everything held on this machine" ;;
1 | 2)
	say "the verification did its job: above is what this machine could not hold or show."
	if [ "$(id -u)" != 0 ]; then
		say "As an ordinary user no cgroup can be set, so memory, swap, CPU and process limits are not"
		say "handed over and count as broken; what gVisor does otherwise than Linux is named with it."
	fi
	say "hint: run this as root, or with Docker, for all of it"
	;;
*) exit "$code" ;;
esac

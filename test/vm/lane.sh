#!/usr/bin/env bash
# The lane `vm`: builds the virtual machine where it is missing or old, and runs
# cases.sh in it with the programs of this tree.
#
# usage: test/vm/lane.sh [SUITE]
#
# exit code: 0 every case held, 1 otherwise, 3 no machine could be built here
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
suite=${1:-bookworm}
vm=${TIGHTSHIP_VM:-$HOME/.cache/tightship-vm}

make --no-print-directory build || exit 1
if [ "$(test/vm/stamp.sh)" != "$(cat "$vm/$suite/stamp" 2>/dev/null)" ]; then
	test/vm/build.sh "$suite" || exit 3
fi
share=$(mktemp -d)
trap 'rm -rf "$share"' EXIT
chmod 755 "$share" # an ordinary user runs the programs, too
mkdir "$share/bin"
cp bin/tightship bin/tightship-guest "$share/bin/"
cp test/vm/cases.sh "$share/"
if [ -x bin/runsc ]; then cp bin/runsc "$share/bin/"; fi
rm -rf "$vm/$suite/last"
test/vm/run.sh "$suite" "$share" 'bash /share/cases.sh' "$vm/$suite/last"
code=$?
if [ $code != 0 ]; then
	echo "the reports are in $vm/$suite/last" >&2
	exit 1
fi

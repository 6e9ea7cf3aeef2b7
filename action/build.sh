#!/usr/bin/env bash
# Builds the programs from the action's own checkout, so that what runs is the commit
# that the workflow names. For action.yml.
#
# environment: SOURCE         the checkout
#              GITHUB_OUTPUT  gets tightship=PROGRAM
set -euo pipefail

for tool in go make; do
	if ! command -v "$tool" >/dev/null; then
		echo "::error title=Tightship::$tool is not on PATH, and tightship is built on the runner"
		exit 3
	fi
done
SOURCE=$(cd "$SOURCE" && pwd)
make --no-print-directory -C "$SOURCE" programs
echo "tightship=$SOURCE/bin/tightship" >>"$GITHUB_OUTPUT"

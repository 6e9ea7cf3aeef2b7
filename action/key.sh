#!/usr/bin/env bash
# Puts a signing key where tightship can read it and nobody else. Without a key, as on
# a pull request from a fork, it says so and there will be no receipt.
#
# environment: KEY                        the key's text, may be empty
#              RUNNER_TEMP GITHUB_OUTPUT  gets file=FILE
set -euo pipefail

if [ -z "${KEY:-}" ]; then
	echo "::notice title=Tightship::no key is set, so there will be no signed receipt"
	exit 0
fi
file=$(mktemp "$RUNNER_TEMP/tightship-key.XXXXXX")
printf '%s\n' "$KEY" >"$file"
echo "file=$file" >>"$GITHUB_OUTPUT"

#!/usr/bin/env bash
# Prints what tells one build of the virtual machine from another: a digest of what
# goes into it.
set -euo pipefail
cd "$(dirname "$0")"
files=(build.sh guest/*)
if [ -e ../../bin/runsc ]; then files+=(../../bin/runsc); fi
sha256sum "${files[@]}" | sha256sum | cut -d' ' -f1

#!/bin/sh
# Moves what `npm ci` installed to where `npm install --global` would have put it,
# under /stage, so that npm, scanners and people find it in the usual place.
#
# No package's install script ran. The one that matters, Claude Code's, puts the
# native binary in the place of a stub; the first link does that.
set -eu
arch=$(node -p process.arch) # x64 or arm64
from=/build/node_modules
bin=/stage/usr/local/bin
lib=/stage/usr/local/lib/node_modules
mkdir -p "$bin" "$lib/@anthropic-ai" "$lib/node-linux-$arch"

mv "$from/node-linux-$arch/bin/node" "$bin/node"
mv "$from/node-linux-$arch/package.json" "$from/node-linux-$arch/LICENSE" "$lib/node-linux-$arch/"
mv "$from/npm" "$lib/"
mv "$from/@anthropic-ai/claude-code" "$from/@anthropic-ai/claude-code-linux-$arch" "$lib/@anthropic-ai/"

ln -sf "../../claude-code-linux-$arch/claude" "$lib/@anthropic-ai/claude-code/bin/claude.exe"
ln -s ../lib/node_modules/@anthropic-ai/claude-code/bin/claude.exe "$bin/claude"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$bin/npm"
ln -s ../lib/node_modules/npm/bin/npx-cli.js "$bin/npx"

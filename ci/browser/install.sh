#!/usr/bin/env bash
# Installs what tests in a browser need and this machine lacks (Debian): Chromium, fonts, Node.js with npm, and in
# target/browser the library that drives the one from the other, as package-lock.json names it. Again does nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=examples/node.sh
. examples/node.sh
missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
[ -e /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf ] || missing+=(fonts-noto-color-emoji)
install_packages "${missing[@]}"
folder=target/browser
if ! [ -d "$folder/node_modules/playwright-core" ] || ! cmp -s ci/browser/package-lock.json "$folder/package-lock.json"; then
    mkdir -p "$folder"
    cp ci/browser/package.json ci/browser/package-lock.json "$folder"
    npm ci --silent --no-audit --no-fund --prefix "$folder"
fi

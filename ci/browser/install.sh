#!/usr/bin/env bash
# Installs what tests in a browser need and this machine lacks (Debian): Chromium, fonts, Node.js with npm, and in target/browser
# the library that drives the one from the other, as package-lock.json names it. Doing it again does nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
missing=""
command -v chromium >/dev/null || missing+=" chromium"
command -v node >/dev/null || missing+=" nodejs"
command -v npm >/dev/null || missing+=" npm"
[ -e /usr/share/fonts/truetype/noto/NotoColorEmoji.ttf ] || missing+=" fonts-noto-color-emoji"
if [ -n "$missing" ]; then
    printf '== installing with apt-get:%s\n' "$missing"
    root=""
    if [ "$(id -u)" != 0 ]; then root=sudo; fi
    # shellcheck disable=SC2086  # a list of package names
    $root apt-get update -qq && $root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
folder=target/browser
if ! [ -d "$folder/node_modules/playwright-core" ] || ! cmp -s ci/browser/package-lock.json "$folder/package-lock.json"; then
    mkdir -p "$folder"
    cp ci/browser/package.json ci/browser/package-lock.json "$folder"
    npm ci --silent --no-audit --no-fund --prefix "$folder"
fi

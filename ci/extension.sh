#!/usr/bin/env bash
# The loadable SQLite extension: built, and used by a SQLite that knows nothing of Marmot.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${CI_PROFILE:-ci}
folder=$profile
if [ "$profile" = dev ]; then folder=debug; fi

# Nothing is measured with it, so it need not be optimized: that takes a minute less.
cargo build --locked --profile "$profile" --config "profile.$profile.package.marmot.opt-level=0" --no-default-features \
    --features extension --example marmot
cargo build --locked --profile "$profile" --example extension_check
"target/$folder/examples/extension_check" "$PWD/target/$folder/examples/libmarmot"

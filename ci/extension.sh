#!/usr/bin/env bash
# The loadable SQLite extension: built, and used by a SQLite that knows nothing of Marmot.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${CI_PROFILE:-ci}
folder=$profile
if [ "$profile" = dev ]; then folder=debug; fi

cargo build --locked --profile "$profile" --no-default-features --features extension --example marmot
cargo build --locked --profile "$profile" --example extension_check
"target/$folder/examples/extension_check" "$PWD/target/$folder/examples/libmarmot"

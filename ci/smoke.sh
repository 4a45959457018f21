#!/usr/bin/env bash
# The cheap checks: shell scripts, format, repository lint, clippy, documentation, and the pure layers without the shell.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${CI_PROFILE:-ci}

step() { printf '\n-- %s\n' "$*"; }

step "scripts"
ci/install.sh --lint
git ls-files -z '*.sh' | xargs -0 shellcheck

step "format"
cargo fmt --all -- --check

# tests/tidy.rs needs nothing but the standard library, so it can speak before anything else is compiled.
step "tidy"
mkdir -p target
CARGO_MANIFEST_DIR=$PWD rustc --edition 2024 --test tests/tidy.rs -o target/tidy-alone
target/tidy-alone

step "clippy"
cargo clippy --locked --profile "$profile" --all-targets -- -D warnings

step "the library without the shell: types, core, mysql and sql do no IO"
cargo check --locked --profile "$profile" --no-default-features --lib

step "the fuzz targets' lock file is that of these dependencies"
cargo metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --profile "$profile" --no-deps --document-private-items --lib --quiet

#!/usr/bin/env bash
# The simulators, from seeds that the commit chooses, so that every commit looks elsewhere and each run can be repeated:
# the pure loop for SIM_SECONDS (180), the planted bugs, and the whole daemon inside madsim.
#
#     ci/sim.sh [COMMIT]      COMMIT: a hash; the current one if left out
#
# Everything gates: a crash, a broken promise or something that did not end in time in any seed; a planted bug that its
# checks do not notice within its budget of seeds (from seed 0: a table of what notices which is printed). Rare bugs have
# scripts instead, which `cargo test` runs.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${CI_PROFILE:-ci}
commit=${1:-$(git rev-parse HEAD)}

step() { printf '\n-- %s\n' "$*"; }

cargo build --locked --profile "$profile" --example simulate
folder=$profile
if [ "$profile" = dev ]; then folder=debug; fi
simulate=target/$folder/examples/simulate

step "pure loop, seeds from commit $commit, ${SIM_SECONDS:-180} s"
"$simulate" --commit "$commit" --budget "${SIM_SECONDS:-180}" --keep-going

step "planted bugs: what notices which, and after how many seeds"
"$simulate" --planted

step "the daemon inside madsim"
# What `cargo test --features sim --test sim` comes to, without building everything twice.
SIM_COMMIT=$commit SIM_SEEDS=${SIM_SEEDS:-240} CARGO_TARGET_DIR=target/sim RUSTFLAGS="${RUSTFLAGS:-} --cfg madsim" \
    cargo test --locked --profile "$profile" --features sim --test sim

#!/usr/bin/env bash
# The simulators, from seeds that the commit chooses, so that every commit looks elsewhere and each run can be repeated:
# the pure loop for SIM_SECONDS (300), the planted bugs, and the whole daemon inside madsim.
#
#     ci/sim.sh [COMMIT]      COMMIT: a hash; the current one if left out
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${CI_PROFILE:-ci}
commit=${1:-$(git rev-parse HEAD)}

step() { printf '\n-- %s\n' "$*"; }

step "pure loop, seeds from commit $commit, ${SIM_SECONDS:-300} s"
cargo run --locked --profile "$profile" --example simulate -- --commit "$commit" --budget "${SIM_SECONDS:-300}"

step "planted bugs: each must be caught within its budget of seeds"
cargo run --locked --profile "$profile" --example simulate -- --planted

step "the daemon inside madsim"
cargo test --locked --profile "$profile" --features sim --test sim

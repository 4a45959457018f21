#!/usr/bin/env bash
# All ordinary tests: units, golden scripts, properties, fuzz corpora, the protocol against a real client library, a
# modest number of simulated seeds. The profile is fast code with assertions on.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${CI_PROFILE:-ci}

cargo test --locked --profile "$profile" --no-fail-fast

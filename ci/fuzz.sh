#!/usr/bin/env bash
# Each fuzz target for FUZZ_SECONDS (60), starting from its corpus. Found inputs go to fuzz/artifacts/TARGET.
#
#     ci/fuzz.sh [TARGET...]
#
# Builds with the stable compiler and without a sanitizer: the code is safe Rust, so what can be found are panics,
# overflows and endless loops. With a nightly compiler, `cargo fuzz run TARGET` works on the same folder.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
targets=("$@")
if [ ${#targets[@]} = 0 ]; then
    for file in fuzz_targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
fi

# What cargo-fuzz passes for coverage; see LLVM's SanitizerCoverage.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions"
triple=$(rustc -vV | sed -n 's/^host: //p')
# With --target the flags are not applied to build scripts and macros.
cargo build --locked --release --target "$triple"

failed=0
for target in "${targets[@]}"; do
    printf '\n-- fuzz %s for %s s\n' "$target" "${FUZZ_SECONDS:-60}"
    grown=target/corpus/$target
    mkdir -p "$grown" "artifacts/$target"
    log=target/$target.log
    # The first folder receives what is found to be new; the second is the one kept by hand.
    if "target/$triple/release/$target" "$grown" "corpus/$target" -max_total_time="${FUZZ_SECONDS:-60}" \
        -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix="artifacts/$target/" >"$log" 2>&1; then
        grep '^stat::' "$log"
    else
        failed=$((failed + 1))
        tail -n 60 "$log"
        printf 'FAILED: repeat with fuzz/target/%s/release/%s fuzz/artifacts/%s/FILE\n' "$triple" "$target" "$target"
    fi
done
exit "$failed"

#!/usr/bin/env bash
# Everything, cheapest first, on a fresh Debian too: installs what is missing, then runs each step whatever became of the
# one before, and closes with the number of tests (a step without tests of its own counts as one).
#
#     ci/all.sh [STEP...]      steps: smoke test sim e2e extension drivers dump conformance differential acceptance jepsen wordpress
#                              admin upgrade, and fuzz when named (its corpora run in test)
#
# The log of each step is kept in target/ci-logs.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
steps=("$@")
if [ ${#steps[@]} = 0 ]; then steps=(smoke test sim e2e extension drivers dump conformance differential acceptance jepsen wordpress admin upgrade); fi
logs=target/ci-logs
mkdir -p "$logs"
started=$SECONDS

if ! command -v cargo >/dev/null; then PATH="$HOME/.cargo/bin:$PATH"; fi
ci/install.sh --client-too --acceptance --lint || exit 1

# Adds up the closing lines of cargo test in a log: passed or failed.
count() { sed -n "s/^test result: .* \([0-9]*\) $1;.*/\1/p" "$2" | awk '{ sum += $1 } END { print sum + 0 }'; }

passed=0
failed=0
summary=""
ends="" # of what failed: told again at the end, where one looks first
for name in "${steps[@]}"; do
    printf '\n==== %s\n' "$name"
    since=$SECONDS
    "ci/$name.sh" </dev/null 2>&1 | tee "$logs/$name.log"
    status=${PIPESTATUS[0]}
    good=$(count passed "$logs/$name.log")
    bad=$(count failed "$logs/$name.log")
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
    if [ "$good" -eq 0 ] && [ "$bad" -eq 0 ]; then good=1; fi
    passed=$((passed + good))
    failed=$((failed + bad))
    result=ok
    if [ "$status" -ne 0 ]; then
        result=FAILED
        ends+=$(printf '\n==== the end of what %s printed\n' "$name"; tail -40 "$logs/$name.log")
    fi
    line=$(printf '%-11s %-7s %5d s  %5d passed %3d failed' "$name" "$result" $((SECONDS - since)) "$good" "$bad")
    printf '\n==== %s\n' "$line"
    summary+="$line"$'\n'
done

if [ -n "$ends" ]; then printf '%s\n' "$ends"; fi
printf '\n%s%-11s %14d s\n\n' "$summary" total $((SECONDS - started))
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]

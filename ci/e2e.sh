#!/usr/bin/env bash
# The binary from outside: the README's demo and the schema replication test, on ports and folders of their own.
set -euo pipefail
cd "$(dirname "$0")/.."
MARMOT=$(ci/build.sh)
export MARMOT

examples/test-ddl-replication.sh

CLUSTER_DATA=$(mktemp -d)
export CLUSTER_DATA MYSQL_BASE=3406 CLUSTER_BASE=8180
cleanup() {
    status=$?
    examples/run-cluster.sh stop || true
    rm -rf "$CLUSTER_DATA"
    exit "$status"
}
trap cleanup EXIT
examples/run-cluster.sh demo

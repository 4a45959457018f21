#!/usr/bin/env bash
# Agreement with MariaDB, statement by statement, over 85 files of MariaDB's own test suite; it must not fall below the
# floors in ci/conformance/floors.json. The differences, with both answers, are in target/conformance/differences.txt.
#
#     ci/conformance.sh [--write] [NAME...]
#         --write: also writes docs/conformance.md and lifts the floors; with names: only these files, without the totals
#
# Environment: CONFORMANCE_BASE (4341): the first of three ports; MARMOT names another binary.
set -euo pipefail
cd "$(dirname "$0")/.."
table=(--table target/conformance/conformance.md)
if [ "${1:-}" = --write ]; then
    table=(--table docs/conformance.md --raise)
    shift
fi
case "${1:-}" in
    -*)
        sed -n '2,9s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
esac

CONFORMANCE_BASE=${CONFORMANCE_BASE:-4341}
MYSQL_BASE=$CONFORMANCE_BASE CLUSTER_BASE=$((CONFORMANCE_BASE + 10)) MARIADB_PORT=$CONFORMANCE_BASE
CLUSTER_DATA=$(mktemp -d)
# shellcheck source=examples/node.sh
. examples/node.sh
# shellcheck source=ci/drivers/servers.sh
. ci/drivers/servers.sh
at_exit stop_servers

SUITE=/usr/share/mysql/mysql-test/main
mkdir -p target/conformance
need_apt "$SUITE/join.test" mariadb-test-data
python_with ci/conformance/requirements.txt target/conformance/venv
MARMOT=$(ci/build.sh)
export MARMOT
start_mariadb ""
start_node 1
"$PYTHON" ci/conformance/measure.py --reference "$MARIADB_PORT" --marmot "$(mysql_port 1)" --suite "$SUITE" "${table[@]}" \
    --differences target/conformance/differences.txt "$@"

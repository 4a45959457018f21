#!/usr/bin/env bash
# Generated queries, sent to Marmot and to MariaDB: SELECTs of every kind over two small tables, and comparisons under
# collations. What differs is printed with both answers.
#
#     ci/differential.sh [SEED [QUERIES]]      (1, 4000)
#
# Environment: DIFFERENTIAL_BASE (4371): the first of the ports; MARMOT names another binary.
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
    -*)
        sed -n '2,7s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
esac

DIFFERENTIAL_BASE=${DIFFERENTIAL_BASE:-4371}
MYSQL_BASE=$DIFFERENTIAL_BASE CLUSTER_BASE=$((DIFFERENTIAL_BASE + 10)) MARIADB_PORT=$DIFFERENTIAL_BASE
CLUSTER_DATA=$(mktemp -d)
# shellcheck source=examples/node.sh
. examples/node.sh
# shellcheck source=ci/drivers/servers.sh
. ci/drivers/servers.sh
at_exit stop_servers

python_with ci/conformance/requirements.txt target/conformance/venv
MARMOT=$(ci/build.sh)
export MARMOT
start_mariadb ""
start_node 1
"$PYTHON" ci/differential/compare.py --seed "${1:-1}" --queries "${2:-4000}" --marmot "$(mysql_port 1)" --mariadb "$MARIADB_PORT"
"$PYTHON" ci/differential/collations.py --marmot "$(mysql_port 1)" --mariadb "$MARIADB_PORT"

#!/usr/bin/env bash
# WordPress on three Marmot nodes, used in headless Chromium: installed on one, used on all, with a node killed on the way
# (ci/wordpress/test.mjs); then all tables are compared. Screenshots are kept in target/wordpress/screenshots. At last its
# pages are timed beside the same WordPress on one MariaDB: above 1.5 times as long is a failure.
#
#     ci/wordpress.sh             all of it
#     ci/wordpress.sh times       the page times alone
#
# Environment: MYSQL_BASE, CLUSTER_BASE, WEB_BASE as examples/wordpress-cluster/run.sh; MARIADB_PORT (9199); MARMOT names
# another binary; KEEP=1 leaves the logs.
set -euo pipefail
cd "$(dirname "$0")/.."
export MYSQL_BASE=${MYSQL_BASE:-9190} CLUSTER_BASE=${CLUSTER_BASE:-9290} WEB_BASE=${WEB_BASE:-9100}
MARIADB_PORT=${MARIADB_PORT:-9199}
case "${1:-}" in
    "" | times) ;;
    *)
        sed -n '2,10s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
esac

MARMOT=$(ci/build.sh)
export MARMOT
ci/browser/install.sh
CLUSTER_DATA=$(mktemp -d)
export CLUSTER_DATA
# shellcheck source=examples/node.sh
. examples/node.sh
# shellcheck source=examples/web.sh
. examples/web.sh
# shellcheck source=examples/wordpress-cluster/site.sh
. examples/wordpress-cluster/site.sh
# shellcheck source=ci/drivers/servers.sh
. ci/drivers/servers.sh
RUN=examples/wordpress-cluster/run.sh

cleanup() {
    "$RUN" down || true
    stop_web 4
    if [ "$1" != 0 ]; then log_ends; fi
    stop_servers
}
at_exit cleanup

# content NODE: one line a table: its name, how many rows, and their checksum.
content() {
    local table rows
    for table in $(value "$1" "SELECT table_name FROM information_schema.tables WHERE table_schema = 'wordpress' ORDER BY 1"); do
        rows=$(value "$1" "SELECT * FROM wordpress.$table" | sort)
        printf '%-24s %5s rows  %s\n' "$table" "$(printf '%s' "$rows" | grep -c '')" "$(printf '%s' "$rows" | cksum)"
    done
}

same_content() { [ "$(content 1)" = "$(content "$1")" ]; }

compare_tables() {
    local node shown
    shown=$(content 1)
    printf '%s\n' "$shown"
    # WordPress has twelve tables; an empty answer would equal another empty one.
    [ "$(printf '%s\n' "$shown" | grep -c '^wp_')" = 12 ] || die "that is not WordPress"
    for node in 2 3; do wait_until 5 "node $node to hold the same" same_content "$node"; done
}

step "Starting"
"$RUN" up
if [ "${1:-}" != times ]; then
    step "Using it"
    node ci/wordpress/test.mjs "$RUN" "$CLUSTER_DATA" "$WEB_BASE" target/wordpress/screenshots
fi
step "Page times beside one MariaDB"
start_mariadb "" --innodb-flush-log-at-trx-commit=1
mariadb_sql "CREATE DATABASE wordpress"
start_site 4 "$MARIADB_PORT"
node ci/wordpress/page_times.mjs Marmot="$(web_address 1)" MariaDB="$(web_address 4)" 20
step "Comparing the tables of the three nodes"
for node in $NODES; do stop_web "$node"; done
compare_tables
step "The three nodes hold the same"

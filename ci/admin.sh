#!/usr/bin/env bash
# phpMyAdmin and Adminer, used in headless Chromium against one Marmot node: databases, tables, rows, indexes, search, export
# and import, and the pages about the server; and the page on a node's own admin address while other nodes come and go.
# Screenshots are kept in target/admin/screenshots.
#
#     ci/admin.sh [PORT]      with PORT: against the MySQL server that listens there (root's password: $PASSWORD below)
#
# Environment: MYSQL_BASE, CLUSTER_BASE, WEB_BASE (9490, 9590, 9400), ADMIN_BASE (9480); MARMOT names another binary; KEEP=1 leaves the logs.
set -euo pipefail
cd "$(dirname "$0")/.."
export MYSQL_BASE=${MYSQL_BASE:-9490} CLUSTER_BASE=${CLUSTER_BASE:-9590}
WEB_BASE=${WEB_BASE:-9400}
export ADMIN_BASE=${ADMIN_BASE:-9480}
# Adminer lets nobody in without a password.
PASSWORD=one-password-for-all
export MARMOT_MYSQL_PASSWORD=$PASSWORD
if [ $# = 0 ]; then
    MARMOT=$(ci/build.sh)
    export MARMOT
fi
ci/browser/install.sh
CLUSTER_DATA=$(mktemp -d)
# shellcheck source=examples/node.sh
. examples/node.sh
# shellcheck source=examples/web.sh
. examples/web.sh
NODES=1
APPLICATIONS="1 2" # phpMyAdmin and Adminer

need_packages() {
    local missing=()
    command -v php >/dev/null || missing+=(php-cli)
    if ! php -m 2>/dev/null | grep -x mysqli >/dev/null; then missing+=(php-mysql); fi
    [ -e /usr/share/phpmyadmin/index.php ] || missing+=(phpmyadmin)
    [ -e /usr/share/adminer/adminer.php ] || missing+=(adminer)
    # phpMyAdmin would set up a database of its own.
    if [[ " ${missing[*]} " = *" phpmyadmin "* ]]; then
        echo "phpmyadmin phpmyadmin/dbconfig-install boolean false" | as_root debconf-set-selections
    fi
    install_packages "${missing[@]}"
}

cleanup() {
    local application
    for application in $APPLICATIONS; do stop_web "$application" || true; done
    stop_cluster || true
    if [ "$1" != 0 ] && [ -d "$CLUSTER_DATA/node1" ]; then log_ends; fi
    if [ "${KEEP:-0}" = 1 ]; then say "kept: $CLUSTER_DATA"; else rm -rf "$CLUSTER_DATA"; fi
}
at_exit cleanup

need_packages
step "Starting"
if [ $# = 0 ]; then start_cluster; fi
port=${1:-$(mysql_port 1)}
# Debian's phpMyAdmin looks for its configuration in /etc: a copy (without links) looks here.
cp -rL /usr/share/phpmyadmin "$CLUSTER_DATA/phpmyadmin"
config=$PWD/ci/admin/config.inc.php
sed -i "s|'/etc/phpmyadmin/config.inc.php'|'$config'|" "$CLUSTER_DATA/phpmyadmin/libraries/vendor_config.php"
mkdir -p "$CLUSTER_DATA/adminer" "$CLUSTER_DATA/temp"
cp /usr/share/adminer/adminer.php "$CLUSTER_DATA/adminer/index.php"
start_web 1 "$CLUSTER_DATA/phpmyadmin" ADMIN_PORT="$port" ADMIN_TEMP="$CLUSTER_DATA/temp"
start_web 2 "$CLUSTER_DATA/adminer"

step "Using them"
failed=0
node ci/admin/phpmyadmin.mjs "$(web_address 1)" "$PASSWORD" "$CLUSTER_DATA/web1.log" target/admin/screenshots/phpmyadmin || failed=1
node ci/admin/adminer.mjs "$(web_address 2)" "$PASSWORD" "$port" "$CLUSTER_DATA/web2.log" target/admin/screenshots/adminer || failed=1

# The page of the node, with two more nodes that are killed and come back.
page() { node ci/admin/page.mjs "http://127.0.0.1:$((ADMIN_BASE + 1))/" "$@"; }
others() { for other in 2 3; do "$@" "$other" || return 1; done; }
others_away() { others stop_node_now; }
stop_node_now() { stop_node "$1" KILL; }
others_join() { others join_node; }
join_node() { start_node "$1" "$(cluster_address 1)"; }
work() { sql 1 "CREATE DATABASE IF NOT EXISTS page; CREATE TABLE IF NOT EXISTS page.t (id INT PRIMARY KEY AUTO_INCREMENT, v INT);
    INSERT INTO page.t (v) VALUES (1), (2), (3); UPDATE page.t SET v = v + 1; SELECT COUNT(*) FROM page.t"; }
if [ $# = 0 ]; then
    step "The page of a node"
    NODES="1 2 3"
    others_join
    work >/dev/null
    page healthy target/admin/screenshots/page-healthy || failed=1
    others_away
    page alone target/admin/screenshots/page-alone || failed=1
    others_join
    page healed target/admin/screenshots/page-healed || failed=1
fi
[ "$failed" = 0 ]

#!/usr/bin/env bash
# Two nodes of their own (MySQL 3317 and 3318, nodes 8091 and 8092, data in a temporary directory, removed at the end):
# create on 1, insert on 1, update on 2, delete on 2, alter and drop; each is verified on the other node.
#
#     examples/test-ddl-replication.sh
set -euo pipefail
cd "$(dirname "$0")/.."
CLUSTER_DATA=$(mktemp -d)
MYSQL_BASE=${MYSQL_BASE:-3316}
CLUSTER_BASE=${CLUSTER_BASE:-8090}
CLUSTER_ADDR=""
# shellcheck source=examples/node.sh
. examples/node.sh
NODES="1 2"

cleanup() {
    local status=$1
    stop_cluster || true
    if [ "$status" -ne 0 ]; then log_ends; fi
    rm -rf "$CLUSTER_DATA"
    if [ "$status" -eq 0 ]; then say "PASS"; else say "FAIL"; fi
}
at_exit cleanup

ROWS="SELECT CONCAT(id, ':', name) FROM shop.items ORDER BY id"

step "Two nodes"
start_cluster

step "CREATE on node 1, seen on node 2"
sql 1 "CREATE DATABASE shop; CREATE TABLE shop.items (id INT PRIMARY KEY, name VARCHAR(40) NOT NULL)"
wait_until 10 "the table on node 2" equals 2 \
    "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'shop' AND table_name = 'items'" 1

step "INSERT on node 1, seen on node 2"
sql 1 "INSERT INTO shop.items VALUES (1, 'apple'), (2, 'pear'), (3, 'plum')"
wait_until 10 "three rows on node 2" equals 2 "$ROWS" $'1:apple\n2:pear\n3:plum'

step "UPDATE on node 2, seen on node 1"
sql 2 "UPDATE shop.items SET name = 'cherry' WHERE id = 2"
wait_until 10 "the new name on node 1" equals 1 "$ROWS" $'1:apple\n2:cherry\n3:plum'

step "DELETE on node 2, seen on node 1"
sql 2 "DELETE FROM shop.items WHERE id = 3"
wait_until 10 "two rows on node 1" equals 1 "$ROWS" $'1:apple\n2:cherry'

step "ALTER on node 2, used on node 1"
sql 2 "ALTER TABLE shop.items ADD COLUMN price INT NOT NULL DEFAULT 5"
wait_until 10 "the new column on node 1" equals 1 "SELECT SUM(price) FROM shop.items" 10

step "DROP on node 1, seen on node 2"
sql 1 "DROP TABLE shop.items"
wait_until 10 "no table on node 2" equals 2 \
    "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'shop' AND table_name = 'items'" 0

#!/usr/bin/env bash
# A cluster of three Marmot nodes on this machine: MySQL on 3307, 3308, 3309, nodes on 8081, 8082, 8083, data in
# ./cluster-data/node1 to node3.
#
#     examples/run-cluster.sh demo      build, start, and show what a cluster does, with a node killed on the way
#     examples/run-cluster.sh start     start the nodes that do not run
#     examples/run-cluster.sh status    which nodes run, and what they know of each other
#     examples/run-cluster.sh stop      stop all (the data stays; rm -r cluster-data removes it)
set -euo pipefail
cd "$(dirname "$0")/.."
CLUSTER_ADDR=""
# shellcheck source=examples/node.sh
. examples/node.sh

start() {
    step "Starting three nodes; the first begins the cluster, the others join through it"
    start_cluster
}

connect_lines() {
    local node client
    client=$(find_client)
    for node in $NODES; do say "   $client -h 127.0.0.1 -P $(mysql_port "$node") -u root"; done
}

# insert NODE FROM TO: one statement a row, through one connection.
insert() {
    local i statements=""
    for ((i = $2; i <= $3; i++)); do statements+="INSERT INTO demo.notes VALUES ($i, 'row $i through node $1'); "; done
    sql "$1" "$statements"
}

demo() {
    build
    start

    step "Creating a table through node 1"
    sql 1 "CREATE DATABASE IF NOT EXISTS demo;
           DROP TABLE IF EXISTS demo.notes;
           CREATE TABLE demo.notes (id INT PRIMARY KEY, body VARCHAR(100) NOT NULL)"
    sql 1 --vertical "SHOW CREATE TABLE demo.notes"

    wait_until 10 "the table on node 2" equals 2 \
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'demo' AND table_name = 'notes'" 1

    step "Writing 100 rows through node 2"
    insert 2 1 100

    step "Reading through node 3 (a QUORUM read: it sees every acknowledged write)"
    sql 3 --table "SET marmot_read_consistency = 'QUORUM';
                   SELECT COUNT(*) AS notes, MAX(body) AS the_last FROM demo.notes"
    wait_until 10 "100 rows on node 3" equals 3 "SELECT COUNT(*) FROM demo.notes" 100

    step "The cluster as node 1 sees it"
    show_nodes 1

    step "Killing node 3 with SIGKILL"
    stop_node 3 KILL

    step "Writing 200 more rows through the two that are left"
    local since=$SECONDS
    insert 1 101 200
    insert 2 201 300
    say "   200 writes acknowledged in $((SECONDS - since)) s while one node of three was down"
    wait_until 30 "node 1 to notice" equals 1 "$ALIVE_VOTERS" 2
    show_nodes 1

    step "Bringing node 3 back"
    start_node 3 "$(cluster_address 1)"
    wait_until 60 "node 3 to catch up to 300 rows" equals 3 "SELECT COUNT(*) FROM demo.notes" 300
    wait_until 60 "node 1 to see three voting members" equals 1 "$ALIVE_VOTERS" 3

    step "All three nodes, each from its own file"
    local node content first=""
    for node in $NODES; do
        content=$(value "$node" "SELECT id, body FROM demo.notes ORDER BY id" | cksum)
        say "   node $node: $(value "$node" 'SELECT COUNT(*) FROM demo.notes') rows, checksum $content"
        first=${first:-$content}
        if [ "$content" != "$first" ]; then die "node $node differs from node 1"; fi
    done

    step "Done: the three nodes hold the same rows. The cluster keeps running; connect with"
    connect_lines
    say "   examples/run-cluster.sh stop ends it."
}

case "${1:-}" in
    demo) demo ;;
    start)
        start
        connect_lines
        ;;
    stop)
        step "Stopping"
        stop_cluster
        ;;
    status) cluster_status ;;
    *)
        sed -n '2,8s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
esac

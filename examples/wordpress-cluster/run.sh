#!/usr/bin/env bash
# Three Marmot nodes and three WordPress on this machine, each WordPress talking to the node beside it.
#
#     examples/wordpress-cluster/run.sh up        install what is missing, start what does not run
#     examples/wordpress-cluster/run.sh status    what runs, and what the nodes know of each other
#     examples/wordpress-cluster/run.sh logs-m    the end of the nodes' logs      (-f: go on showing them)
#     examples/wordpress-cluster/run.sh logs-wp   the end of WordPress's logs     (-f: go on showing them)
#     examples/wordpress-cluster/run.sh down      stop all; the data stays (rm -r wordpress-data removes it)
#
# Node N: MySQL on 9190+N, nodes on 9290+N, web on 9100+N; other ports with MYSQL_BASE, CLUSTER_BASE, WEB_BASE.
# See README.md beside this file.
set -euo pipefail
cd "$(dirname "$0")/../.."
CLUSTER_DATA=${CLUSTER_DATA:-./wordpress-data}
MYSQL_BASE=${MYSQL_BASE:-9190}
CLUSTER_BASE=${CLUSTER_BASE:-9290}
WEB_BASE=${WEB_BASE:-9100}
CLUSTER_ADDR=""
# shellcheck source=examples/node.sh
. examples/node.sh
# shellcheck source=examples/wordpress-cluster/site.sh
. examples/wordpress-cluster/site.sh

NODES="1 2 3"
DATABASE=wordpress
ALIVE_VOTERS="SELECT COUNT(*) FROM marmot.cluster_nodes WHERE state = 'ALIVE' AND voter = 1"
HAS_DATABASE="SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = '$DATABASE'"

up() {
    need_packages
    need_binary
    step "Marmot: three nodes; the first begins the cluster, the others join through it"
    local node seeds=""
    for node in $NODES; do
        start_node "$node" "$seeds" --config examples/wordpress-cluster/marmot.toml
        seeds=$(cluster_address 1)
    done
    for node in $NODES; do
        wait_until 60 "node $node to see three voting members" equals "$node" "$ALIVE_VOTERS" 3
    done
    sql 1 "CREATE DATABASE IF NOT EXISTS $DATABASE"
    for node in $NODES; do wait_until 10 "the database on node $node" equals "$node" "$HAS_DATABASE" 1; done

    step "WordPress: three web servers"
    make_site "$CLUSTER_DATA/site"
    for node in $NODES; do start_web "$node" "$(mysql_port "$node")"; done
    step "Ready. Open any of these; the first visit installs WordPress (once, for all three):"
    for node in $NODES; do say "   $(web_address "$node")/    (node $node, MySQL on port $(mysql_port "$node"))"; done
}

status() {
    local node shown=""
    for node in $NODES; do
        if running "$node"; then
            say "node $node: process $(cat "$(pid_file "$node")"), MySQL on 127.0.0.1:$(mysql_port "$node")"
            shown=$node
        else
            say "node $node: does not run"
        fi
        if web_running "$node"; then
            say "web  $node: process group $(cat "$(web_pid_file "$node")"), $(web_address "$node")/ answers $(web_code "$node")"
        else
            say "web  $node: does not run"
        fi
    done
    if [ -n "$shown" ]; then show_nodes "$shown"; fi
}

# Web servers first: they are clients of the nodes.
down() {
    step "Stopping"
    local node
    for node in $NODES; do stop_web "$node"; done
    for node in $NODES; do stop_node "$node"; done
}

case "${1:-}" in
    up) up ;;
    status) status ;;
    logs-m) tail -n 20 "${@:2}" "$CLUSTER_DATA"/node*/marmot.log ;;
    logs-wp) tail -n 20 "${@:2}" "$CLUSTER_DATA"/web*.log "$CLUSTER_DATA"/wordpress*.log ;;
    down) down ;;
    *)
        sed -n '2,11s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
esac

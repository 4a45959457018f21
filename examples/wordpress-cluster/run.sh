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
# shellcheck source=examples/web.sh
. examples/web.sh
# shellcheck source=examples/wordpress-cluster/site.sh
. examples/wordpress-cluster/site.sh

DATABASE=wordpress
HAS_DATABASE="SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = '$DATABASE'"

up() {
    need_packages
    need_binary
    step "Marmot: three nodes; the first begins the cluster, the others join through it"
    start_cluster --config examples/wordpress-cluster/marmot.toml
    sql 1 "CREATE DATABASE IF NOT EXISTS $DATABASE"
    local node
    for node in $NODES; do wait_until 10 "the database on node $node" equals "$node" "$HAS_DATABASE" 1; done

    step "WordPress: three web servers"
    make_site "$CLUSTER_DATA/site"
    for node in $NODES; do start_site "$node" "$(mysql_port "$node")"; done
    step "Ready. Open any of these; the first visit installs WordPress (once, for all three):"
    for node in $NODES; do say "   $(web_address "$node")/    (node $node, MySQL on port $(mysql_port "$node"))"; done
}

web_status() {
    if web_running "$1"; then
        say "web  $1: process group $(cat "$(web_pid_file "$1")"), $(web_address "$1")/ answers $(web_code "$1")"
    else
        say "web  $1: does not run"
    fi
}

# Web servers first: they are clients of the nodes.
down() {
    step "Stopping"
    local node
    for node in $NODES; do stop_web "$node"; done
    stop_cluster
}

case "${1:-}" in
    up) up ;;
    status) cluster_status web_status ;;
    logs-m) tail -n 20 "${@:2}" "$CLUSTER_DATA"/node*/marmot.log ;;
    logs-wp) tail -n 20 "${@:2}" "$CLUSTER_DATA"/web*.log "$CLUSTER_DATA"/wordpress*.log ;;
    down) down ;;
    *)
        sed -n '2,11s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
esac

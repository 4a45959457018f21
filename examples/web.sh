# shellcheck shell=bash
# Functions that run PHP's built-in web server. To be sourced after examples/node.sh.
#
# A web server N listens on WEB_BASE+N, logs to $CLUSTER_DATA/webN.log, and is a process group whose leader is in
# $CLUSTER_DATA/webN.pid; as long as one of the group lives, it holds the lock on that file.

web_address() { echo "http://127.0.0.1:$((WEB_BASE + $1))"; }
web_pid_file() { echo "$CLUSTER_DATA/web$1.pid"; }
web_answers() { curl -s -o /dev/null "$(web_address "$1")/readme.html"; }

web_running() {
    local file
    file=$(web_pid_file "$1")
    [ -e "$file" ] && ! flock --shared --nonblock "$file" true
}

web_stopped() { ! web_running "$1"; }

# start_web N FOLDER [NAME=VALUE...]: serves FOLDER, with these in PHP's environment; returns when it answers.
start_web() {
    local node=$1 folder=$2 log file
    shift 2
    if web_running "$node"; then
        say "   web $node runs already (process group $(cat "$(web_pid_file "$node")"))"
        return 0
    fi
    file=$(web_pid_file "$node")
    log=$(realpath "$CLUSTER_DATA")
    (
        exec 9>"$file"
        flock --exclusive --nonblock 9 || die "web $node starts already"
        echo "$BASHPID" >&9
        exec env PHP_CLI_SERVER_WORKERS=4 "$@" setsid php -d sendmail_path=/bin/true -d memory_limit=256M -d max_execution_time=120 \
            -d error_log="$log/web$node.log" -d log_errors=1 \
            -S "127.0.0.1:$((WEB_BASE + node))" -t "$folder" </dev/null >>"$log/web$node.log" 2>&1
    ) &
    wait_until 10 "web $node on $(web_address "$node")" web_answers "$node"
}

# setsid made the server the leader of its own group, so the pid is the group's too.
stop_web() {
    local node=$1 pid
    if ! web_running "$node"; then
        say "   web $node does not run"
        return 0
    fi
    pid=$(cat "$(web_pid_file "$node")")
    kill -TERM -- "-$pid"
    wait_until 10 "web $node (process group $pid) to end" web_stopped "$node"
}

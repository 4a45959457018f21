# shellcheck shell=bash
# Functions that serve WordPress by PHP's built-in web server. To be sourced after examples/node.sh.
#
# All web servers share one copy of the files; what differs (which MySQL port, which log) comes by the environment. A web
# server N is a process group whose leader is in $CLUSTER_DATA/webN.pid; as long as one of the group lives, it holds the
# lock on that file.

WORDPRESS_FILES=/usr/share/wordpress

web_address() { echo "http://127.0.0.1:$((WEB_BASE + $1))"; }
web_pid_file() { echo "$CLUSTER_DATA/web$1.pid"; }
web_code() { curl -s -o /dev/null -w '%{http_code}' "$(web_address "$1")/wp-login.php" || true; }
web_answers() { curl -s -o /dev/null "$(web_address "$1")/readme.html"; }

need_packages() {
    local missing=""
    command -v php >/dev/null || missing+=" php-cli"
    if ! php -m 2>/dev/null | grep -qx mysqli; then missing+=" php-mysql"; fi
    [ -e "$WORDPRESS_FILES/wp-settings.php" ] || missing+=" wordpress"
    [ -e "$WORDPRESS_FILES/wp-content/themes/twentytwentythree" ] || missing+=" wordpress-theme-twentytwentythree"
    command -v curl >/dev/null || missing+=" curl"
    command -v mariadb >/dev/null || command -v mysql >/dev/null || missing+=" default-mysql-client"
    if [ -z "$missing" ]; then return; fi
    step "Installing with apt-get:$missing"
    local root=""
    if [ "$(id -u)" != 0 ]; then root=sudo; fi
    # shellcheck disable=SC2086  # a list of package names
    $root apt-get update -qq && $root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# make_site FOLDER: the files of WordPress, its configuration and its secrets, unless they are there already.
make_site() {
    local site=$1
    if [ ! -e "$site/wp-config.php" ]; then
        say "   copying $WORDPRESS_FILES to $site"
        rm -rf "$site"
        cp -rL "$WORDPRESS_FILES" "$site.new"
        rm -f "$site.new/.htaccess"
        cp examples/wordpress-cluster/wp-config.php "$site.new/wp-config.php"
        # shellcheck disable=SC2016  # PHP's variables
        php -r 'foreach (["AUTH_KEY", "SECURE_AUTH_KEY", "LOGGED_IN_KEY", "NONCE_KEY", "AUTH_SALT", "SECURE_AUTH_SALT",
            "LOGGED_IN_SALT", "NONCE_SALT"] as $name) $all[$name] = bin2hex(random_bytes(32));
            echo "<?php return " . var_export($all, true) . ";\n";' >"$site.new/wp-secrets.php"
        mv "$site.new" "$site"
    fi
}

web_running() {
    local file
    file=$(web_pid_file "$1")
    [ -e "$file" ] && ! flock --shared --nonblock "$file" true
}

web_stopped() { ! web_running "$1"; }

# start_web N MYSQL_PORT: returns when it serves files.
start_web() {
    local node=$1 port=$2 log file
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
        export WORDPRESS_DB_HOST=127.0.0.1:$port WORDPRESS_LOG=$log/wordpress$node.log PHP_CLI_SERVER_WORKERS=4
        exec setsid php -d sendmail_path=/bin/true -d memory_limit=256M -d max_execution_time=120 \
            -d error_log="$log/web$node.log" -d log_errors=1 \
            -S "127.0.0.1:$((WEB_BASE + node))" -t "$CLUSTER_DATA/site" </dev/null >>"$log/web$node.log" 2>&1
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

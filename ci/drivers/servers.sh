# shellcheck shell=bash
# The servers that ci/drivers.sh, ci/dump.sh, ci/conformance.sh, ci/differential.sh and ci/wordpress.sh talk to. To be sourced after examples/node.sh, with
# CLUSTER_DATA a folder of their own and MARIADB_PORT the port of the MariaDB.

# need_apt COMMAND PACKAGE...: installs the packages unless the command (or file, if it has a slash) is there.
need_apt() {
    local what=$1
    shift
    if [ -e "$what" ] || command -v "$what" >/dev/null; then return 0; fi
    install_packages "$@"
}

# make_certificate: in $CLUSTER_DATA/tls, an authority of our own (ca.pem) and a certificate for this machine that it signs.
make_certificate() {
    local folder=$CLUSTER_DATA/tls new=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
    need_apt openssl openssl
    mkdir -p "$folder"
    openssl req -x509 "${new[@]}" -days 2 -subj /CN=ours -keyout "$folder/ca-key.pem" -out "$folder/ca.pem" 2>/dev/null
    openssl req "${new[@]}" -subj /CN=localhost -keyout "$folder/key.pem" -out "$folder/request.pem" 2>/dev/null
    printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' >"$folder/extensions"
    openssl x509 -req -in "$folder/request.pem" -CA "$folder/ca.pem" -CAkey "$folder/ca-key.pem" -CAcreateserial -days 2 \
        -extfile "$folder/extensions" -out "$folder/cert.pem" 2>/dev/null
}

# start_mariadb [PASSWORD] [FLAGS...]: a private MariaDB with its data in $CLUSTER_DATA/mariadb; root may log in by TCP.
start_mariadb() {
    local password=${1:-} dir=$CLUSTER_DATA/mariadb
    if [ $# -gt 0 ]; then shift; fi
    need_apt mariadbd mariadb-server
    mkdir -p "$dir"
    mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$dir/data" --skip-test-db \
        --auth-root-authentication-method=normal >"$dir/install.log" 2>&1
    cat >"$dir/init.sql" <<SQL
DELETE FROM mysql.global_priv WHERE Host <> 'localhost' OR User = '';
FLUSH PRIVILEGES;
CREATE USER IF NOT EXISTS root@'%' IDENTIFIED BY '$password';
GRANT ALL PRIVILEGES ON *.* TO root@'%' WITH GRANT OPTION;
SQL
    mariadbd --no-defaults --user="$(id -un)" --datadir="$dir/data" --port="$MARIADB_PORT" --bind-address=127.0.0.1 \
        --socket="$dir/socket" --init-file="$dir/init.sql" --skip-name-resolve --character-set-server=utf8mb4 \
        --innodb-flush-log-at-trx-commit=0 --performance-schema=OFF "$@" </dev/null >"$dir/log" 2>&1 &
    echo $! >"$CLUSTER_DATA/mariadb.pid"
    MYSQL_PWD=$password wait_until 30 "MariaDB" mariadb_sql "SELECT 1" >/dev/null
}

mariadb_sql() { mariadb --no-defaults --skip-ssl -h 127.0.0.1 -P "$MARIADB_PORT" -u root -N -B -e "$@"; }

# stop_servers: the MariaDB and the nodes, and their data unless KEEP=1.
stop_servers() {
    local file
    if [ -e "$CLUSTER_DATA/mariadb.pid" ]; then
        kill "$(cat "$CLUSTER_DATA/mariadb.pid")" || true
        wait "$(cat "$CLUSTER_DATA/mariadb.pid")" || true
    fi
    for file in "$CLUSTER_DATA"/node*.pid; do
        if [ -e "$file" ]; then stop_node "$(basename "$file" .pid | tr -dc 0-9)"; fi
    done
    if [ "${KEEP:-0}" = 1 ]; then say "kept: $CLUSTER_DATA"; else rm -rf "$CLUSTER_DATA"; fi
}

# python_with REQUIREMENTS VENV: sets PYTHON to a Python 3 that has the packages.
python_with() {
    local requirements=$1 venv=$2
    PYTHON=$PWD/$venv/bin/python
    if [ ! "$venv/stamp" -nt "$requirements" ]; then
        need_apt /usr/bin/python3 python3
        if ! /usr/bin/python3 -c 'import ensurepip' 2>/dev/null; then install_packages python3-venv; fi
        rm -rf "$venv"
        /usr/bin/python3 -m venv "$venv"
        "$PYTHON" -m pip --quiet --disable-pip-version-check install --requirement "$requirements"
        touch "$venv/stamp"
    fi
}

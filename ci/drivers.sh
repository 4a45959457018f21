#!/usr/bin/env bash
# The drivers that applications use, each at its pinned version, against one Marmot node: logins, TLS, values of all types
# both ways, transactions, errors, generated ids, batches, metadata, streams. See ci/drivers/.
#
#     ci/drivers.sh [--mariadb] [NAME...]
#         names: python node php java go rust; --mariadb: the same tests against MariaDB, which shows that they are right
#
# Language tool chains that are missing are installed from Debian; everything else goes to target/drivers. Environment:
# DRIVERS_BASE (4341): the first of three ports; MARMOT names another binary; KEEP=1 leaves the server's files.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=marmot
names=()
for word in "$@"; do
    case "$word" in
        --mariadb) kind=mariadb ;;
        python | node | php | java | go | rust) names+=("$word") ;;
        *)
            sed -n '2,9s/^# \{0,1\}//p' "$0"
            exit 2
            ;;
    esac
done
if [ ${#names[@]} = 0 ]; then names=(python node php java go rust); fi

DRIVERS_BASE=${DRIVERS_BASE:-4341}
MYSQL_BASE=$DRIVERS_BASE CLUSTER_BASE=$((DRIVERS_BASE + 10)) MARIADB_PORT=$DRIVERS_BASE
CLUSTER_DATA=$(mktemp -d)
# shellcheck source=examples/node.sh
. examples/node.sh
# shellcheck source=ci/drivers/servers.sh
. ci/drivers/servers.sh
HERE=$PWD/ci/drivers
BUILD=$PWD/target/drivers
log=$CLUSTER_DATA/tests.log
: >"$log"
mkdir -p "$BUILD"

at_exit stop_servers

# stale STAMP FILE...: whether one of the files is newer than the stamp, or there is no stamp.
stale() {
    local stamp=$1 file
    shift
    for file in "$@"; do
        if [ ! -e "$stamp" ] || [ "$file" -nt "$stamp" ]; then return 0; fi
    done
    return 1
}

# test_program WHAT COMMAND...: runs it; it prints a line "test NAME ... ok" for each test. If it ends with an error, at
# least one test has failed, even if it could not say which.
test_program() {
    local what=$1 out=$CLUSTER_DATA/$1.log status
    shift
    set +e
    "$@" </dev/null 2>&1 | tee "$out"
    status=${PIPESTATUS[0]}
    set -e
    if [ "$status" != 0 ] && ! grep -q '^test .* FAILED$' "$out"; then
        echo "test $what ... FAILED" | tee -a "$out"
    elif [ "$status" = 0 ] && ! grep -q '^test .* ok$' "$out"; then
        echo "test $what (ran nothing) ... FAILED" | tee -a "$out"
    fi
    cat "$out" >>"$log"
}

in_python() {
    local driver
    # mysqlclient is built here.
    need_apt mariadb_config libmariadb-dev
    need_apt pkg-config pkg-config
    need_apt python3-config python3-dev
    python_with ci/drivers/python/requirements.txt target/drivers/venv
    for driver in pymysql mysqlclient mysql-connector-python; do
        test_program "$driver" "$PYTHON" "$HERE/python/driver_test.py" "$driver"
    done
}

in_node() {
    need_apt node nodejs
    need_apt npm npm
    mkdir -p "$BUILD/node"
    if stale "$BUILD/node/stamp" "$HERE/node/package-lock.json"; then
        cp "$HERE/node/package.json" "$HERE/node/package-lock.json" "$BUILD/node/"
        npm ci --prefix "$BUILD/node" --silent --no-audit --no-fund
        touch "$BUILD/node/stamp"
    fi
    # Beside node_modules, where imports are looked for.
    cp "$HERE/node/mysql2_test.mjs" "$BUILD/node/"
    test_program mysql2 node "$BUILD/node/mysql2_test.mjs"
}

in_php() {
    need_apt php php-cli
    if ! php -m | grep -x pdo_mysql >/dev/null || ! php -m | grep -x mysqli >/dev/null; then install_packages php-mysql; fi
    test_program mysqli php "$HERE/php/mysqli_test.php"
    test_program pdo php "$HERE/php/pdo_test.php"
}

in_java() {
    local build=$BUILD/java driver
    need_apt javac openjdk-17-jdk-headless
    need_apt mvn maven
    mkdir -p "$build"
    if stale "$build/stamp" "$HERE/java/pom.xml"; then
        mvn --quiet --batch-mode --file "$HERE/java/pom.xml" dependency:copy-dependencies \
            -DoutputDirectory="$build/lib" -DbuildDirectory="$build/maven"
        touch "$build/stamp"
    fi
    if stale "$build/classes/stamp" "$HERE"/java/*.java; then
        javac -d "$build/classes" "$HERE"/java/*.java
        touch "$build/classes/stamp"
    fi
    keytool -importcert -noprompt -alias marmot -file "$DB_CA" -storetype PKCS12 -keystore "$CLUSTER_DATA/tls/trust.p12" \
        -storepass changeit 2>/dev/null
    export DB_TRUST=$CLUSTER_DATA/tls/trust.p12
    for driver in connector-j mariadb-connector-j; do
        test_program "$driver" java -Ddriver="$driver" -cp "$build/classes:$build/lib/*" DriverTest
    done
}

in_go() {
    need_apt go golang-go
    # The pinned versions build with Debian's Go.
    (cd "$HERE/go" && GOFLAGS=-mod=readonly GOTOOLCHAIN=local go build -buildvcs=false -o "$BUILD/go-driver" .)
    test_program go-sql-driver "$BUILD/go-driver"
}

in_rust() {
    if ! command -v cargo >/dev/null; then PATH="$HOME/.cargo/bin:$PATH"; fi
    cargo build --quiet --locked --manifest-path "$HERE/rust/Cargo.toml" --target-dir "$BUILD/rust"
    test_program mysql_async "$BUILD/rust/debug/driver-mysql-async"
    test_program sqlx "$BUILD/rust/debug/driver-sqlx"
}

export DB_HOST=127.0.0.1 DB_USER=root DB_PASSWORD='Setts "and" sounds' DB_KIND=$kind DB_TYPES=$HERE/types.sql
make_certificate
export DB_CA=$CLUSTER_DATA/tls/ca.pem
certificate=$CLUSTER_DATA/tls/cert.pem
if [ "$kind" = marmot ]; then
    MARMOT=$(ci/build.sh)
    export MARMOT
    printf '[mysql]\ntls_cert = "%s"\ntls_key = "%s"\n' "$certificate" "$CLUSTER_DATA/tls/key.pem" >"$CLUSTER_DATA/marmot.toml"
    export MARMOT_MYSQL_PASSWORD=$DB_PASSWORD DB_PORT=$((MYSQL_BASE + 1))
    start_node 1 "" --config "$CLUSTER_DATA/marmot.toml"
else
    export DB_PORT=$MARIADB_PORT
    start_mariadb "$DB_PASSWORD" --ssl-cert="$certificate" --ssl-key="$CLUSTER_DATA/tls/key.pem" --max-allowed-packet=64M
fi

for name in "${names[@]}"; do
    step "$name"
    "in_$name"
done
passed=$(grep -c '^test .* ok$' "$log") || true
failed=$(grep -c '^test .* FAILED$' "$log") || true
result=ok
if [ "$failed" != 0 ]; then result=FAILED; fi
printf '\ntest result: %s. %d passed; %d failed; finished in %d s\n' "$result" "$passed" "$failed" "$SECONDS"
[ "$failed" = 0 ]

#!/usr/bin/env bash
# Dumps by mariadb-dump (mysqldump): from Marmot into Marmot and back again, into MariaDB, and from MariaDB into Marmot.
#
#     ci/dump.sh [rich] [wordpress]       both unless one is named; the dumps stay in target/dump
#
# rich: the schema of ci/dump/rich.sql, with a consistent snapshot and with locks; a dump of the loaded dump is the same to
# the byte. wordpress: Debian's WordPress, installed on MariaDB, moved to Marmot. Environment: DUMP_BASE (4341): the first of
# three ports, DUMP_WEB (4349): a web server's; MARMOT names another binary.
set -euo pipefail
cd "$(dirname "$0")/.."
for word in "$@"; do
    case "$word" in
        rich | wordpress) ;;
        *)
            sed -n '2,9s/^# \{0,1\}//p' "$0"
            exit 2
            ;;
    esac
done

DUMP_BASE=${DUMP_BASE:-4341}
MYSQL_BASE=$DUMP_BASE CLUSTER_BASE=$((DUMP_BASE + 10)) MARIADB_PORT=$DUMP_BASE
export WEB_BASE=$((${DUMP_WEB:-4349} - 1))
CLUSTER_DATA=$(mktemp -d)
# shellcheck source=examples/node.sh
. examples/node.sh
# shellcheck source=examples/web.sh
. examples/web.sh
# shellcheck source=ci/drivers/servers.sh
. ci/drivers/servers.sh
# shellcheck source=examples/wordpress-cluster/site.sh
. examples/wordpress-cluster/site.sh
OUT=target/dump
passed=0 failed=0

cleanup() {
    if web_running 1; then stop_web 1; fi
    stop_servers
}
at_exit cleanup

# test_that NAME COMMAND...: a test passes if its command does.
test_that() {
    local name=$1 result=ok
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        result=FAILED
    fi
    printf 'test dump::%s ... %s\n' "$name" "$result"
}

# client PORT [options] ...: the client of that server.
client() {
    local port=$1
    shift
    mariadb --no-defaults --skip-ssl --default-character-set=utf8mb4 -h 127.0.0.1 -P "$port" -u root "$@"
}

# dump PORT FILE [options] ...: the date, and who the server is, are left out.
dump() {
    local port=$1 file=$2
    shift 2
    mariadb-dump --no-defaults --skip-ssl --skip-dump-date --default-character-set=utf8mb4 -h 127.0.0.1 -P "$port" -u root "$@" |
        sed '/^-- Server version/d' >"$file"
    tail -n 1 "$file" | grep -q '^-- Dump completed'
}

load() { client "$1" <"$2"; }

# content PORT DATABASE: every row of every table and view, with its name before it.
content() {
    local port=$1 database=$2 table
    for table in $(client "$port" -N -B -e "SELECT REPLACE(table_name, ' ', '%20') FROM information_schema.tables
            WHERE table_schema = '$database'" | sort); do
        table=${table//%20/ }
        client "$port" -N -B -e "SELECT * FROM \`$database\`.\`$table\`" | sort | sed "s/^/$table: /"
    done
}

# tables FILE: the definitions of tables in a dump; where ids go on is not the same everywhere.
tables() { sed -n '/^CREATE TABLE/,/^)/s/ AUTO_INCREMENT=[0-9]*//p; /^CREATE TABLE/,/^)/{/AUTO_INCREMENT=/!p}' "$1"; }

same_tables() { diff <(tables "$1") <(tables "$2"); }

same_content() { diff <(content "$1" "$3") <(content "$2" "$3"); }

rich() {
    local one two
    one=$(mysql_port 1) two=$(mysql_port 2)
    local snapshot=(--single-transaction --routines --triggers --events --databases rich)
    local locking=(--routines --triggers --events --databases rich)
    local create="CREATE DATABASE rich CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
    client "$one" -e "$create"
    client "$one" rich <ci/dump/rich.sql
    test_that "marmot_with_a_snapshot" dump "$one" "$OUT/marmot.sql" "${snapshot[@]}"
    test_that "marmot_with_locks" dump "$one" "$OUT/marmot-locks.sql" "${locking[@]}"
    test_that "both_are_the_same" diff "$OUT/marmot.sql" "$OUT/marmot-locks.sql"
    test_that "into_another_marmot" load "$two" "$OUT/marmot.sql"
    test_that "marmot_again" dump "$two" "$OUT/marmot-again.sql" "${snapshot[@]}"
    test_that "not_a_byte_changed" diff "$OUT/marmot.sql" "$OUT/marmot-again.sql"
    test_that "rows_are_the_same" same_content "$one" "$two" rich
    test_that "into_mariadb" load "$MARIADB_PORT" "$OUT/marmot.sql"
    test_that "rows_are_the_same_in_mariadb" same_content "$one" "$MARIADB_PORT" rich
    client "$MARIADB_PORT" -e "DROP DATABASE rich; $create"
    client "$MARIADB_PORT" rich <ci/dump/rich.sql
    test_that "mariadb" dump "$MARIADB_PORT" "$OUT/mariadb.sql" "${snapshot[@]}"
    client "$one" -e "DROP DATABASE rich"
    test_that "from_mariadb_into_marmot" load "$one" "$OUT/mariadb.sql"
    test_that "rows_are_the_same_as_in_mariadb" same_content "$MARIADB_PORT" "$one" rich
    test_that "and_dumped_again" dump "$one" "$OUT/mariadb-again.sql" "${snapshot[@]}"
    test_that "tables_are_defined_the_same" same_tables "$OUT/mariadb.sql" "$OUT/mariadb-again.sql"
}

# Installs WordPress through its own page, and makes a post and a comment by its own code.
install_wordpress() {
    local answer
    answer=$(curl -s "$(web_address 1)/wp-admin/install.php?step=2" --data-urlencode weblog_title='A blog to move 🦡' \
        -d user_name=admin -d admin_password=Setts-and-sounds-1 -d admin_password2=Setts-and-sounds-1 -d pw_weak=on \
        -d admin_email=a@example.com -d blog_public=0 -d language=)
    grep -q 'Success!' <<<"$answer" || die "WordPress was not installed: $answer"
    WORDPRESS_DB_HOST=127.0.0.1:$MARIADB_PORT WORDPRESS_LOG=$CLUSTER_DATA/wordpress.log \
        php ci/dump/post.php "$(realpath "$CLUSTER_DATA/site")"
}

page_shows() {
    local page
    page=$(curl -s "$(web_address 1)/?s=sounds")
    if ! grep -q 'Setts and sounds' <<<"$page"; then
        cat "$CLUSTER_DATA/wordpress1.log"
        return 1
    fi
}

wordpress() {
    local one
    one=$(mysql_port 1)
    need_packages
    make_site "$CLUSTER_DATA/site"
    client "$MARIADB_PORT" -e "CREATE DATABASE wordpress"
    start_site 1 "$MARIADB_PORT"
    install_wordpress
    stop_web 1
    test_that "wordpress" dump "$MARIADB_PORT" "$OUT/wordpress.sql" --single-transaction --databases wordpress
    test_that "wordpress_into_marmot" load "$one" "$OUT/wordpress.sql"
    test_that "wordpress_rows_are_the_same" same_content "$MARIADB_PORT" "$one" wordpress
    start_site 1 "$one"
    test_that "wordpress_runs_on" page_shows
    stop_web 1
}

mkdir -p "$OUT"
MARMOT=$(ci/build.sh)
export MARMOT
start_mariadb ""
start_node 1
start_node 2
wanted=("$@")
if [ ${#wanted[@]} = 0 ]; then wanted=(rich wordpress); fi
for part in "${wanted[@]}"; do
    step "$part"
    "$part"
done
result=ok
if [ "$failed" != 0 ]; then result=FAILED; fi
printf '\ntest result: %s. %d passed; %d failed; finished in %d s\n' "$result" "$passed" "$failed" "$SECONDS"
[ "$failed" = 0 ]

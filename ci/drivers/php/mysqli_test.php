<?php
// One smoke test of mysqli against the server that the environment names (see ci/drivers.sh).

require __DIR__ . '/topics.php';
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
const DATABASE = 'drv_mysqli';

function connect(?string $database = DATABASE, int $flags = 0, ?string $password = null): mysqli
{
    $db = mysqli_init();
    $port = (int) getenv('DB_PORT');
    if ($flags & MYSQLI_CLIENT_SSL) {
        $db->ssl_set(null, null, getenv('DB_CA'), null, null);
        $db->options(MYSQLI_OPT_SSL_VERIFY_SERVER_CERT, 1);
    }
    $password ??= getenv('DB_PASSWORD');
    $db->real_connect(getenv('DB_HOST'), getenv('DB_USER'), $password, $database, $port, null, $flags);
    $db->set_charset('utf8mb4');
    return $db;
}

function rows(mysqli $db, string $sql): array
{
    return $db->query($sql)->fetch_all();
}

function fails(int $code, string $state, callable $do): void
{
    try {
        $do();
    } catch (mysqli_sql_exception $error) {
        same([$code, $state], [$error->getCode(), $error->getSqlState()], $error->getMessage());
        return;
    }
    throw new Exception("error $code was expected");
}

function login(): void
{
    $db = connect();
    same([[DATABASE, '2']], rows($db, 'SELECT DATABASE(), 1 + 1'));
    // The driver says HY000 of any failed login.
    fails(1045, 'HY000', fn() => connect(password: 'wrong'));
    fails(1049, 'HY000', fn() => connect('no_such_database'));
    $db->query('SET @a = 5');
    $db->change_user(getenv('DB_USER'), getenv('DB_PASSWORD'), DATABASE);
    same([[null]], rows($db, 'SELECT @a'));
    same(true, $db->select_db('information_schema') && $db->select_db(DATABASE));
    same(true, str_starts_with($db->stat(), 'Uptime'));
}

function tls(): void
{
    $db = connect(flags: MYSQLI_CLIENT_SSL);
    same(true, rows($db, "SHOW STATUS LIKE 'Ssl_cipher'")[0][1] !== '', 'encrypted');
}

function types(): void
{
    $db = connect();
    $db->query("SET time_zone = '+00:00'");
    $db->query(file_get_contents(getenv('DB_TYPES')));
    $wanted = all_values();
    $columns = array_keys($wanted[0]);
    $list = implode(', ', $columns);
    $insert = $db->prepare("INSERT INTO types ($list) VALUES (" . implode(', ', array_fill(0, count($columns), '?')) . ')');
    foreach ($wanted as $values) {
        $kinds = implode('', array_map(fn($v) => is_int($v) ? 'i' : (is_float($v) ? 'd' : 's'), $values));
        $insert->bind_param($kinds, ...array_values($values));
        $insert->execute();
        same(1, $insert->affected_rows);
    }
    foreach ($wanted as $values) {
        $literal = fn($v) => match (true) {
            $v === null => 'NULL',
            is_float($v) => sprintf('%.17e', $v),
            is_int($v) => (string) $v,
            default => "'" . $db->real_escape_string($v) . "'",
        };
        $db->query("INSERT INTO types ($list) VALUES (" . implode(', ', array_map($literal, $values)) . ')');
    }
    $select = $db->prepare("SELECT $list FROM types WHERE id > ? ORDER BY id");
    $zero = 0;
    $select->bind_param('i', $zero);
    $select->execute();
    foreach ([$select->get_result(), $db->query("SELECT $list FROM types ORDER BY id")] as $result) {
        same(6, $result->num_rows);
        foreach ($result->fetch_all(MYSQLI_ASSOC) as $number => $row) {
            foreach ($columns as $column) {
                same(normal($column, $wanted[$number % 3][$column]), normal($column, $row[$column]), $column);
            }
        }
    }
    $select->close();
    $find = $db->prepare('SELECT i8, u64, f64, day, text_short FROM types WHERE moment = ? AND u64 = ?');
    $find->bind_param('ss', $wanted[1]['moment'], $wanted[1]['u64']);
    $find->execute();
    $find->bind_result($i8, $u64, $f64, $day, $text);
    same(true, $find->fetch());
    same([127, '18446744073709551615', $wanted[1]['f64'], '9999-12-31', $wanted[1]['text_short']], [$i8, $u64, $f64, $day, $text]);
    $find->close();
}

function transactions(): void
{
    [$db, $other] = [connect(), connect()];
    $count = fn(mysqli $who) => rows($who, 'SELECT COUNT(*) FROM steps')[0][0];
    $db->query('CREATE TABLE steps (id INT PRIMARY KEY)');
    $db->begin_transaction();
    $db->query('INSERT INTO steps VALUES (1)');
    same(['1', '0'], [$count($db), $count($other)]);
    $db->rollback();
    $db->autocommit(false);
    $db->query('INSERT INTO steps VALUES (2)');
    $db->savepoint('a');
    $db->query('INSERT INTO steps VALUES (3)');
    $db->query('ROLLBACK TO a');
    $db->release_savepoint('a');
    fails(1305, '42000', fn() => $db->query('ROLLBACK TO a'));
    $db->commit();
    same([['2']], rows($other, 'SELECT id FROM steps'));
    $db->autocommit(true);
    $db->query('INSERT INTO steps VALUES (4)');
    same('2', $count($other));
    $db->begin_transaction(MYSQLI_TRANS_START_READ_ONLY);
    fails(1792, '25006', fn() => $db->query('INSERT INTO steps VALUES (5)'));
    $db->rollback();
}

function conflict(): void
{
    $writers = [connect(), connect()];
    $writers[0]->query('CREATE TABLE pair (id INT PRIMARY KEY, n INT)');
    $writers[0]->query('INSERT INTO pair VALUES (1, 0), (2, 0)');
    foreach ($writers as $i => $writer) {
        $writer->begin_transaction();
        $writer->query('UPDATE pair SET n = n + 1 WHERE id = ' . ($i + 1));
    }
    foreach ($writers as $i => $writer) {
        $writer->query('UPDATE pair SET n = n + 1 WHERE id = ' . (2 - $i), MYSQLI_ASYNC);
    }
    $told = [];
    foreach ($writers as $writer) {
        try {
            $writer->reap_async_query();
            $writer->commit();
        } catch (mysqli_sql_exception $error) {
            $told[] = [$error->getCode(), $error->getSqlState()];
        }
    }
    same([[1213, '40001']], $told);
    same([['1'], ['1']], rows(connect(), 'SELECT n FROM pair'));
}

function blob(): void
{
    $db = connect();
    $db->query('CREATE TABLE blobs (id INT PRIMARY KEY, b LONGBLOB)');
    $data = str_repeat(implode('', array_map('chr', range(0, 255))), 8 * 4096);
    $db->query("INSERT INTO blobs VALUES (1, '" . $db->real_escape_string($data) . "')");
    $insert = $db->prepare('INSERT INTO blobs VALUES (2, ?)');
    $nothing = null;
    $insert->bind_param('b', $nothing);
    foreach (str_split($data, 1 << 20) as $chunk) {
        $insert->send_long_data(0, $chunk);
    }
    $insert->execute();
    $read = $db->prepare('SELECT b FROM blobs');
    $read->execute();
    foreach ([$read->get_result(), $db->query('SELECT b FROM blobs')] as $result) {
        same(true, $result->fetch_all() === [[$data], [$data]], 'the blob');
    }
}

function errors(): void
{
    $db = connect();
    $db->query('CREATE TABLE names (id INT PRIMARY KEY, name VARCHAR(5) NOT NULL UNIQUE)');
    $db->query("INSERT INTO names VALUES (1, 'a')");
    foreach (SQLSTATES as [$code, $state, $sql]) {
        fails($code, $state, fn() => $db->query($sql));
        fails($code, $state, fn() => $db->prepare($sql)->execute());
        same([$code, $state], [$db->errno ?: $code, $db->sqlstate === '00000' ? $state : $db->sqlstate]);
    }
    $db->query("SET sql_mode = ''");
    $db->query("INSERT INTO names VALUES (3, 'abcdefgh')");
    same([1, 1265], [$db->warning_count, $db->get_warnings()->errno]);
}

function ids(): void
{
    $db = connect();
    $change = function (string $sql, ?mysqli $who = null) use ($db): array {
        ($who ?? $db)->query($sql);
        return [($who ?? $db)->affected_rows, ($who ?? $db)->insert_id];
    };
    $db->query('CREATE TABLE counted (id INT AUTO_INCREMENT PRIMARY KEY, k INT UNIQUE, n INT)');
    [$one, $first] = $change('INSERT INTO counted (k, n) VALUES (1, 1)');
    same([1, [["$first", "$first"]]], [$one, rows($db, 'SELECT id, LAST_INSERT_ID() FROM counted')]);
    [$three, $second] = $change('INSERT INTO counted (k, n) VALUES (2, 2), (3, 3), (4, 4)');
    same([3, [["$second"]]], [$three, rows($db, 'SELECT MIN(id) FROM counted WHERE k > 1')]);
    same('Records: 3  Duplicates: 0  Warnings: 0', (function () use ($db) {
        $db->query('INSERT INTO counted (k) VALUES (11), (12), (13)');
        return $db->info;
    })());
    $upsert = 'INSERT INTO counted (k, n) VALUES (1, 9) ON DUPLICATE KEY UPDATE n = VALUES(n)';
    same([2, $first], $change($upsert));
    same(0, $change($upsert)[0]);
    same(2, $change('UPDATE counted SET n = 5 WHERE k IN (3, 4)')[0]);
    same('Rows matched: 2  Changed: 2  Warnings: 0', $db->info);
    same(0, $change('UPDATE counted SET n = 5 WHERE k IN (3, 4)')[0]);
    same(2, $change('REPLACE INTO counted (k, n) VALUES (3, 1)')[0]);
    same(2, $change('DELETE FROM counted WHERE k < 3')[0]);
    $prepared = $db->prepare('INSERT INTO counted (k) VALUES (?)');
    $prepared->execute([50]);
    same([1, true], [$prepared->affected_rows, $prepared->insert_id > $second]);
    $matching = connect(flags: MYSQLI_CLIENT_FOUND_ROWS);
    same(1, $change('UPDATE counted SET n = 5 WHERE k = 4', $matching)[0]);
}

function batch(): void
{
    $db = connect();
    $db->query('CREATE TABLE many (id INT AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(20))');
    $values = array_map(fn($n) => "($n, 'name $n')", range(0, 1999));
    $db->query('INSERT INTO many (a, b) VALUES ' . implode(', ', $values));
    same(2000, $db->affected_rows);
    $db->begin_transaction();
    $insert = $db->prepare('INSERT INTO many (a, b) VALUES (?, ?)');
    for ($n = 0; $n < 200; $n++) {
        $insert->execute([$n, null]);
    }
    $db->commit();
    same([['2200']], rows($db, 'SELECT COUNT(*) FROM many'));
}

function multi(): void
{
    $db = connect();
    $got = [];
    $db->multi_query("SELECT 1 AS one; SET @x = 3; SELECT @x AS x, 'y' AS y; DO 0; SELECT 2");
    do {
        $result = $db->store_result();
        $got[] = $result ? $result->fetch_all() : null;
    } while ($db->more_results() && $db->next_result());
    same([[['1']], null, [['3', 'y']], null, [['2']]], $got);
    $db->multi_query('SELECT 1; SELECT * FROM nothing');
    $db->store_result();
    fails(1146, '42S02', fn() => $db->next_result());
    fails(1064, '42000', fn() => connect()->query('SELECT 1; SELECT 2'));
}

function metadata(): void
{
    $db = connect();
    $fields = $db->query('SELECT * FROM types t')->fetch_fields();
    $types = array_map(fn($field) => $field->type, $fields);
    $json = MARMOT ? 245 : 252;
    same([3, 1, 1, 2, 2, 9, 9, 3, 3, 8, 8, 4, 5, 246, 10, 11, 12, 7, 13, 254, 253, 252, 254, 253, 252, 16, 254, 254, $json], $types);
    same(['id', 't', 'types', DATABASE], [$fields[0]->orgname, $fields[0]->table, $fields[0]->orgtable, $fields[0]->db]);
    $wanted = MYSQLI_NOT_NULL_FLAG | MYSQLI_PRI_KEY_FLAG | MYSQLI_AUTO_INCREMENT_FLAG;
    same($wanted, $fields[0]->flags & $wanted);
    same([0, MYSQLI_UNSIGNED_FLAG], [$fields[1]->flags & MYSQLI_UNSIGNED_FLAG, $fields[2]->flags & MYSQLI_UNSIGNED_FLAG]);
    same([MYSQLI_ENUM_FLAG, MYSQLI_SET_FLAG], [$fields[26]->flags & MYSQLI_ENUM_FLAG, $fields[27]->flags & MYSQLI_SET_FLAG]);
    same([10, 10, 32], [$fields[13]->decimals, $fields[14]->length, $fields[13]->length]);
    $prepared = $db->prepare('SELECT id, text_short FROM types WHERE id = ? AND day = ?');
    same([2, 2], [$prepared->param_count, $prepared->field_count]);
    same(['id', 'text_short'], array_map(fn($f) => $f->name, $prepared->result_metadata()->fetch_fields()));
}

function stream(): void
{
    $db = connect();
    $sum = 0;
    foreach ($db->query('SELECT a FROM many WHERE b IS NOT NULL', MYSQLI_USE_RESULT) as $row) {
        $sum += $row['a'];
    }
    same(1999000, $sum);
    // A cursor on the server, as far as it gives one.
    $read = $db->prepare('SELECT a FROM many WHERE b IS NOT NULL ORDER BY a');
    $read->attr_set(MYSQLI_STMT_ATTR_CURSOR_TYPE, MYSQLI_CURSOR_TYPE_READ_ONLY);
    $read->execute();
    $read->bind_result($a);
    for ($sum = 0; $read->fetch(); ) {
        $sum += $a;
    }
    same(1999000, $sum);
}

$admin = connect(null);
$admin->query('DROP DATABASE IF EXISTS ' . DATABASE);
$admin->query('CREATE DATABASE ' . DATABASE . ' CHARACTER SET utf8mb4');
$topics = ['login', 'tls', 'types', 'transactions', 'conflict', 'blob', 'errors', 'ids', 'batch', 'multi', 'metadata', 'stream'];
run_topics('mysqli', array_combine($topics, $topics));

<?php
// One smoke test of PDO (mysql) against the server that the environment names (see ci/drivers.sh).

require __DIR__ . '/topics.php';
const DATABASE = 'drv_pdo';
// The driver sends floats as text of so many digits.
ini_set('precision', '-1');

function connect(?string $database = DATABASE, array $options = [], ?string $password = null): PDO
{
    $dsn = 'mysql:charset=utf8mb4;host=' . getenv('DB_HOST') . ';port=' . getenv('DB_PORT');
    $dsn .= $database === null ? '' : ";dbname=$database";
    return new PDO($dsn, getenv('DB_USER'), $password ?? getenv('DB_PASSWORD'), $options + [PDO::ATTR_EMULATE_PREPARES => false]);
}

function rows(PDO $db, string $sql): array
{
    return $db->query($sql)->fetchAll(PDO::FETCH_NUM);
}

function fails(int $code, string $state, callable $do): void
{
    try {
        $do();
    } catch (PDOException $error) {
        same([$state, $code], array_slice($error->errorInfo, 0, 2), $error->getMessage());
        return;
    }
    throw new Exception("error $code was expected");
}

function login(): void
{
    $db = connect();
    same([[DATABASE, 2]], rows($db, 'SELECT DATABASE(), 1 + 1'));
    // The driver says HY000 of any failed login.
    fails(1045, 'HY000', fn() => connect(password: 'wrong'));
    fails(1049, 'HY000', fn() => connect('no_such_database'));
    same(true, str_starts_with($db->getAttribute(PDO::ATTR_SERVER_INFO), 'Uptime'));
    $once = connect(options: [PDO::ATTR_PERSISTENT => true, PDO::MYSQL_ATTR_INIT_COMMAND => 'SET @a = 5']);
    same([[5]], rows($once, 'SELECT @a'));
}

function tls(): void
{
    $db = connect(options: [PDO::MYSQL_ATTR_SSL_CA => getenv('DB_CA'), PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => true]);
    same(true, rows($db, "SHOW STATUS LIKE 'Ssl_cipher'")[0][1] !== '', 'encrypted');
}

function types(): void
{
    $wanted = all_values();
    $columns = array_keys($wanted[0]);
    $list = implode(', ', $columns);
    $db = connect();
    $db->exec("SET time_zone = '+00:00'");
    $db->exec(file_get_contents(getenv('DB_TYPES')));
    foreach ([false, true] as $emulate) {
        $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, $emulate);
        $insert = $db->prepare("INSERT INTO types ($list) VALUES (:" . implode(', :', $columns) . ')');
        foreach ($wanted as $values) {
            foreach ($values as $column => $value) {
                $kind = is_int($value) ? PDO::PARAM_INT : ($value === null ? PDO::PARAM_NULL : PDO::PARAM_STR);
                if (str_starts_with($column, 'bin_') && $value !== null) {
                    $kind = PDO::PARAM_LOB;
                }
                $insert->bindValue($column, $value, $kind);
            }
            $insert->execute();
            same(1, $insert->rowCount());
        }
    }
    foreach ([false, true] as $emulate) {
        $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, $emulate);
        $select = $db->prepare("SELECT $list FROM types WHERE id > ? ORDER BY id");
        $select->execute([0]);
        $got = $select->fetchAll(PDO::FETCH_ASSOC);
        same(6, count($got));
        foreach ($got as $number => $row) {
            foreach ($columns as $column) {
                $value = $wanted[$number % 3][$column];
                same(normal($column, $value), normal($column, $row[$column]), "$column, emulated " . (int) $emulate);
            }
        }
        // The native types of PHP 8.1 and later, whichever protocol brought them.
        same([-128, PHP_INT_MIN, -1.5, '-99999999999999999999.9999999999'],
            [$got[0]['i8'], $got[0]['i64'], $got[0]['f32'], $got[0]['deci']]);
        same('18446744073709551615', $got[1]['u64']);
    }
}

function transactions(): void
{
    [$db, $other] = [connect(), connect()];
    $count = fn(PDO $who) => rows($who, 'SELECT COUNT(*) FROM steps')[0][0];
    $db->exec('CREATE TABLE steps (id INT PRIMARY KEY)');
    $db->beginTransaction();
    same(true, $db->inTransaction());
    $db->exec('INSERT INTO steps VALUES (1)');
    same([1, 0], [$count($db), $count($other)]);
    $db->rollBack();
    same(false, $db->inTransaction());
    $db->beginTransaction();
    $db->exec('INSERT INTO steps VALUES (2)');
    $db->exec('SAVEPOINT a');
    $db->exec('INSERT INTO steps VALUES (3)');
    $db->exec('ROLLBACK TO a');
    $db->exec('RELEASE SAVEPOINT a');
    fails(1305, '42000', fn() => $db->exec('ROLLBACK TO a'));
    $db->commit();
    same([[2]], rows($other, 'SELECT id FROM steps'));
    $db->beginTransaction();
    $db->exec('INSERT INTO steps VALUES (4)');
    // A schema change commits.
    $db->exec('CREATE TABLE implicit (id INT)');
    same([2, false], [$count($other), $db->inTransaction()]);
    $db->setAttribute(PDO::ATTR_AUTOCOMMIT, 0);
    $db->exec('INSERT INTO steps VALUES (5)');
    same(2, $count($other));
    $db->setAttribute(PDO::ATTR_AUTOCOMMIT, 1);
    same(3, $count($other));
}

function blob(): void
{
    $db = connect();
    $db->exec('CREATE TABLE blobs (id INT PRIMARY KEY, b LONGBLOB)');
    $data = str_repeat(implode('', array_map('chr', range(0, 255))), 8 * 4096);
    foreach ([false, true] as $emulate) {
        $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, $emulate);
        $insert = $db->prepare('INSERT INTO blobs VALUES (?, ?)');
        $insert->bindValue(1, (int) $emulate, PDO::PARAM_INT);
        $insert->bindValue(2, $data, PDO::PARAM_LOB);
        $insert->execute();
    }
    foreach ([false, true] as $emulate) {
        $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, $emulate);
        $select = $db->prepare('SELECT b FROM blobs WHERE id < ?');
        $select->execute([5]);
        same(true, $select->fetchAll(PDO::FETCH_COLUMN) === [$data, $data], 'the blob');
    }
}

function errors(): void
{
    $db = connect();
    $db->exec('CREATE TABLE names (id INT PRIMARY KEY, name VARCHAR(5) NOT NULL UNIQUE)');
    $db->exec("INSERT INTO names VALUES (1, 'a')");
    foreach (SQLSTATES as [$code, $state, $sql]) {
        fails($code, $state, fn() => $db->prepare($sql)->execute());
        fails($code, $state, fn() => $db->exec($sql));
        same([$state, $code], array_slice($db->errorInfo(), 0, 2));
    }
    same('00000', connect()->query('SELECT 1')->errorCode());
}

function ids(): void
{
    $db = connect();
    $change = fn(string $sql, ?PDO $who = null) => [($who ?? $db)->exec($sql), (int) ($who ?? $db)->lastInsertId()];
    $db->exec('CREATE TABLE counted (id INT AUTO_INCREMENT PRIMARY KEY, k INT UNIQUE, n INT)');
    [$one, $first] = $change('INSERT INTO counted (k, n) VALUES (1, 1)');
    same([1, [[$first, $first]]], [$one, rows($db, 'SELECT id, LAST_INSERT_ID() FROM counted')]);
    [$three, $second] = $change('INSERT INTO counted (k, n) VALUES (2, 2), (3, 3), (4, 4)');
    same([3, [[$second]]], [$three, rows($db, 'SELECT MIN(id) FROM counted WHERE k > 1')]);
    $upsert = 'INSERT INTO counted (k, n) VALUES (1, 9) ON DUPLICATE KEY UPDATE n = VALUES(n)';
    same([2, $first], $change($upsert));
    same(0, $change($upsert)[0]);
    same(2, $change('UPDATE counted SET n = 5 WHERE k IN (3, 4)')[0]);
    same(0, $change('UPDATE counted SET n = 5 WHERE k IN (3, 4)')[0]);
    same(2, $change('REPLACE INTO counted (k, n) VALUES (3, 1)')[0]);
    same(2, $change('DELETE FROM counted WHERE k < 3')[0]);
    $prepared = $db->prepare('INSERT INTO counted (k) VALUES (?)');
    $prepared->execute([50]);
    same([1, true], [$prepared->rowCount(), $db->lastInsertId() > $second]);
    $matching = connect(options: [PDO::MYSQL_ATTR_FOUND_ROWS => true]);
    same(1, $change('UPDATE counted SET n = 5 WHERE k = 4', $matching)[0]);
    same(1, $change('INSERT INTO counted (k, n) VALUES (4, 5) ON DUPLICATE KEY UPDATE n = 5', $matching)[0]);
}

function batch(): void
{
    $db = connect();
    $db->exec('CREATE TABLE many (id INT AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(20))');
    $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, true);
    $insert = $db->prepare('INSERT INTO many (a, b) VALUES ' . implode(', ', array_fill(0, 2000, '(?, ?)')));
    $insert->execute(array_merge(...array_map(fn($n) => [$n, "name $n"], range(0, 1999))));
    same(2000, $insert->rowCount());
    $db->setAttribute(PDO::ATTR_EMULATE_PREPARES, false);
    $insert = $db->prepare('INSERT INTO many (a, b) VALUES ' . implode(', ', array_fill(0, 1000, '(?, ?)')));
    $insert->execute(array_merge(...array_map(fn($n) => [$n, null], range(0, 999))));
    same([[3000]], rows($db, 'SELECT COUNT(*) FROM many'));
}

function multi(): void
{
    $db = connect(options: [PDO::ATTR_EMULATE_PREPARES => true]);
    $result = $db->query("SELECT 1 AS one; SET @x = 3; SELECT @x AS x, 'y' AS y; DO 0; SELECT 2");
    $got = [];
    do {
        $got[] = $result->columnCount() ? $result->fetchAll(PDO::FETCH_NUM) : null;
    } while ($result->nextRowset());
    same([[[1]], null, [[3, 'y']], null, [[2]]], $got);
    $single = connect(options: [PDO::ATTR_EMULATE_PREPARES => true, PDO::MYSQL_ATTR_MULTI_STATEMENTS => false]);
    fails(1064, '42000', fn() => $single->query('SELECT 1; SELECT 2'));
}

function metadata(): void
{
    $db = connect();
    $result = $db->query('SELECT t.*, t.id + 1 AS next FROM types t');
    $metas = array_map(fn($i) => $result->getColumnMeta($i), range(0, $result->columnCount() - 1));
    $types = array_map(fn($meta) => $meta['native_type'] ?? null, $metas);
    same(['LONG', 'TINY', 'TINY', 'SHORT', 'SHORT', 'INT24', 'INT24', 'LONG', 'LONG', 'LONGLONG', 'LONGLONG', 'FLOAT',
        'DOUBLE', 'NEWDECIMAL', 'DATE', 'TIME', 'DATETIME', 'TIMESTAMP', 'YEAR', 'STRING', 'VAR_STRING', 'BLOB', 'STRING',
        'VAR_STRING', 'BLOB', 'BIT', 'STRING', 'STRING'], array_slice($types, 0, 28));
    same(['not_null', 'primary_key'], $metas[0]['flags']);
    same(['t', 'id', 11, 0], [$metas[0]['table'], $metas[0]['name'], $metas[0]['len'], $metas[0]['precision']]);
    same([32, 10], [$metas[13]['len'], $metas[13]['precision']]);
    same([PDO::PARAM_INT, PDO::PARAM_STR], [$metas[0]['pdo_type'], $metas[13]['pdo_type']]);
    same(['LONGLONG', '', 'next'], [$types[29], $metas[29]['table'], $metas[29]['name']]);
    same([true, false], [in_array('blob', $metas[24]['flags'], true), in_array('not_null', $metas[24]['flags'], true)]);
    $tables = rows($db, 'SHOW TABLES LIKE \'types\'');
    same([['types']], $tables);
    $columns = $db->query('SHOW COLUMNS FROM types')->fetchAll(PDO::FETCH_ASSOC);
    same(['Field' => 'u8', 'Type' => 'tinyint(3) unsigned', 'Null' => 'YES', 'Key' => '', 'Default' => null, 'Extra' => ''], $columns[2]);
}

function stream(): void
{
    $db = connect(options: [PDO::MYSQL_ATTR_USE_BUFFERED_QUERY => false]);
    $sum = 0;
    foreach ($db->query('SELECT a FROM many WHERE b IS NOT NULL') as $row) {
        $sum += $row['a'];
    }
    same(1999000, $sum);
    $first = $db->query('SELECT a FROM many ORDER BY id');
    same(0, $first->fetchColumn());
    $first->closeCursor();
    same([[1]], rows($db, 'SELECT 1'));
}

$admin = connect(null);
$admin->exec('DROP DATABASE IF EXISTS ' . DATABASE);
$admin->exec('CREATE DATABASE ' . DATABASE . ' CHARACTER SET utf8mb4');
$topics = ['login', 'tls', 'types', 'transactions', 'blob', 'errors', 'ids', 'batch', 'multi', 'metadata', 'stream'];
run_topics('pdo', array_combine($topics, $topics));

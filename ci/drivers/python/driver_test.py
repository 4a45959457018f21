"""One smoke test of a Python driver against the server that the environment names (see ci/drivers.sh).

    driver_test.py pymysql | mysqlclient | mysql-connector-python
"""

import datetime
import decimal
import json
import os
import sys
import threading
import traceback

NAME = sys.argv[1]
HOST, PORT = os.environ["DB_HOST"], int(os.environ["DB_PORT"])
USER, PASSWORD, CA = os.environ["DB_USER"], os.environ["DB_PASSWORD"], os.environ["DB_CA"]
MARMOT = os.environ["DB_KIND"] == "marmot"
TYPES = os.environ["DB_TYPES"]
DATABASE = "drv_" + NAME.replace("-", "_")

if NAME == "pymysql":
    import pymysql as module
    from pymysql.constants import CLIENT

    FOUND_ROWS, MULTI = CLIENT.FOUND_ROWS, CLIENT.MULTI_STATEMENTS
    from pymysql.cursors import SSCursor
elif NAME == "mysqlclient":
    import MySQLdb as module
    from MySQLdb.constants import CLIENT
    from MySQLdb.cursors import SSCursor

    FOUND_ROWS, MULTI = CLIENT.FOUND_ROWS, CLIENT.MULTI_STATEMENTS
else:
    import mysql.connector as module
    from mysql.connector.constants import ClientFlag

    FOUND_ROWS, MULTI = ClientFlag.FOUND_ROWS, ClientFlag.MULTI_STATEMENTS
CONNECTOR = NAME == "mysql-connector-python"


def connect(flags=0, **options):
    given = {"host": HOST, "port": PORT, "user": USER, "password": PASSWORD, "charset": "utf8mb4"} | options
    given.setdefault("database", DATABASE)
    if not given["database"]:
        del given["database"]
    if CONNECTOR:
        # The driver's own default counts matched rows; the others do not.
        given["client_flags"] = [flags or -FOUND_ROWS]
        return module.connect(**given)
    return module.connect(client_flag=flags, **given)


def run(connection, sql, values=None):
    cursor = connection.cursor()
    cursor.execute(sql, values)
    rows = list(cursor.fetchall()) if cursor.description else []
    count, last = cursor.rowcount, cursor.lastrowid
    cursor.close()
    return rows, count, last


def rows(connection, sql, values=None):
    return [tuple(row) for row in run(connection, sql, values)[0]]


def same(got, wanted, what=""):
    if got != wanted or type(got) is not type(wanted):
        raise AssertionError(f"{what}: got {got!r}, wanted {wanted!r}")


def fails(code, state, do, kind=None):
    """`do` raises the driver's own error with that number and, where the driver says it, that SQLSTATE."""
    try:
        do()
    except module.Error as error:
        same(error.args[0], code, str(error))
        if CONNECTOR:
            same((error.errno, error.sqlstate), (code, state))
        if kind:
            same(type(error).__name__, kind, str(error))
        return
    raise AssertionError(f"error {code} was expected")


# ------------------------------------------------------------------------------------------------------------- topics


def login():
    same(rows(connect(), "SELECT database()"), [(DATABASE,)])
    same(rows(connect(), "SELECT 1 + 1"), [(2,)])
    if CONNECTOR and MARMOT:
        for plugin in ("caching_sha2_password", "mysql_native_password"):
            same(rows(connect(auth_plugin=plugin), "SELECT 7"), [(7,)])
    fails(1045, "28000", lambda: connect(password=PASSWORD + "x"))
    fails(1049, "42000", lambda: connect(database="no_such_database"))
    connection = connect()
    connection.ping()
    if CONNECTOR:
        connection.cmd_change_user(USER, PASSWORD, DATABASE)
        run(connection, "SET @a = 5")
        connection.cmd_reset_connection()
        same(rows(connection, "SELECT @a"), [(None,)])
    if NAME == "mysqlclient":
        connection.change_user(USER, PASSWORD, DATABASE)
    connection.close()


def tls():
    if CONNECTOR:
        options = {"ssl_ca": CA, "ssl_verify_cert": True, "ssl_disabled": False}
    elif NAME == "pymysql":
        options = {"ssl_ca": CA, "ssl_verify_cert": True}
    else:
        options = {"ssl": {"ca": CA}, "ssl_mode": "VERIFY_CA"}
        # MariaDB Connector/C below 3.4 has no such mode by name, and verifies when a certificate authority is given.
        options.pop("ssl_mode")
    (name, cipher), *rest = rows(connect(**options), "SHOW STATUS LIKE 'Ssl_cipher'")
    same(rest, [])
    if not cipher:
        raise AssertionError("the link is not encrypted")
    plain = {"ssl_disabled": True} if not NAME == "mysqlclient" else {}
    if plain:
        same(rows(connect(**plain), "SHOW STATUS LIKE 'Ssl_cipher'"), [("Ssl_cipher", "")])


LOWEST = {
    "i8": -128, "u8": 0, "i16": -32768, "u16": 0, "i24": -8388608, "u24": 0, "i32": -2147483648, "u32": 0,
    "i64": -9223372036854775808, "u64": 0, "f32": -1.5, "f64": -1.7976931348623157e308,
    "deci": decimal.Decimal("-99999999999999999999.9999999999"), "day": datetime.date(1000, 1, 1),
    "span": -datetime.timedelta(hours=838, minutes=59, seconds=58, microseconds=999999),
    "moment": datetime.datetime(1000, 1, 1, 0, 0, 0, 1), "stamp": datetime.datetime(1970, 1, 2, 3, 4, 5, 6),
    "year": 1901, "fixed": "", "text_short": "", "text_long": "", "bin_fixed": b"\0\0\0\0", "bin_short": b"",
    "bin_long": b"", "bits": b"\0\0", "choice": "red", "flags": "", "doc": "[]",
}  # fmt: skip
HIGHEST = {
    "i8": 127, "u8": 255, "i16": 32767, "u16": 65535, "i24": 8388607, "u24": 16777215, "i32": 2147483647,
    "u32": 4294967295, "i64": 9223372036854775807, "u64": 18446744073709551615, "f32": 0.25, "f64": 2.2250738585072014e-308,
    "deci": decimal.Decimal("99999999999999999999.9999999999"), "day": datetime.date(9999, 12, 31),
    "span": datetime.timedelta(hours=838, minutes=59, seconds=58, microseconds=999999),
    "moment": datetime.datetime(9999, 12, 31, 23, 59, 59, 999999),
    "stamp": datetime.datetime(2038, 1, 18, 3, 14, 7, 999999), "year": 2155, "fixed": "ten 🦡 x \\",
    "text_short": "it's 🦡 \"%s\" \\ \0 \n ü", "text_long": "🦡" * 5000, "bin_fixed": b"\xff\0'\\",
    "bin_short": bytes(range(100)), "bin_long": bytes(range(256)) * 100, "bits": b"\x03\xff", "choice": "grün 🦡",
    "flags": "x,z", "doc": '{"a": [1, 2.5, null, "🦡"], "b": {"c": true}}',
}  # fmt: skip


if CONNECTOR:
    # The driver itself gets negative times wrong.
    LOWEST["span"] = datetime.timedelta(0)


def normal(column, value):
    """What is equal in every driver: text as str, bytes as bytes, documents parsed, BIT as bytes, SET in order."""
    if value is None:
        return None
    if isinstance(value, bytearray):
        value = bytes(value)
    if column == "doc":
        return json.loads(value)
    if column == "bits" and isinstance(value, int):
        return value.to_bytes(2, "big")
    if column == "flags":
        value = value.decode() if isinstance(value, bytes) else value
        return ",".join(sorted(value)) if isinstance(value, set) else value
    if column in ("text_short", "text_long", "fixed", "choice") and isinstance(value, bytes):
        return value.decode()
    return value


def prepared(connection):
    return connection.cursor(prepared=True) if CONNECTOR else connection.cursor()


def types():
    connection = connect()
    run(connection, "DROP TABLE IF EXISTS types")
    with open(TYPES, encoding="utf-8") as file:
        run(connection, file.read())
    columns = list(LOWEST)
    insert = f"INSERT INTO types ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"
    run(connection, "SET time_zone = '+00:00'")
    wanted = [LOWEST, HIGHEST, dict.fromkeys(columns)]
    makers = [connection.cursor, lambda: prepared(connection)]
    for maker in makers:
        for values in wanted:
            cursor = maker()
            cursor.execute(insert, tuple(values.values()))
            same(cursor.rowcount, 1)
            cursor.close()
    connection.commit()
    for maker in makers:
        cursor = maker()
        # The driver cannot read a YEAR that comes in binary.
        shown = [column + " + 0" if CONNECTOR and column == "year" else column for column in columns]
        cursor.execute(f"SELECT {', '.join(shown)} FROM types WHERE id > %s ORDER BY id", (0,))
        got = [tuple(row) for row in cursor.fetchall()]
        cursor.close()
        same(len(got), 6)
        for row, values in zip(got, wanted + wanted):
            for column, value in zip(columns, row):
                same(normal(column, value), normal(column, values[column]), column)
    # What comes back finds its row again.
    for column in ("i64", "u64", "f64", "deci", "day", "span", "moment", "stamp", "text_short", "bin_short"):
        cursor = prepared(connection)
        cursor.execute(f"SELECT COUNT(*) FROM types WHERE {column} = %s", (HIGHEST[column],))
        same(cursor.fetchall()[0][0], 2, column)
        cursor.close()


def transactions():
    connection, other = connect(), connect(autocommit=True)
    run(connection, "CREATE TABLE steps (id INT PRIMARY KEY)")
    count = lambda who: rows(who, "SELECT COUNT(*) FROM steps")[0][0]
    run(connection, "INSERT INTO steps VALUES (1)")
    same((count(connection), count(other)), (1, 0))
    connection.rollback()
    same(count(connection), 0)
    run(connection, "INSERT INTO steps VALUES (2)")
    run(connection, "SAVEPOINT a")
    run(connection, "INSERT INTO steps VALUES (3)")
    run(connection, "ROLLBACK TO SAVEPOINT a")
    run(connection, "RELEASE SAVEPOINT a")
    connection.commit()
    same(rows(other, "SELECT id FROM steps"), [(2,)])
    fails(1305, "42000", lambda: run(connection, "ROLLBACK TO SAVEPOINT a"))
    if CONNECTOR:
        connection.autocommit = True
        connection.start_transaction(consistent_snapshot=True, isolation_level="REPEATABLE READ")
        same(connection.in_transaction, True)
        connection.rollback()
        same(connection.in_transaction, False)
    else:
        connection.autocommit(True)
        same(bool(connection.get_autocommit()), True)
    run(connection, "INSERT INTO steps VALUES (4)")
    same(count(other), 2)


def conflict():
    """Two transactions that each write what the other writes: exactly one is told 1213 (40001)."""
    first = connect()
    run(first, "CREATE TABLE pair (id INT PRIMARY KEY, n INT)")
    run(first, "INSERT INTO pair VALUES (1, 0), (2, 0)")
    first.commit()
    meet, told = threading.Barrier(2), []

    def writer(mine, others):
        connection = connect()
        try:
            run(connection, "UPDATE pair SET n = n + 1 WHERE id = %s", (mine,))
            meet.wait()
            run(connection, "UPDATE pair SET n = n + 1 WHERE id = %s", (others,))
            connection.commit()
        except module.Error as error:
            told.append((error.args[0], getattr(error, "sqlstate", "40001")))

    threads = [threading.Thread(target=writer, args=pair) for pair in ((1, 2), (2, 1))]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    same(told, [(1213, "40001")])
    first.commit()
    same(rows(first, "SELECT n FROM pair"), [(1,), (1,)])


def blob():
    connection = connect()
    run(connection, "CREATE TABLE blobs (id INT PRIMARY KEY, b LONGBLOB)")
    data = bytes(range(256)) * (8 * 4096)
    for number, cursor in enumerate((connection.cursor(), prepared(connection))):
        cursor.execute("INSERT INTO blobs VALUES (%s, %s)", (number, data))
        cursor.close()
    connection.commit()
    for cursor in (connection.cursor(), prepared(connection)):
        cursor.execute("SELECT b FROM blobs WHERE id < %s", (5,))
        got = [bytes(row[0]) for row in cursor.fetchall()]
        cursor.close()
        same(len(got), 2)
        if got != [data, data]:
            raise AssertionError("the blob changed")
    same(rows(connection, "SELECT LENGTH(b) FROM blobs"), [(len(data),)] * 2)


def errors():
    connection = connect(autocommit=True)
    run(connection, "CREATE TABLE names (id INT PRIMARY KEY, name VARCHAR(5) NOT NULL UNIQUE, n TINYINT CHECK (n < 100))")
    run(connection, "INSERT INTO names VALUES (1, 'a', 1)")
    run(connection, "CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES names (id))")
    for code, state, kind, sql in [
        (1062, "23000", "IntegrityError", "INSERT INTO names VALUES (2, 'a', 1)"),
        (1064, "42000", "ProgrammingError", "SELEKT 1"),
        (1146, "42S02", "ProgrammingError", "SELECT * FROM nothing"),
        (1406, "22001", "DataError", "INSERT INTO names VALUES (2, 'abcdef', 1)"),
        (1048, "23000", "IntegrityError", "INSERT INTO names VALUES (2, NULL, 1)"),
        (1054, "42S22", None, "SELECT nothing FROM names"),
        (1264, "22003", "DataError", "INSERT INTO names VALUES (2, 'b', 200)"),
        (1452, "23000", "IntegrityError", "INSERT INTO child VALUES (1, 7)"),
        (1366, "22007" if not MARMOT else "HY000", None, "INSERT INTO names VALUES ('x', 'b', 1)"),
        (1136, "21S01", None, "INSERT INTO names VALUES (1)"),
        (1050, "42S01", None, "CREATE TABLE names (id INT)"),
    ]:
        fails(code, state, lambda: run(connection, sql), kind)
    fails(1062, "23000", lambda: run(connection, "INSERT INTO names VALUES (%s, %s, %s)", (1, "b", 2)))
    if CONNECTOR:
        cursor = connection.cursor(prepared=True)
        fails(1062, "23000", lambda: cursor.execute("INSERT INTO names VALUES (%s, %s, %s)", (1, "b", 2)))
        cursor.close()
        cursor = connection.cursor(prepared=True)
        fails(1146, "42S02", lambda: cursor.execute("SELECT * FROM nothing WHERE a = %s", (1,)))
    same(rows(connection, "SELECT COUNT(*) FROM names"), [(1,)])
    run(connection, "SET sql_mode = ''")
    run(connection, "INSERT INTO names VALUES (3, 'abcdefgh', 3)")
    ((level, code, _),) = rows(connection, "SHOW WARNINGS")
    same((level, code), ("Warning", 1265))


def ids():
    connection = connect(autocommit=True)
    run(connection, "CREATE TABLE counted (id INT AUTO_INCREMENT PRIMARY KEY, k INT UNIQUE, n INT)")
    change = lambda sql, who=connection: run(who, sql)[1:]
    count, first = change("INSERT INTO counted (k, n) VALUES (1, 1)")
    same((count, first > 0), (1, True))
    same(rows(connection, "SELECT LAST_INSERT_ID(), id FROM counted"), [(first, first)])
    count, second = change("INSERT INTO counted (k, n) VALUES (2, 2), (3, 3), (4, 4)")
    same((count, rows(connection, "SELECT MIN(id) FROM counted WHERE k > 1")), (3, [(second,)]))
    upsert = "INSERT INTO counted (k, n) VALUES (1, %d) ON DUPLICATE KEY UPDATE n = VALUES(n)"
    same(change(upsert % 9), (2, first), "an upsert that updates")
    same(change(upsert % 9)[0], 0, "an upsert that changes nothing")
    same(rows(connection, "SELECT LAST_INSERT_ID()"), [(second,)], "an upsert that updates leaves it")
    count, fresh = change("INSERT INTO counted (k, n) VALUES (9, 9) ON DUPLICATE KEY UPDATE n = 0")
    same((count, rows(connection, "SELECT id FROM counted WHERE k = 9")), (1, [(fresh,)]))
    count, last = change(
        "INSERT INTO counted (k, n) VALUES (2, 2) ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id), n = 7"
    )
    same((count, last), (2, second))
    same(change("UPDATE counted SET n = 5 WHERE k IN (3, 4)")[0], 2)
    same(change("UPDATE counted SET n = 5 WHERE k IN (3, 4)")[0], 0)
    same(change("REPLACE INTO counted (k, n) VALUES (3, 1)")[0], 2)
    same(change("DELETE FROM counted WHERE k < 3")[0], 2)
    matching = connect(flags=FOUND_ROWS, autocommit=True)
    same(change("UPDATE counted SET n = 5 WHERE k = 4", matching)[0], 1)
    same(change("INSERT INTO counted (k, n) VALUES (4, 5) ON DUPLICATE KEY UPDATE n = 5", matching)[0], 1)


def batch():
    connection = connect()
    run(connection, "CREATE TABLE many (id INT AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(20))")
    cursor = connection.cursor()
    cursor.executemany("INSERT INTO many (a, b) VALUES (%s, %s)", [(n, f"name {n}") for n in range(2000)])
    same(cursor.rowcount, 2000)
    cursor.close()
    if CONNECTOR:
        cursor = connection.cursor(prepared=True)
        cursor.executemany("INSERT INTO many (a, b) VALUES (%s, %s)", [(n, None) for n in range(100)])
        cursor.close()
    connection.commit()
    same(int(rows(connection, "SELECT SUM(a) FROM many")[0][0]), 1999000 + (4950 if CONNECTOR else 0))


def multi():
    statements = "SELECT 1 AS one; SET @x = 3; SELECT @x AS x, 'y' AS y; DO 0; SELECT 2"
    connection = connect(flags=MULTI)
    cursor, got = connection.cursor(), []
    if CONNECTOR:
        cursor.execute(statements)
        while True:
            got.append([tuple(row) for row in cursor.fetchall()] if cursor.with_rows else None)
            if not cursor.nextset():
                break
    else:
        cursor.execute(statements)
        while True:
            got.append([tuple(row) for row in cursor.fetchall()] if cursor.description else None)
            if not cursor.nextset():
                break
    same(got, [[(1,)], None, [(3, "y")], None, [(2,)]])
    cursor.close()
    if not CONNECTOR and NAME != "mysqlclient":
        fails(1064, "42000", lambda: run(connect(), "SELECT 1; SELECT 2"))


def metadata():
    connection = connect()
    cursor = connection.cursor()
    cursor.execute("SELECT * FROM types")
    cursor.fetchall()
    codes = [entry[1] for entry in cursor.description]
    same(codes, [3, 1, 1, 2, 2, 9, 9, 3, 3, 8, 8, 4, 5, 246, 10, 11, 12, 7, 13, 254, 253, 252, 254, 253, 252, 16, 254, 254] + [252 if not MARMOT else 245])
    nullable = [bool(entry[6]) for entry in cursor.description]
    same(nullable, [False] + [True] * 28)
    cursor.close()
    cursor = connection.cursor()
    cursor.execute("SELECT t.id AS number, COUNT(*) AS c, MAX(deci) FROM types t GROUP BY t.id")
    cursor.fetchall()
    same([entry[0] for entry in cursor.description], ["number", "c", "MAX(deci)"])
    same([entry[1] for entry in cursor.description], [3, 8, 246])
    cursor.close()
    columns = rows(
        connection,
        "SELECT column_name, column_type, is_nullable, column_key FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND table_name = 'types' ORDER BY ordinal_position LIMIT 3",
    )
    text = lambda value: value.decode() if isinstance(value, (bytes, bytearray)) else value
    columns = [tuple(text(value) for value in row) for row in columns]
    same(columns, [("id", "int(11)", "NO", "PRI"), ("i8", "tinyint(4)", "YES", ""), ("u8", "tinyint(3) unsigned", "YES", "")])


def stream():
    connection = connect()
    if CONNECTOR:
        cursor = connection.cursor(buffered=False)
    else:
        cursor = connection.cursor(SSCursor)
    cursor.execute("SELECT a, b FROM many ORDER BY id")
    same(tuple(cursor.fetchone()), (0, "name 0"))
    same([row[0] for row in cursor.fetchmany(10)], list(range(1, 11)))
    total = sum(1 for _ in iter(cursor.fetchone, None))
    same(total, 1989 + (100 if CONNECTOR else 0))
    cursor.close()
    same(rows(connection, "SELECT 1"), [(1,)])


def main():
    admin = connect(database=None)
    run(admin, f"DROP DATABASE IF EXISTS {DATABASE}")
    run(admin, f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
    admin.close()
    topics = [login, tls, types, transactions, conflict, blob, errors, ids, batch, multi, metadata, stream]
    failed = 0
    for topic in topics:
        try:
            topic()
            print(f"test {NAME}::{topic.__name__} ... ok", flush=True)
        except Exception:
            failed += 1
            traceback.print_exc(file=sys.stdout)
            print(f"test {NAME}::{topic.__name__} ... FAILED", flush=True)
    sys.exit(failed > 0)


main()

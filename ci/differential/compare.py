#!/usr/bin/env python3
"""Sends the same generated SELECTs to Marmot and to MariaDB, and compares what comes back.

    compare.py --seed N --queries N --marmot PORT --mariadb PORT [--show N] [--floor PERCENT]

Equal seeds send equal queries. Answers are compared as text, in order only under ORDER BY; numbers that are floating point on
either side to 12 digits; errors by their number. Whatever differs is printed with both answers, and counts; what the list KNOWN
names is counted apart. Exit code 1 if fewer than PERCENT of the others agree.

Needs PyMySQL.
"""
import argparse
import random
import re
import sys

import pymysql

TABLES = {
    "t": [
        ("id", "INT NOT NULL PRIMARY KEY"),
        ("i", "INT"),
        ("u", "INT UNSIGNED"),
        ("b", "BIGINT"),
        ("d", "DECIMAL(10,3)"),
        ("f", "DOUBLE"),
        ("s", "VARCHAR(20)"),
        ("c", "VARCHAR(20) COLLATE utf8mb4_bin"),
        ("dt", "DATETIME"),
        ("da", "DATE"),
        ("tm", "TIME"),
        ("e", "ENUM('red','green','blue')"),
    ],
    "w": [
        ("id", "INT NOT NULL PRIMARY KEY"),
        ("i", "INT"),
        ("s", "VARCHAR(20)"),
        ("d", "DECIMAL(8,2)"),
        ("da", "DATE"),
    ],
}

INTEGERS = ["NULL", "0", "1", "-1", "2", "3", "7", "10", "42", "-100", "255", "65536"]
DECIMALS = ["NULL", "0.5", "-0.25", "1.000", "2.5", "10.125", "-3.999", "99.99", "0.001"]
FLOATS = ["NULL", "0e0", "1.5e0", "-2.25e0", "1e3", "0.1e0"]
STRINGS = ["NULL", "''", "'a'", "'A'", "'abc'", "'Abc'", "'b'", "'10'", "'-1.5'", "'x y'", "'3abc'", "'%'", "'2024-02-29'"]
DATES = ["NULL", "'2024-02-29'", "'1999-12-31'", "'2000-01-01'", "'2024-12-31'"]
DATETIMES = ["NULL", "'2024-02-29 12:34:56'", "'1999-12-31 23:59:59'", "'2000-01-01 00:00:00'"]
TIMES = ["NULL", "'00:00:00'", "'12:34:56'", "'-01:30:00'", "'100:00:01'"]
ENUMS = ["NULL", "'red'", "'green'", "'blue'"]

NUMBER, TEXT, DATE, DATETIME, TIME = "number", "text", "date", "datetime", "time"
KINDS = {
    "id": NUMBER, "i": NUMBER, "u": NUMBER, "b": NUMBER, "d": NUMBER, "f": NUMBER, "s": TEXT, "c": TEXT, "e": TEXT,
    "dt": DATETIME, "da": DATE, "tm": TIME,
}

# Where the two are known, and meant, to differ: a pattern of the query, and why.
KNOWN = [
    # Of REPLACE(x, y, NULL) MariaDB makes x where y does not occur, MySQL NULL.
    (r"REPLACE\(", "REPLACE with NULL"),
]


class Generator:
    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.columns = []

    def one(self, *choices):
        return self.dice.choice(choices)

    def chance(self, percent):
        return self.dice.randrange(100) < percent

    # ---- tables

    def rows(self):
        values = {
            "i": INTEGERS, "b": INTEGERS, "u": [v for v in INTEGERS if not v.startswith("-")], "d": DECIMALS, "f": FLOATS,
            "s": STRINGS, "c": STRINGS, "dt": DATETIMES, "da": DATES, "tm": TIMES, "e": ENUMS,
        }
        for table, columns in TABLES.items():
            for number in range(1, 13):
                cells = [str(number)] + [self.dice.choice(values[name]) for name, _ in columns[1:]]
                yield f"INSERT INTO {table} VALUES ({', '.join(cells)})"

    # ---- expressions

    def column(self, kind):
        fitting = [c for c, k in self.columns if k == kind]
        return self.dice.choice(fitting) if fitting else None

    def literal(self, kind):
        if kind == NUMBER:
            return self.one(*INTEGERS[:9], *DECIMALS[:6], *FLOATS[:4])
        if kind == TEXT:
            return self.dice.choice(STRINGS)
        if kind == DATE:
            return f"DATE {self.dice.choice(DATES[1:])}"
        if kind == DATETIME:
            return f"TIMESTAMP {self.dice.choice(DATETIMES[1:])}"
        return f"TIME {self.dice.choice(TIMES[1:])}"

    def expression(self, kind, depth=3):
        if depth <= 0 or self.chance(25):
            if self.chance(70):
                column = self.column(kind)
                if column:
                    return column
            return self.literal(kind)
        e = lambda k: self.expression(k, depth - 1)
        any_kind = lambda: e(self.one(NUMBER, TEXT, DATE, DATETIME, TIME))
        if self.chance(15):
            return self.one(
                lambda: f"COALESCE({e(kind)}, {e(kind)})",
                lambda: f"IF({self.condition(depth - 1)}, {e(kind)}, {e(kind)})",
                lambda: f"IFNULL({e(kind)}, {e(kind)})",
                lambda: f"NULLIF({e(kind)}, {e(kind)})",
                lambda: f"CASE WHEN {self.condition(depth - 1)} THEN {e(kind)} ELSE {e(kind)} END",
                lambda: f"CASE {e(NUMBER)} WHEN {e(NUMBER)} THEN {e(kind)} END",
                lambda: f"GREATEST({e(kind)}, {e(kind)})",
                lambda: f"LEAST({e(kind)}, {e(kind)})",
            )()
        if kind == NUMBER:
            return self.one(
                lambda: f"({e(NUMBER)} {self.one('+', '-', '*', '/', 'DIV', '%')} {e(NUMBER)})",
                lambda: f"({e(NUMBER)} {self.one('+', '-', '*')} {e(NUMBER)})",
                lambda: f"(- {e(NUMBER)})",
                lambda: f"ABS({e(NUMBER)})",
                lambda: f"SIGN({e(NUMBER)})",
                lambda: f"FLOOR({e(NUMBER)})",
                lambda: f"CEIL({e(NUMBER)})",
                lambda: f"ROUND({e(NUMBER)}, {self.one(0, 1, 2, -1)})",
                lambda: f"TRUNCATE({e(NUMBER)}, {self.one(0, 1, 2)})",
                lambda: f"MOD({e(NUMBER)}, {e(NUMBER)})",
                lambda: f"LENGTH({e(TEXT)})",
                lambda: f"CHAR_LENGTH({e(TEXT)})",
                lambda: f"LOCATE({e(TEXT)}, {e(TEXT)})",
                lambda: f"ASCII({e(TEXT)})",
                lambda: f"STRCMP({e(TEXT)}, {e(TEXT)})",
                lambda: f"{self.one('YEAR', 'MONTH', 'DAYOFMONTH', 'DAYOFYEAR', 'WEEKDAY', 'QUARTER', 'TO_DAYS')}({e(DATE)})",
                lambda: f"{self.one('HOUR', 'MINUTE', 'SECOND')}({e(self.one(TIME, DATETIME))})",
                lambda: f"DATEDIFF({e(DATE)}, {e(DATETIME)})",
                lambda: f"TIMESTAMPDIFF({self.one('SECOND', 'MINUTE', 'HOUR', 'DAY', 'MONTH', 'YEAR')}, {e(DATETIME)}, {e(DATETIME)})",
                lambda: f"TIME_TO_SEC({e(TIME)})",
                lambda: f"CAST({any_kind()} AS {self.one('SIGNED', 'DECIMAL(10,2)', 'DOUBLE')})",
                lambda: f"({self.condition(depth - 1)})",
                lambda: f"({e(NUMBER)} {self.one('&', '|', '^')} {e(NUMBER)})",
                lambda: f"({any_kind()} + {e(NUMBER)})",
                lambda: f"FIELD({e(TEXT)}, {e(TEXT)}, {e(TEXT)})",
                lambda: f"INTERVAL({e(NUMBER)}, 0, 5, 10)",
                lambda: f"EXTRACT({self.one('YEAR', 'MONTH', 'DAY', 'YEAR_MONTH')} FROM {e(DATE)})",
            )()
        if kind == TEXT:
            return self.one(
                lambda: f"CONCAT({e(TEXT)}, {any_kind()})",
                lambda: f"CONCAT_WS('-', {any_kind()}, {any_kind()})",
                lambda: f"{self.one('UPPER', 'LOWER', 'TRIM', 'LTRIM', 'RTRIM', 'REVERSE', 'HEX')}({e(TEXT)})",
                lambda: f"SUBSTRING({e(TEXT)}, {self.one(-2, 0, 1, 2)}, {self.one(0, 1, 3)})",
                lambda: f"{self.one('LEFT', 'RIGHT')}({e(TEXT)}, {self.one(0, 1, 2, 5)})",
                lambda: f"REPLACE({e(TEXT)}, {e(TEXT)}, {e(TEXT)})",
                lambda: f"LPAD({e(TEXT)}, {self.one(0, 2, 5)}, 'xy')",
                lambda: f"REPEAT({e(TEXT)}, {self.one(-1, 0, 2)})",
                lambda: f"SUBSTRING_INDEX({e(TEXT)}, 'b', {self.one(-1, 1, 2)})",
                lambda: f"CAST({any_kind()} AS CHAR({self.one(2, 10)}))",
                lambda: f"DATE_FORMAT({e(DATETIME)}, '{self.one('%Y-%m-%d', '%W %M %e %Y', '%H:%i:%s', '%j %U %y')}')",
                lambda: f"FORMAT({e(NUMBER)}, {self.one(0, 2)})",
                lambda: f"ELT({e(NUMBER)}, 'one', 'two', {e(TEXT)})",
                lambda: f"{self.one('DAYNAME', 'MONTHNAME')}({e(DATE)})",
                lambda: f"INSERT({e(TEXT)}, 1, 2, {e(TEXT)})",
                lambda: f"BIN({e(NUMBER)})",
                lambda: f"CONV({e(NUMBER)}, 10, {self.one(2, 16, 36)})",
                lambda: f"QUOTE({e(TEXT)})",
                lambda: f"MD5({e(TEXT)})",
            )()
        if kind == DATE:
            return self.one(
                lambda: f"DATE({e(DATETIME)})",
                lambda: f"LAST_DAY({e(DATE)})",
                lambda: f"DATE_ADD({e(DATE)}, INTERVAL {self.one(-1, 1, 31, 400)} {self.one('DAY', 'WEEK', 'MONTH', 'QUARTER', 'YEAR')})",
                lambda: f"({e(DATE)} - INTERVAL {self.one(1, 29)} {self.one('DAY', 'MONTH', 'YEAR')})",
                lambda: f"FROM_DAYS({self.one(730000, 738000)})",
                lambda: f"MAKEDATE({self.one(2000, 2024)}, {self.one(1, 60, 366)})",
                lambda: f"CAST({e(DATETIME)} AS DATE)",
                lambda: f"STR_TO_DATE('{self.one('2024-02-29', '2023-01-05')}', '%Y-%m-%d')",
            )()
        if kind == DATETIME:
            return self.one(
                lambda: f"DATE_ADD({e(DATETIME)}, INTERVAL {self.one(-5, 1, 90)} {self.one('SECOND', 'MINUTE', 'HOUR', 'DAY', 'MONTH')})",
                lambda: f"TIMESTAMP({e(DATE)})",
                lambda: f"CAST({e(DATE)} AS DATETIME)",
                lambda: f"TIMESTAMPADD({self.one('MINUTE', 'DAY', 'MONTH')}, {self.one(-1, 1, 13)}, {e(DATETIME)})",
            )()
        return self.one(
            lambda: f"TIME({e(DATETIME)})",
            lambda: f"SEC_TO_TIME({self.one(-5, 0, 3661, 100000)})",
            lambda: f"MAKETIME({self.one(-1, 0, 12)}, {self.one(0, 30)}, {self.one(0, 59)})",
            lambda: f"ADDTIME({e(TIME)}, '01:00:00')",
        )()

    def condition(self, depth=2):
        kind = self.one(NUMBER, NUMBER, TEXT, TEXT, DATE, DATETIME, TIME)
        e = lambda k=kind: self.expression(k, depth - 1)
        if depth > 0 and self.chance(30):
            return self.one(
                lambda: f"({self.condition(depth - 1)} AND {self.condition(depth - 1)})",
                lambda: f"({self.condition(depth - 1)} OR {self.condition(depth - 1)})",
                lambda: f"(NOT {self.condition(depth - 1)})",
                lambda: f"({self.condition(depth - 1)} XOR {self.condition(depth - 1)})",
            )()
        return self.one(
            lambda: f"({e()} {self.one('=', '<>', '<', '<=', '>', '>=', '<=>')} {e()})",
            lambda: f"({e()} {self.one('=', '<', '>')} {self.expression(self.one(NUMBER, TEXT, DATE), depth - 1)})",
            lambda: f"({e()} IS {self.one('NULL', 'NOT NULL')})",
            lambda: f"({e()} {self.one('', 'NOT ')}IN ({e()}, {e()}))",
            lambda: f"({e()} BETWEEN {e()} AND {e()})",
            lambda: f"({e(TEXT)} LIKE {self.one(chr(39) + 'a%' + chr(39), chr(39) + '%b_' + chr(39), e(TEXT))})",
            lambda: f"({self.condition(depth - 1) if depth > 0 else '1 = 1'} IS {self.one('TRUE', 'NOT TRUE', 'UNKNOWN')})",
        )()

    # ---- queries

    def sources(self):
        t = [(f"t.{name}", KINDS[name]) for name, _ in TABLES["t"]]
        w = [(f"w.{name}", KINDS[name]) for name, _ in TABLES["w"]]
        if self.chance(50):
            self.columns = t
            return "t"
        self.columns = t + w
        return self.one(
            "t JOIN w ON t.id = w.id",
            "t LEFT JOIN w ON t.i = w.i",
            "t LEFT JOIN w ON t.id = w.id AND w.i > 1",
            "t JOIN w ON t.s = w.s",
            "w RIGHT JOIN t ON t.id = w.id + 6",
        )

    def kind(self):
        return self.one(NUMBER, NUMBER, NUMBER, TEXT, TEXT, DATE, DATETIME, TIME)

    def aggregate(self):
        number = lambda: self.expression(NUMBER, 2)
        return self.one(
            lambda: "COUNT(*)",
            lambda: f"COUNT({self.expression(self.kind(), 1)})",
            lambda: f"COUNT(DISTINCT {self.expression(self.kind(), 1)})",
            lambda: f"SUM({number()})",
            lambda: f"AVG({number()})",
            lambda: f"MIN({self.expression(self.kind(), 2)})",
            lambda: f"MAX({self.expression(self.kind(), 2)})",
            lambda: f"GROUP_CONCAT(DISTINCT {self.column(TEXT)} ORDER BY 1)",
            lambda: f"BIT_OR({self.column(NUMBER)})",
            lambda: f"STD({number()})",
        )()

    def query(self):
        source = self.sources()
        where = f" WHERE {self.condition()}" if self.chance(60) else ""
        shape = self.dice.randrange(10)
        if shape < 5:
            items = ", ".join(f"{self.expression(self.kind())} AS x{n}" for n in range(self.one(1, 2, 3)))
            distinct = "DISTINCT " if self.chance(10) else ""
            return f"SELECT {distinct}{items} FROM {source}{where}", False
        if shape < 7:
            items = ", ".join(f"{self.aggregate()} AS x{n}" for n in range(self.one(1, 2)))
            return f"SELECT {items} FROM {source}{where}", False
        if shape < 9:
            key = self.expression(self.kind(), 1)
            if re.fullmatch(r"-?[0-9.e]+|NULL|'.*'", key):
                key = "t.id"
            items = ", ".join(f"{self.aggregate()} AS x{n}" for n in range(self.one(1, 2)))
            having = f" HAVING COUNT(*) > {self.one(0, 1)}" if self.chance(30) else ""
            return f"SELECT {key} AS k, {items} FROM {source}{where} GROUP BY {key}{having}", False
        inner = self.one(
            lambda: f"t.i {self.one('IN', 'NOT IN')} (SELECT w2.i FROM w AS w2 WHERE w2.i IS NOT NULL)",
            lambda: "EXISTS (SELECT 1 FROM w AS w2 WHERE w2.i = t.i)",
            lambda: f"t.d > (SELECT {self.one('AVG', 'MIN', 'MAX')}(w2.d) FROM w AS w2)",
            lambda: "t.i >= ALL (SELECT w2.i FROM w AS w2 WHERE w2.i < 3)",
        )()
        return f"SELECT t.id, {self.expression(self.kind())} AS x FROM {source} WHERE {inner} ORDER BY t.id", False


def connect(port):
    return pymysql.connect(host="127.0.0.1", port=port, user="root", charset="utf8mb4", autocommit=True, read_timeout=20)


def ask(connection, sql):
    """-> ('rows', texts) or ('error', number)"""
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return "rows", [tuple(shown(cell) for cell in row) for row in cursor.fetchall()]
    except pymysql.err.MySQLError as error:
        return "error", error.args[0]


def shown(cell):
    if cell is None:
        return None
    if isinstance(cell, float):
        return f"{cell:.12g}"
    if isinstance(cell, bytes):
        return cell.decode("utf8", "backslashreplace")
    return str(cell)


def number(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def same_cell(a, b):
    if a == b:
        return True
    x, y = number(a), number(b)
    return x is not None and y is not None and "e" in (a + b) and abs(x - y) <= 1e-11 * max(abs(x), abs(y))


def same(a, b):
    if a[0] != b[0]:
        return False
    if a[0] == "error":
        return a[1] == b[1]
    if len(a[1]) != len(b[1]):
        return False
    order = lambda row: tuple((cell is None, cell or "") for cell in row)
    rows = zip(sorted(a[1], key=order), sorted(b[1], key=order))
    return all(len(r) == len(s) and all(map(same_cell, r, s)) for r, s in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--marmot", type=int, required=True)
    parser.add_argument("--mariadb", type=int, required=True)
    parser.add_argument("--show", type=int, default=40, help="differences to print")
    parser.add_argument("--floor", type=float, default=98.5)
    a = parser.parse_args()
    generator = Generator(a.seed)
    ours, theirs = connect(a.marmot), connect(a.mariadb)
    for connection in (ours, theirs):
        for statement in ["DROP DATABASE IF EXISTS differential", "CREATE DATABASE differential", "USE differential"]:
            assert ask(connection, statement)[0] == "rows", statement
        for name, columns in TABLES.items():
            create = f"CREATE TABLE {name} ({', '.join(f'{c} {t}' for c, t in columns)})"
            assert ask(connection, create)[0] == "rows", create
    for insert in generator.rows():
        answers = [ask(c, insert) for c in (ours, theirs)]
        assert answers[0] == answers[1] == ("rows", []), (insert, answers)
    different = known = refused = 0
    for _ in range(a.queries):
        sql, _ = generator.query()
        mine, other = ask(ours, sql), ask(theirs, sql)
        if same(mine, other):
            refused += mine[0] == "error"
            continue
        if any(re.search(pattern, sql) for pattern, _ in KNOWN):
            known += 1
            continue
        different += 1
        if different <= a.show:
            print(f"-- {sql};\n   Marmot : {mine[0]} {differing(mine, other)}\n   MariaDB: {other[0]} {differing(other, mine)}")
            sys.stdout.flush()
    agree = a.queries - different - known
    print(f"{a.queries} queries from seed {a.seed}: {agree} agree ({refused} of them as errors), {different} differ, {known} known to differ")
    return 1 if 100 * agree < a.floor * (agree + different) else 0


def differing(answer, other):
    """The rows that the other side does not have."""
    if answer[0] == "error" or other[0] == "error":
        return str(answer[1])[:200]
    rest = list(other[1])
    mine = []
    for row in answer[1]:
        rest.remove(row) if row in rest else mine.append(row)
    return str(mine[:4])[:300]


if __name__ == "__main__":
    sys.exit(main())

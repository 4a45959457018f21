//! Queries whose meaning depends on more than one place: exact numbers, names across query blocks, rows and collations.
#![cfg(feature = "shell")]

#[allow(dead_code)] // the other test binaries use the rest of it
mod sql_engine;

use sql_engine::{Engine, check};

fn code(engine: &mut Engine, sql: &str) -> u16 {
    engine.run(sql).unwrap_err().code
}

#[test]
fn decimals_are_exact_up_to_65_digits() {
    let mut engine = Engine::new();
    let rows = "INSERT INTO d VALUES (1, 12345678901234567890.1234567891, 1.5), (2, -12345678901234567890.1, 2.25), (3, 3.3, 0.1)";
    engine.run("CREATE TABLE d (id INT PRIMARY KEY, a DECIMAL(30,10), c DECIMAL(10,2))").unwrap();
    engine.run(rows).unwrap();
    check(
        &mut engine,
        &[
            ("SELECT id FROM d ORDER BY a", "2\n3\n1"),
            ("SELECT id FROM d WHERE a > 3 ORDER BY a DESC", "1\n3"),
            ("SELECT id FROM d WHERE a = 12345678901234567890.1234567891", "1"),
            ("SELECT id FROM d WHERE a = '12345678901234567890.1234567891'", "1"),
            ("SELECT id FROM d WHERE a BETWEEN -12345678901234567890.2 AND 4 ORDER BY id", "2\n3"),
            (
                "SELECT MIN(a), MAX(a), SUM(a), AVG(c), SUM(c) FROM d",
                "-12345678901234567890.1000000000|12345678901234567890.1234567891|3.3234567891|1.283333|3.85",
            ),
            (
                "SELECT a * 2, a / 3, a DIV 7, MOD(a, 7), ABS(a), FLOOR(a), CEIL(a), ROUND(a, 3), TRUNCATE(a, 2), -a FROM d WHERE id = 1",
                "24691357802469135780.2469135782|4115226300411522630.04115226303333|1763668414462081127|1.1234567891|\
                 12345678901234567890.1234567891|12345678901234567890|12345678901234567891|12345678901234567890.123|\
                 12345678901234567890.12|-12345678901234567890.1234567891",
            ),
            (
                "SELECT SUM(c) OVER (ORDER BY id), MAX(a) OVER (ORDER BY id ROWS 1 PRECEDING) FROM d",
                "1.50|12345678901234567890.1234567891\n3.75|12345678901234567890.1234567891\n3.85|3.3000000000",
            ),
            ("SELECT 1/3*3, 0.1 + 0.2, 1.5 * 1.5, 2/3, 10 DIV 3.3, 7.5 % 2.33", "1.0000|0.3|2.25|0.6667|3|0.51"),
            (
                "SELECT CAST('123456789012345678901234567890.55' AS DECIMAL(40,1)), CONCAT(a) FROM d WHERE id = 3",
                "123456789012345678901234567890.6|3.3000000000",
            ),
            ("UPDATE d SET a = a + 0.0000000001; SELECT a FROM d WHERE id = 1", "12345678901234567890.1234567892"),
        ],
    );
    assert_eq!(code(&mut engine, "SELECT 99999999999999999999.5 DIV 1"), 1690);
}

#[test]
fn aliases_and_aggregates_across_query_blocks() {
    let mut engine = Engine::new();
    engine.run("CREATE TABLE t (a INT, b INT); CREATE TABLE u (a INT, c INT); CREATE TABLE w (b INT, d INT)").unwrap();
    engine.run("INSERT INTO t VALUES (1,10), (2,20), (3,10); INSERT INTO u VALUES (1,100), (2,200)").unwrap();
    engine.run("INSERT INTO w VALUES (10,5), (20,6)").unwrap();
    check(
        &mut engine,
        &[
            ("SELECT 1 AS a, (SELECT a + a) AS b, (SELECT b)", "1|2|2"),
            ("SELECT a + 1 AS num, (SELECT num + 2 FROM t LIMIT 1) FROM t", "2|4\n3|5\n4|6"),
            ("SELECT a FROM t GROUP BY a HAVING (SELECT MAX(t.b) FROM u LIMIT 1) > 10", "2"),
            ("SELECT a, (SELECT SUM(t.b) FROM u WHERE u.a = 1) FROM t GROUP BY a", "1|10\n2|20\n3|10"),
            (
                "SELECT a, (SELECT c FROM u WHERE c = COUNT(*) * 100 LIMIT 1) FROM t GROUP BY a ORDER BY a",
                "1|100\n2|100\n3|100",
            ),
            (
                "SELECT a FROM t GROUP BY a HAVING EXISTS (SELECT 1 FROM u WHERE u.c / 10 = SUM(t.b)) ORDER BY a",
                "1\n2\n3",
            ),
            ("SELECT COUNT(*) FROM u WHERE c IN (SELECT SUM(u.c) FROM t)", "0"),
            ("SELECT a FROM u WHERE a = (SELECT MAX(u.a))", "1\n2"),
            ("SELECT b FROM t GROUP BY b HAVING COUNT(*) >= ALL (SELECT 2 FROM u)", "10"),
            ("SELECT COUNT(*) FROM t HAVING MAX(b) > 15", "3"),
            ("SELECT t.a, COUNT(*) FROM t, u GROUP BY a", "1|2\n2|2\n3|2"),
            ("SELECT COUNT(*) FROM t GROUP BY 'x'", "3"),
            ("SELECT t.a FROM t JOIN (u JOIN w ON c = 100) ON t.a = u.a", "1\n1"),
            ("SELECT t.a FROM t, u JOIN w ON u.c = 100 WHERE t.a = 1", "1\n1"),
            ("SELECT DISTINCT BIT_OR(a) OVER (ORDER BY a ROWS 1 PRECEDING) FROM t", "1\n3"),
        ],
    );
    for (sql, expected) in [
        ("SELECT (SELECT a) AS a", 1247),
        ("SELECT COUNT(*) AS c, (SELECT c + 1) FROM t", 1247),
        ("SELECT * FROM t, u JOIN w ON t.b = w.b", 1054),
        ("SELECT t.a AS v, u.a AS v FROM t, u ORDER BY v", 1052),
        ("SELECT SUM(a) AS s FROM t GROUP BY s", 1056),
        ("SELECT a FROM t WHERE SUM(a) > 1", 1111),
    ] {
        assert_eq!(code(&mut engine, sql), expected, "{sql}");
    }
}

#[test]
fn rows_against_subqueries() {
    let mut engine = Engine::new();
    engine.run("CREATE TABLE t (a INT, b INT); INSERT INTO t VALUES (1,10), (2,20)").unwrap();
    check(
        &mut engine,
        &[
            (
                "SELECT (SELECT 1, 2, 3) = ROW(1, 2, 3), ROW(1, 2) < (SELECT 1, 3), (SELECT 1, 2) = (SELECT 1, 2)",
                "1|1|1",
            ),
            ("SELECT COUNT(*) FROM t WHERE (SELECT a, b) IN (SELECT 1, 10)", "1"),
            ("SELECT 2 IN ((SELECT 1), (SELECT 2)), 1 = ((SELECT 1) UNION (SELECT 1))", "1|1"),
            ("SELECT COUNT(*) FROM (t x) JOIN ((t y)) ON x.a = y.a", "2"),
        ],
    );
    assert_eq!(code(&mut engine, "SELECT (SELECT a, b FROM t) = ROW(1, 10)"), 1242);
    assert_eq!(code(&mut engine, "SELECT (SELECT a, b FROM t) = ROW(1, 10, 3)"), 1241);
}

#[test]
fn variables_change_while_a_statement_runs() {
    let mut engine = Engine::new();
    check(
        &mut engine,
        &[
            ("SELECT @a := 1, @a + 1, @b := @c := 7, @c", "1|2|7|7"),
            ("SELECT @n := 0", "0"),
            ("SELECT @n := @n + 1, x FROM (SELECT 5 AS x UNION ALL SELECT 6) t", "1|5\n2|6"),
            ("SELECT @n", "2"),
            ("SELECT x, @r := @r + 1 FROM (SELECT 5 AS x UNION ALL SELECT 6) t, (SELECT @r := 10) r", "5|11\n6|12"),
        ],
    );
}

#[test]
fn collations_of_several_strings() {
    let mut engine = Engine::new();
    check(
        &mut engine,
        &[
            (
                "SELECT COLLATION(CONCAT(_latin2'a', _latin2'b')), CHARSET(LEFT(_latin1'ab', 1))",
                "latin2_general_ci|latin1",
            ),
            ("SELECT 'a' = 'A', 'a' = 'A' COLLATE utf8mb4_bin, 'a' IN ('A', 'b' COLLATE utf8mb4_bin)", "1|0|0"),
            ("SELECT 'b' BETWEEN 'A' AND 'C' COLLATE utf8mb4_bin, 'B' LIKE 'b' COLLATE utf8mb4_bin", "0|0"),
            ("SELECT COUNT(*) FROM (SELECT 1 AS x UNION SELECT '1' UNION SELECT 'a' UNION SELECT 'A') u", "2"),
        ],
    );
    assert_eq!(code(&mut engine, "SELECT _latin1'B' = _latin2'B'"), 1267);
    assert_eq!(code(&mut engine, "SELECT 'a' COLLATE utf8mb4_bin = 'a' COLLATE utf8mb4_general_ci"), 1267);
    assert_eq!(code(&mut engine, "SELECT 'a' COLLATE latin1_bin"), 1253);
}

#[test]
fn predicates_within_predicates() {
    let mut engine = Engine::new();
    check(
        &mut engine,
        &[
            ("SELECT 2 BETWEEN 1 AND 3 LIKE 1, (2 BETWEEN 1 AND 3) LIKE 1", "0|1"),
            ("SELECT 2 LIKE 1 ESCAPE 3 + 4, 'a%b' LIKE 'a|%b' ESCAPE CONCAT('|')", "0|1"),
            ("SELECT 2 | ('2000-01-01' + INTERVAL 1 DAY), -('2000-01-01' + INTERVAL 1 DAY)", "20000102|-20000102"),
            ("SELECT IF(1, DATE'2000-01-01', TIMESTAMP'2000-01-01 00:00:00.5')", "2000-01-01 00:00:00.0"),
            ("SELECT CAST('12' AS INT), 0xFFFFFFFFFFFFFFFF + 0", "12|18446744073709551615"),
        ],
    );
    assert_eq!(code(&mut engine, "SELECT 'x' LIKE 'y' ESCAPE CONCAT('a', 'b')"), 1210);
}

#[test]
fn returning_and_changes_of_several_tables() {
    let mut engine = Engine::new();
    engine.run("CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(10)); CREATE TABLE u (a INT PRIMARY KEY, d INT)").unwrap();
    check(
        &mut engine,
        &[
            ("INSERT INTO t VALUES (1,'x'), (2,'y') RETURNING a, CONCAT(b, '!') AS c", "1|x!\n2|y!"),
            ("REPLACE INTO t VALUES (2,'z') RETURNING *", "2|z"),
            ("INSERT INTO u VALUES (1,10), (2,20), (4,40) RETURNING u.d, (SELECT MAX(a) FROM t)", "10|2\n20|2\n40|2"),
            ("UPDATE t, u SET t.b = CONCAT(t.b, u.d), u.d = u.d + 1 WHERE t.a = u.a; SELECT * FROM t", "1|x10\n2|z20"),
            ("SELECT * FROM u", "1|11\n2|21\n4|40"),
            ("DELETE FROM u WHERE a > 1 ORDER BY a LIMIT 1 RETURNING d", "21"),
            ("SELECT COUNT(*) FROM u", "2"),
        ],
    );
    assert_eq!(code(&mut engine, "DELETE FROM t RETURNING COUNT(*)"), 1111);
}

#[test]
fn doubles_fit_their_columns() {
    let mut engine = Engine::new();
    engine.run("CREATE TABLE t (a CHAR(6), b CHAR(4))").unwrap();
    check(&mut engine, &[("INSERT INTO t VALUES (1.225877e-01, 9.999999e+0); SELECT * FROM t", "0.1226|10")]);
}

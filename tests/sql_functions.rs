//! What functions, operators and types answer where MySQL's rules differ from SQLite's: integers without sign, the number
//! of decimals, WITH ROLLUP, and functions that need more than one line of the manual.
#![cfg(feature = "shell")]

#[allow(dead_code)] // the other test binaries use the rest of it
mod sql_engine;

use sql_engine::{Engine, check};

#[test]
fn integers_without_sign() {
    let mut engine = Engine::new();
    engine.run("CREATE TABLE u (id INT PRIMARY KEY, d BIGINT UNSIGNED, s BIGINT, i INT UNSIGNED)").unwrap();
    engine.run("INSERT INTO u VALUES (1, 18446744073709551615, -1, 3), (2, 2, 7, 4)").unwrap();
    check(
        &mut engine,
        &[
            (
                "SELECT d+0, d-1, d DIV 1, d % 10, d * 1 FROM u WHERE id = 1",
                "18446744073709551615|18446744073709551614|18446744073709551615|5|18446744073709551615",
            ),
            ("SELECT IFNULL(d, s), COALESCE(s, d) FROM u WHERE id = 1", "18446744073709551615|-1"),
            (
                "SELECT FLOOR(d), CEIL(d), ROUND(d), FORMAT(d, 0), HEX(d) FROM u WHERE id = 1",
                "18446744073709551615|18446744073709551615|18446744073709551615|18,446,744,073,709,551,615|FFFFFFFFFFFFFFFF",
            ),
            ("SELECT LEFT('hello', 18446744073709551615), 9223372036854775808 DIV 1", "hello|9223372036854775808"),
            ("SELECT BIT_OR(d), BIT_COUNT(18446744073709551615) FROM u", "18446744073709551615|64"),
        ],
    );
    for sql in [
        "SELECT d + 1 FROM u",
        "SELECT i - 5 FROM u",
        "SELECT 9223372036854775808 * 2",
        "SELECT CAST(1 AS UNSIGNED) - 2",
        "SELECT -9223372036854775808 DIV -1 + 0 * d FROM u",
        "SELECT 18446744073709551615 DIV -1",
        "SELECT -d FROM u",
        "SELECT EXP(750)",
        "SELECT COT(0)",
    ] {
        assert_eq!(engine.run(sql).unwrap_err().code, 1690, "{sql}");
    }
}

#[test]
fn decimals_and_their_number() {
    let mut engine = Engine::new();
    engine.run("CREATE TABLE n (id INT PRIMARY KEY, d DECIMAL(10,2), f DOUBLE, i INT)").unwrap();
    engine.run("INSERT INTO n VALUES (1, 1.10, 0.5, 1), (2, 2.20, 1.5, 2)").unwrap();
    check(
        &mut engine,
        &[
            ("SELECT 0.8 = 0.7 + 0.1, 23.4 - (41.7) = -18.3, 0.1 + 0.2 IN (0.3)", "1|1|1"),
            ("SELECT COUNT(*) FROM n HAVING SUM(d) = 3.3", "2"),
            (
                "SELECT CONCAT(d, '|', i), IF(i, d, 'x'), CAST(d AS CHAR), CONCAT(1.50) FROM n WHERE id = 1",
                "1.10|1|1.10|1.10|1.50",
            ),
            ("SELECT AVG(i), AVG(d), VARIANCE(i) FROM n", "1.5000|1.650000|0.25"),
            ("SELECT FLOOR(d), CEIL(f), FLOOR(-1.5) FROM n WHERE id = 2", "2|2|-2"),
            (
                "SELECT 'a' BETWEEN 0 AND 5, CASE 'X' WHEN 1/1 THEN 1 WHEN 'X' THEN 2 END, 'b' BETWEEN 'a' AND 'c'",
                "1|2|1",
            ),
        ],
    );
    engine.modes = engine.modes.with_division_scale(6);
    check(&mut engine, &[("SELECT 1/3, AVG(i) FROM n", "0.333333|1.500000")]);
}

#[test]
fn rollup() {
    let mut engine = Engine::new();
    engine.run("CREATE TABLE r (a INT, b VARCHAR(5), n INT)").unwrap();
    check(&mut engine, &[("SELECT a, COUNT(*) FROM r GROUP BY a WITH ROLLUP", "")]);
    engine.run("INSERT INTO r VALUES (1,'x',1), (1,'y',3), (2,'x',1), (NULL,'x',5)").unwrap();
    check(
        &mut engine,
        &[
            (
                "SELECT a, b, SUM(n) FROM r WHERE n < 5 GROUP BY a, b WITH ROLLUP",
                "1|x|1\n1|y|3\n1|NULL|4\n2|x|1\n2|NULL|1\nNULL|NULL|5",
            ),
            ("SELECT a, COUNT(*), GROUPING(a) FROM r GROUP BY a WITH ROLLUP", "NULL|1|0\n1|2|0\n2|1|0\nNULL|4|1"),
            (
                "SELECT IFNULL(b, 'all') AS t, SUM(n + 1) FROM r GROUP BY b WITH ROLLUP ORDER BY 2 DESC",
                "all|14\nx|10\ny|4",
            ),
            ("SELECT a + 1 AS p, COUNT(*) FROM r GROUP BY p WITH ROLLUP HAVING COUNT(*) > 1", "2|2\nNULL|4"),
            ("SELECT DISTINCT 1 FROM r GROUP BY a WITH ROLLUP", "1"),
            ("SELECT MAX(s) FROM (SELECT SUM(n) AS s FROM r GROUP BY a WITH ROLLUP) AS q", "10"),
        ],
    );
}

#[test]
fn more_functions() {
    let mut engine = Engine::new();
    check(
        &mut engine,
        &[
            (
                "SELECT TRIM(LEADING FROM '  a '), TRIM(TRAILING FROM ' b  '), TRIM('x' FROM 'xax'), 'mood' SOUNDS LIKE 'mud'",
                "a | b|a|1",
            ),
            (
                "SELECT LPAD('a', 3), RPAD('a', 3), COERCIBILITY('a'), COERCIBILITY(1), COERCIBILITY(NULL), COERCIBILITY('a' COLLATE utf8mb4_bin)",
                "  a|a  |4|5|6|0",
            ),
            (
                "SELECT GET_FORMAT(DATE, 'USA'), GET_FORMAT(DATETIME, 'JIS'), FORMAT(1234567.891, 2, 'de_DE')",
                "%m.%d.%Y|%Y-%m-%d %H:%i:%s|1.234.567,89",
            ),
            (
                "SELECT UNCOMPRESS(COMPRESS('abc')), UNCOMPRESSED_LENGTH(COMPRESS('abc')), CRC32('MySQL')",
                "x'616263'|3|3259397556",
            ),
            (
                "SELECT JSON_ARRAY_INSERT('[1, 2]', '$[1]', 'x'), JSON_EXTRACT('[1,2,3,4]', '$[last-1 to last]'), JSON_COMPACT('{\"a\": [1, 2]}')",
                "[1, \"x\", 2]|[3, 4]|{\"a\":[1,2]}",
            ),
            (
                "SELECT (1, (2, 3)) = (1, (2, 3)), ROW(1, ROW(2, 3)) IN (ROW(1, ROW(2, 4))), NVL(NULL, 2), NVL2(NULL, 1, 2)",
                "1|0|2|2",
            ),
            (
                "SELECT FIELD('b' COLLATE utf8mb4_bin, 'B', 'b'), FIND_IN_SET('b', 'A,B' COLLATE utf8mb4_bin), STRCMP('a', 'A' COLLATE utf8mb4_bin)",
                "2|0|1",
            ),
            (
                "SELECT CAST('100:00:00' AS TIME) > CAST('24:00:00' AS TIME), TIME '10:20:31.000' = TIME '10:20:31', CAST(TIME '10:11:12' AS DATETIME)",
                "1|1|2024-03-15 10:11:12",
            ),
            ("SELECT ROW_NUMBER() OVER (ORDER BY 1) - 2", "-1"),
            (
                "SELECT 'B' BETWEEN 'a' COLLATE utf8mb4_bin AND 'c', 'B' BETWEEN 'a' AND 'c', MAX(DISTINCT 1) OVER ()",
                "0|1|1",
            ),
            (
                "SELECT RAND(0), RAND(n) FROM (SELECT 0 AS n UNION ALL SELECT 0) AS t",
                "0.15522042769493574|0.15522042769493574\n0.620881741513388|0.15522042769493574",
            ),
            (
                "SELECT JSON_EXTRACT('{\"a\": true}', '$.a') = TRUE, 'a1' LIKE 'a1' ESCAPE 3, RANDOM_BYTES(NULL)",
                "1|1|NULL",
            ),
        ],
    );
    for (sql, code) in [
        ("SELECT ROW(1, 2)", 1241),
        ("SELECT (1, (2, 3)) = (1, 2)", 1241),
        ("SELECT JSON_ARRAYAGG(DISTINCT 1)", 1235),
        ("SELECT CAST(1 AS DECIMAL(2,3))", 1427),
        ("SELECT CAST(1 AS DECIMAL(65,39))", 1425),
    ] {
        assert_eq!(engine.run(sql).unwrap_err().code, code, "{sql}");
    }
}

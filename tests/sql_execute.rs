//! The translator's output run on SQLite: what MySQL's manual says a statement answers is what it answers here.
#![cfg(feature = "shell")]

#[allow(dead_code)] // the other test binary uses the rest of it
mod sql_engine;

use marmot::types::Value;
use sql_engine::{Engine, check};

#[test]
fn operators() {
    let mut engine = Engine::new();
    check(
        &mut engine,
        &[
            (
                "SELECT 1/3, 7/2, 10/0, 1.5/2, 7 DIV 2, -7 DIV 2, 7 % 3, 7 MOD 3, MOD(7.5, 2)",
                "0.3333|3.5000|NULL|0.75000|3|-3|1|1|1.5",
            ),
            ("SELECT 0.1 + 0.2, 1.10 * 2, 3 * 1.5, 2 + 2, '3' + 4, '3abc' + 4", "0.3|2.20|4.5|4|7|7"),
            ("SELECT 1 = 1 && 2 = 3, 1 = 2 || 2 = 2, 1 XOR 1, 1 = 1 XOR 1 = 2, !0, NOT 1", "0|1|0|1|1|0"),
            ("SELECT 5 & 3, 5 | 3, 5 ^ 3, ~0, 1 << 4, 16 >> 2, 1 ^ 2 * 3", "1|7|6|18446744073709551615|16|4|9"),
            ("SELECT -2 ^ 1, 2 + 3 & 1, 1 << 2 + 1", "18446744073709551615|1|8"),
            ("SELECT NULL <=> NULL, 1 <=> NULL, 1 <=> 1, NULL = NULL", "1|0|1|NULL"),
            (
                "SELECT 'a' = 'A', BINARY 'a' = 'A', 'a' LIKE 'A', 'abc' LIKE 'A%' = 1, 'a' COLLATE utf8mb4_bin = 'A'",
                "1|0|1|1|0",
            ),
            (
                "SELECT 'a%c' LIKE 'a\\%c', 'abc' LIKE 'a\\%c', 'a_c' LIKE 'a|_c' ESCAPE '|', 'abc' NOT LIKE 'b%'",
                "1|0|1|1",
            ),
            ("SELECT 'Monty' REGEXP '^m', 'a' REGEXP 'b', 'new\\nline' RLIKE 'n.w', 'a' NOT REGEXP 'b'", "1|0|1|1"),
            ("SELECT 2 BETWEEN 1 AND 3, 'b' BETWEEN 'A' AND 'C', 1 NOT BETWEEN 2 AND 3", "1|1|1"),
            (
                "SELECT 2 IN (1, 2), 'A' IN ('a', 'b'), 3 NOT IN (1, 2), (1, 2) IN ((1, 2), (3, 4)), 1 IN (2, NULL)",
                "1|1|1|1|NULL",
            ),
            ("SELECT TRUE, FALSE, NULL IS NULL, 1 IS TRUE, 0 IS NOT TRUE, NULL IS UNKNOWN", "1|0|1|1|1|1"),
            ("SELECT 1 + 1 AS a, \"double\" AS b, 'it''s' 'joined', N'n', _utf8mb4'x'", "2|double|it'sjoined|n|x"),
            ("SELECT x'4D7953514C', 0x41 + 0, b'101' + 0, HEX(0xFF)", "x'4d7953514c'|65|5|FF"),
            (
                "SELECT -5, - 5, -(-5), +5, -9223372036854775808, 18446744073709551615",
                "-5|-5|5|5|-9223372036854775808|18446744073709551615",
            ),
            ("SELECT CASE 2 WHEN 1 THEN 'one' WHEN 2 THEN 'two' END, CASE WHEN 0 THEN 1 END", "two|NULL"),
            (
                "SELECT IF(1 > 2, 2, 3), IF(1, 'yes', 'no'), IFNULL(NULL, 10), NULLIF(1, 1), NULLIF('a', 'A'), COALESCE(NULL, NULL, 1)",
                "3|yes|10|NULL|NULL|1",
            ),
            (
                "SELECT 1 > ALL (SELECT 0 UNION SELECT 2), 1 > ANY (SELECT 0 UNION SELECT 2), 2 = ANY (SELECT 2)",
                "0|1|1",
            ),
            ("SELECT (1, 2) = (1, 2), (1, 2) < (1, 3), ROW(1, 2) <=> ROW(1, NULL)", "1|1|0"),
            (
                "SELECT '2024-01-31' + INTERVAL 1 MONTH, INTERVAL 1 DAY + '2023-12-31', DATE '2024-03-01' - INTERVAL 1 DAY",
                "2024-02-29|2024-01-01|2024-02-29",
            ),
        ],
    );
}

#[test]
fn functions() {
    let mut engine = Engine::new();
    check(
        &mut engine,
        &[
            (
                "SELECT CONCAT('My', 'S', 'QL'), CONCAT_WS(',', 'First', NULL, 'Last'), LENGTH('ä'), CHAR_LENGTH('ä')",
                "MySQL|First,Last|2|1",
            ),
            (
                "SELECT SUBSTRING('Quadratically', 5), SUBSTRING('foobarbar' FROM 4), SUBSTRING('Sakila', -3), SUBSTR('Sakila', -5, 3), MID('abc', 2, 1)",
                "ratically|barbar|ila|aki|b",
            ),
            (
                "SELECT TRIM('  bar  '), TRIM(LEADING 'x' FROM 'xxxbarxxx'), TRIM(BOTH 'x' FROM 'xxxbarxxx'), LTRIM('  a'), RTRIM('a  ')",
                "bar|barxxx|bar|a|a",
            ),
            (
                "SELECT UPPER('über'), LOWER('ÄB'), LEFT('foobar', 3), RIGHT('foobar', 2), REPLACE('www.x', 'w', 'Ww')",
                "ÜBER|äb|foo|ar|WwWwWw.x",
            ),
            (
                "SELECT LOCATE('bar', 'foobarbar'), POSITION('BAR' IN 'foobar'), INSTR('foobarbar', 'bar'), LOCATE('xbar', 'foobar')",
                "4|4|4|0",
            ),
            (
                "SELECT LPAD('hi', 4, '??'), RPAD('hi', 5, '?'), REPEAT('ab', 2), REVERSE('abc'), SPACE(2)",
                "??hi|hi???|abab|cba|  ",
            ),
            (
                "SELECT FIELD('b', 'a', 'b'), FIND_IN_SET('b', 'a,b'), ELT(2, 'a', 'b'), FORMAT(12332.2, 2), ASCII('a')",
                "2|2|b|12,332.20|97",
            ),
            (
                "SELECT MD5('testing'), SHA1('abc'), CRC32('MySQL'), HEX('abc'), UNHEX('4142'), CHAR(77, 121 USING utf8mb4)",
                "ae2b1fca515949e5d54fb22b8ed95575|a9993e364706816aba3e25717850c26c9cd0d89d|3259397556|616263|x'4142'|My",
            ),
            (
                "SELECT ABS(-32), ROUND(1.298, 1), ROUND(-1.58), ROUND(150.5), ROUND(23.298, -1), TRUNCATE(1.999, 1), CEIL(1.23), FLOOR(-1.23)",
                "32|1.3|-2|151|20|1.9|2|-2",
            ),
            (
                "SELECT POW(2, 10), SQRT(4), SIGN(-3), GREATEST(2, 0, 5), LEAST('B', 'a', 'C'), PI() > 3.14, CONV('a', 16, 2)",
                "1024|2|-1|5|a|1|1010",
            ),
            (
                "SELECT DATE_FORMAT('2009-10-04 22:23:00', '%W %M %Y'), STR_TO_DATE('01,5,2013', '%d,%m,%Y'), DATE_ADD('2018-05-01', INTERVAL 1 DAY)",
                "Sunday October 2009|2013-05-01|2018-05-02",
            ),
            (
                "SELECT DATEDIFF('2007-12-31 23:59:59', '2007-12-30'), TIMESTAMPDIFF(MONTH, '2003-02-01', '2003-05-01'), TIMESTAMPADD(MINUTE, 1, '2003-01-02')",
                "1|3|2003-01-02 00:01:00",
            ),
            (
                "SELECT NOW(), CURDATE(), CURRENT_TIMESTAMP, CURTIME(), NOW(3), UNIX_TIMESTAMP()",
                "2024-03-15 10:20:30|2024-03-15|2024-03-15 10:20:30|10:20:30|2024-03-15 10:20:30.123|1710498030",
            ),
            (
                "SELECT NOW() + 0, CURDATE() + 0, NOW() - INTERVAL 1 DAY, YEAR(NOW()), EXTRACT(YEAR_MONTH FROM NOW()), LAST_DAY(NOW())",
                "20240315102030|20240315|2024-03-14 10:20:30|2024|202403|2024-03-31",
            ),
            (
                "SELECT FROM_UNIXTIME(1447430881), UNIX_TIMESTAMP('2015-11-13 10:20:19'), DAYNAME('2007-02-03'), WEEK('2008-02-20'), QUARTER('2008-04-01')",
                "2015-11-13 16:08:01|1447410019|Saturday|7|2",
            ),
            (
                "SELECT CAST('123abc' AS SIGNED), CAST(-1 AS UNSIGNED), CAST(1.5 AS SIGNED), CAST('1.55' AS DECIMAL(4,1)), CAST(42 AS CHAR), CONVERT('2024-01-02', DATE)",
                "123|18446744073709551615|2|1.6|42|2024-01-02",
            ),
            (
                "SELECT CAST('2024-01-02 03:04:05' AS TIME), CONVERT('a' USING utf8mb4), CAST('{\"b\":1,\"a\":2}' AS JSON), CAST('x' AS BINARY)",
                "03:04:05|a|{\"a\": 2, \"b\": 1}|x'78'",
            ),
            (
                "SELECT DATABASE(), USER(), VERSION(), CONNECTION_ID(), @@version, @@session.autocommit",
                "shop|root@localhost|8.0.40-marmot|7|8.0.40-marmot|1",
            ),
            (
                "SELECT JSON_EXTRACT('{\"a\": [1, 2]}', '$.a[1]'), JSON_OBJECT('id', 1, 'ok', TRUE, 'l', JSON_ARRAY(1, 'x')), JSON_UNQUOTE('\"a\"')",
                "2|{\"l\": [1, \"x\"], \"id\": 1, \"ok\": true}|a",
            ),
            (
                "SELECT JSON_SET('{\"a\": 1}', '$.b', 2), JSON_CONTAINS('[1,2]', '1'), JSON_LENGTH('[1,2,3]'), JSON_VALID('x'), JSON_KEYS('{\"a\":1}')",
                "{\"a\": 1, \"b\": 2}|1|3|0|[\"a\"]",
            ),
            (
                "SELECT LENGTH(UUID()), RAND(3) = RAND(3), REGEXP_REPLACE('a b c', 'b', 'X'), INET_ATON('10.0.5.9'), ISNULL(1/0)",
                "36|1|a X c|167773449|1",
            ),
        ],
    );
}

#[test]
fn names_of_result_columns() {
    let mut engine = Engine::new();
    engine.run("CREATE TABLE t (id INT PRIMARY KEY, Name VARCHAR(10))").unwrap();
    assert_eq!(
        engine.names("SELECT 1+1, NOW( ), 'text', id, t.Name, COUNT( * ) c, (SELECT 2), @@version FROM t GROUP BY id"),
        "1+1|NOW( )|text|id|Name|c|(SELECT 2)|@@version"
    );
    assert_eq!(engine.names("SELECT * FROM t"), "id|Name");
    assert_eq!(engine.names("SELECT 42"), "42");
    // The plan of the shape must not bring its name along.
    assert_eq!(engine.names("SELECT 43"), "43");
    assert_eq!(engine.names("SELECT CONCAT('a', 1)"), "CONCAT('a', 1)");
    assert_eq!(engine.names("SELECT CONCAT('b', 2)"), "CONCAT('b', 2)");
}

fn shop() -> Engine {
    let mut engine = Engine::new();
    engine
        .run(
            "CREATE TABLE customers (
               id INT UNSIGNED NOT NULL AUTO_INCREMENT, name VARCHAR(50) NOT NULL, city VARCHAR(30) DEFAULT 'Bern',
               born DATE, PRIMARY KEY (id), KEY (city));
             CREATE TABLE orders (
               id BIGINT NOT NULL PRIMARY KEY, customer INT UNSIGNED, amount DECIMAL(10,2) NOT NULL DEFAULT '0.00',
               placed DATETIME DEFAULT CURRENT_TIMESTAMP, state ENUM('open','paid','sent') NOT NULL DEFAULT 'open',
               KEY customer (customer));
             INSERT INTO customers (name, city, born) VALUES ('Anna','Bern','1980-01-02'), ('Bert','Basel',NULL), ('carl','Bern','1999-12-31');
             INSERT INTO orders (id, customer, amount, placed, state) VALUES
               (1, 1, 10.50, '2024-01-01', 'paid'), (2, 1, 20, '2024-01-02 10:00:00', 'open'), (3, 2, 5.25, '2024-02-01', 'sent'), (4, NULL, 1, NULL, 'open')",
        )
        .unwrap();
    engine
}

#[test]
fn queries() {
    let mut engine = shop();
    check(
        &mut engine,
        &[
            (
                "SELECT c.name, o.amount FROM customers c JOIN orders o ON o.customer = c.id ORDER BY o.id",
                "Anna|10.50\nAnna|20.00\nBert|5.25",
            ),
            (
                "SELECT name, COUNT(o.id) n, SUM(amount), AVG(amount) FROM customers c LEFT JOIN orders o ON o.customer = c.id GROUP BY c.id, name ORDER BY n DESC, name",
                "Anna|2|30.50|15.250000\nBert|1|5.25|5.250000\ncarl|0|NULL|NULL",
            ),
            ("SELECT city, COUNT(*) FROM customers GROUP BY city HAVING COUNT(*) > 1", "Bern|2"),
            ("SELECT name n FROM customers WHERE name = 'ANNA' OR name LIKE 'c%' ORDER BY n", "Anna\ncarl"),
            ("SELECT name FROM customers ORDER BY name DESC LIMIT 1, 1", "Bert"),
            ("SELECT name FROM customers ORDER BY 1 LIMIT 2 OFFSET 1", "Bert\ncarl"),
            ("SELECT id FROM customers WHERE id = '2'", "2"),
            ("SELECT COUNT(*) FROM customers WHERE id = 'abc'", "0"),
            ("SELECT id FROM orders WHERE placed >= '2024-1-2' AND placed < '2024-02-01'", "2"),
            ("SELECT id FROM customers WHERE born = '1980-01-02 00:00:00'", "1"),
            ("SELECT id FROM customers WHERE born BETWEEN 19800101 AND 19801231", "1"),
            ("SELECT id, state FROM orders ORDER BY state DESC, id", "3|sent\n1|paid\n2|open\n4|open"),
            ("SELECT id FROM orders WHERE state = 2", "1"),
            ("SELECT name FROM customers WHERE id IN (SELECT customer FROM orders WHERE amount > 6)", "Anna"),
            (
                "SELECT name, (SELECT SUM(amount) FROM orders o WHERE o.customer = c.id) s FROM customers c ORDER BY id",
                "Anna|30.50\nBert|5.25\ncarl|NULL",
            ),
            (
                "SELECT name FROM customers c WHERE EXISTS (SELECT * FROM orders WHERE customer = c.id) AND NOT EXISTS (SELECT 1 FROM orders WHERE customer = c.id AND state = 'sent')",
                "Anna",
            ),
            (
                "SELECT t.n, t.k FROM (SELECT city AS n, COUNT(*) AS k FROM customers GROUP BY city) AS t ORDER BY t.k DESC",
                "Bern|2\nBasel|1",
            ),
            (
                "WITH x AS (SELECT id, name FROM customers WHERE city = 'bern'), y (a) AS (SELECT id FROM x) SELECT COUNT(*) FROM y",
                "2",
            ),
            (
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT GROUP_CONCAT(i ORDER BY i DESC SEPARATOR '-') FROM n",
                "5-4-3-2-1",
            ),
            (
                "SELECT name FROM customers UNION SELECT 'Zoe' UNION ALL SELECT 'Zoe' ORDER BY name DESC LIMIT 3",
                "Zoe\nZoe\ncarl",
            ),
            ("(SELECT 1 AS a) UNION (SELECT 2 ORDER BY 1 LIMIT 1) ORDER BY a DESC", "2\n1"),
            ("SELECT 1 UNION SELECT 2 INTERSECT SELECT 2 EXCEPT SELECT 1", "2"),
            (
                "SELECT id, ROW_NUMBER() OVER (PARTITION BY customer ORDER BY id) r, SUM(amount) OVER w FROM orders WINDOW w AS (ORDER BY id ROWS UNBOUNDED PRECEDING) ORDER BY id",
                "1|1|10.50\n2|2|30.50\n3|1|35.75\n4|1|36.75",
            ),
            ("SELECT LAG(id, 1, 0) OVER (ORDER BY id) FROM orders ORDER BY id", "0\n1\n2\n3"),
            (
                "SELECT COUNT(DISTINCT city), COUNT(DISTINCT city, name), GROUP_CONCAT(DISTINCT city ORDER BY city SEPARATOR ';') FROM customers",
                "2|3|Basel;Bern",
            ),
            ("SELECT DISTINCT UPPER(city) c FROM customers ORDER BY c", "BASEL\nBERN"),
            (
                "SELECT MIN(name), MAX(amount), BIT_OR(o.id), STD(o.id) FROM customers c, orders o WHERE o.customer = c.id",
                "Anna|20.00|3|0.8165",
            ),
            ("SELECT COUNT(*) FROM customers NATURAL JOIN (SELECT 1 AS id, 2 AS x) t", "1"),
            ("SELECT * FROM (SELECT 1 AS id, 'a' AS p) a LEFT JOIN (SELECT 1 AS id, 'b' AS q) b USING (id)", "1|a|b"),
            (
                "SELECT a.id, b.q FROM (SELECT 1 AS id) a RIGHT JOIN (SELECT 2 AS id, 'b' AS q) b ON a.id = b.id",
                "NULL|b",
            ),
            (
                "SELECT c.name FROM customers c LEFT JOIN (orders o JOIN customers d ON d.id = o.customer) ON o.customer = c.id AND o.amount > 15 WHERE o.id IS NOT NULL",
                "Anna",
            ),
            (
                "SELECT amount + 1, amount * 2, amount / 3, -amount, ROUND(amount) FROM orders WHERE id = 1",
                "11.50|21.00|3.500000|-10.50|11",
            ),
            (
                "SELECT YEAR(placed) y, MONTH(placed), COUNT(*) FROM orders WHERE placed IS NOT NULL GROUP BY y, MONTH(placed) ORDER BY 2",
                "2024|1|2\n2024|2|1",
            ),
            ("SELECT IF(amount > 6, 'big', 'small') s, COUNT(*) FROM orders GROUP BY s ORDER BY s", "big|2\nsmall|2"),
            ("SELECT name FROM shop.customers WHERE shop.customers.id = 1", "Anna"),
            ("SELECT 1 FROM DUAL WHERE 1 HAVING 1", "1"),
            ("SELECT id AS x FROM customers HAVING x > 2", "3"),
            ("SELECT id, id * 10 AS name FROM customers HAVING name IN (20, 'x')", "2|20"),
            ("SELECT MAX(id) AS id FROM customers HAVING MAX(id) > 2", "3"),
            ("SELECT id + 1 AS id, COUNT(*) FROM customers GROUP BY id HAVING id = 1", "2|1"),
            ("VALUES ROW(1, 'a'), ROW(2, 'b')", "1|a\n2|b"),
            ("SELECT id FROM customers WHERE name = 'Anna' LOCK IN SHARE MODE", "1"),
            ("SELECT SQL_CALC_FOUND_ROWS id FROM customers ORDER BY id LIMIT 1", "1"),
            ("SELECT COALESCE(born, 'never') FROM customers WHERE id = 2", "never"),
            ("SELECT * FROM orders WHERE (customer, state) = (1, 'paid')", "1|1|10.50|2024-01-01 00:00:00|paid"),
            ("SELECT id FROM orders WHERE (customer, state) IN (SELECT customer, state FROM orders WHERE id = 2)", "2"),
        ],
    );
}

#[test]
fn writes() {
    let mut engine = shop();
    let all = "SELECT id, name, city FROM customers ORDER BY id";
    check(
        &mut engine,
        &[
            ("INSERT INTO customers SET name = 'Dora', city = DEFAULT", ""),
            ("SELECT name, city, id > 3 FROM customers WHERE name = 'Dora'", "Dora|Bern|1"),
            ("DELETE FROM customers WHERE name = 'Dora'", ""),
            ("UPDATE customers SET city = CONCAT(city, '!'), name = city WHERE id = 1", ""),
            (all, "1|Bern!|Bern!\n2|Bert|Basel\n3|carl|Bern"),
            ("UPDATE customers SET name = 'last' ORDER BY id DESC LIMIT 1", ""),
            (all, "1|Bern!|Bern!\n2|Bert|Basel\n3|last|Bern"),
            (
                "INSERT INTO customers (id, name) VALUES (1, 'again') ON DUPLICATE KEY UPDATE name = CONCAT(VALUES(name), '-', name), city = 'Chur'",
                "",
            ),
            ("INSERT INTO customers (id, name) VALUES (2, 'new') AS n ON DUPLICATE KEY UPDATE name = n.name", ""),
            (
                "INSERT INTO customers (id, name) VALUES (3, 'renamed') AS n (i, m) ON DUPLICATE KEY UPDATE name = m, city = CONCAT(n.m, '?')",
                "",
            ),
            (all, "1|again-Bern!|Chur\n2|new|Basel\n3|renamed|renamed?"),
            ("INSERT IGNORE INTO customers (id, name) VALUES (1, 'x'), (9, 'nine')", ""),
            ("REPLACE INTO customers (id, name) VALUES (9, 'NINE')", ""),
            (all, "1|again-Bern!|Chur\n2|new|Basel\n3|renamed|renamed?\n9|NINE|Bern"),
            ("DELETE FROM customers ORDER BY id LIMIT 2", ""),
            (all, "3|renamed|renamed?\n9|NINE|Bern"),
            (
                "INSERT INTO customers (id, name) SELECT id + 100, state FROM orders WHERE id < 3 ON DUPLICATE KEY UPDATE name = 'dup'",
                "",
            ),
            ("SELECT name FROM customers WHERE id > 100 ORDER BY id", "paid\nopen"),
            (
                "UPDATE orders o JOIN customers c ON c.id = o.id + 100 SET o.amount = o.amount + 1, o.state = c.name WHERE o.id = 1",
                "",
            ),
            ("SELECT amount, state FROM orders WHERE id = 1", "11.50|paid"),
            ("DELETE o FROM orders o LEFT JOIN customers c ON c.id = o.customer WHERE c.id IS NULL", ""),
            ("SELECT COUNT(*) FROM orders", "0"),
            (
                "INSERT INTO orders (id, customer) VALUES (10, NULL); INSERT INTO orders VALUES (11, 1, DEFAULT, '2024-05-06 07:08:09.6', 3)",
                "",
            ),
            ("SELECT * FROM orders", "10|NULL|0.00|2024-03-15 10:20:30|open\n11|1|0.00|2024-05-06 07:08:10|sent"),
            ("DELETE FROM orders; SELECT COUNT(*) FROM orders", "0"),
        ],
    );
    assert_eq!(
        engine.error("INSERT INTO customers (name) VALUES ('a', 'b')"),
        "1136 Column count doesn't match value count at row 1"
    );
    assert_eq!(
        engine.error("INSERT INTO customers (city) VALUES ('a')"),
        "1364 Field 'name' doesn't have a default value"
    );
    assert_eq!(engine.error("INSERT INTO customers (name) VALUES (NULL)"), "1048 Column 'name' cannot be null");
    assert_eq!(engine.error("UPDATE customers SET name = NULL"), "1048 Column 'name' cannot be null");
}

#[test]
fn on_update_current_timestamp() {
    let mut engine = Engine::new();
    engine
        .run(
            "CREATE TABLE t (id INT PRIMARY KEY, v INT, changed TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3));
             INSERT INTO t VALUES (1, 1, '2020-01-01'), (2, 2, '2020-01-01')",
        )
        .unwrap();
    engine.run("UPDATE t SET v = 2").unwrap();
    assert_eq!(
        engine.run("SELECT * FROM t ORDER BY id").unwrap(),
        "1|2|2024-03-15 10:20:30.123\n2|2|2020-01-01 00:00:00.000"
    );
}

#[test]
fn values_are_checked_as_strict_mode_does() {
    let mut engine = Engine::new();
    engine
        .run(
            "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, i TINYINT, u INT UNSIGNED, b BIGINT UNSIGNED, d DECIMAL(5,2), f FLOAT, s VARCHAR(3),
               c CHAR(3), t DATETIME, dt DATE, tm TIME(2), y YEAR, e ENUM('x','Y'), m SET('a','b','c'), bi BINARY(3), j JSON, bt BIT(4))",
        )
        .unwrap();
    let cases = [
        ("i", "128", "1264 Out of range value for column 'i' at row 1"),
        ("i", "-129", "1264 Out of range value for column 'i' at row 1"),
        ("i", "'abc'", "1366 Incorrect integer value: 'abc' for column 'i' at row 1"),
        ("i", "'12abc'", "1265 Data truncated for column 'i' at row 1"),
        ("i", "100 + 100", "1264 Out of range value for column 'i' at row 1"),
        ("u", "-1", "1264 Out of range value for column 'u' at row 1"),
        ("b", "18446744073709551616", "1264 Out of range value for column 'b' at row 1"),
        ("d", "1000", "1264 Out of range value for column 'd' at row 1"),
        ("s", "'abcd'", "1406 Data too long for column 's' at row 1"),
        ("t", "'2024-02-30'", "1292 Incorrect datetime value: '2024-02-30' for column 't' at row 1"),
        ("dt", "'0000-00-00'", "1292 Incorrect date value: '0000-00-00' for column 'dt' at row 1"),
        ("tm", "'25:61:00'", "1292 Incorrect time value: '25:61:00' for column 'tm' at row 1"),
        ("y", "1900", "1264 Out of range value for column 'y' at row 1"),
        ("e", "'z'", "1265 Data truncated for column 'e' at row 1"),
        ("m", "'a,z'", "1265 Data truncated for column 'm' at row 1"),
        ("bi", "'abcd'", "1406 Data too long for column 'bi' at row 1"),
        ("bt", "16", "1406 Data too long for column 'bt' at row 1"),
    ];
    for (column, value, expected) in cases {
        assert_eq!(engine.error(&format!("INSERT INTO t ({column}) VALUES ({value})")), expected);
        assert_eq!(engine.error(&format!("INSERT INTO t ({column}) SELECT {value}")), expected);
    }
    assert!(engine.error("INSERT INTO t (j) VALUES ('{a')").starts_with("3140 "));
    engine
        .run(
            "INSERT INTO t VALUES (1, '-128', 4294967295, 18446744073709551615, 1.005, 0.1, 'ab ', 'ab ', '2024-1-2 3:4:5.6', 20240131, '1 2:3:4.567',
               '69', 'y', 'c,a', 'a', '{\"k\":[1,2]}', b'101')",
        )
        .unwrap();
    assert_eq!(
        engine.run("SELECT * FROM t").unwrap(),
        "1|-128|4294967295|18446744073709551615|1.01|0.1|ab |ab|2024-01-02 03:04:06|2024-01-31|26:03:04.57|2069|Y|a,c|x'610000'|{\"k\": [1, 2]}|x'05'"
    );
    assert_eq!(
        engine.run("SELECT b > 9223372036854775807, b = 18446744073709551615, e + 0, m + 0, bt + 0 FROM t").unwrap(),
        "1|1|2|5|5"
    );
    engine.run("INSERT IGNORE INTO t (id, i, s, e) VALUES (2, 300, 'abcdef', 'nope')").unwrap();
    assert_eq!(engine.warnings(), [1264, 1265, 1265]);
    assert_eq!(engine.run("SELECT i, s, e FROM t WHERE id = 2").unwrap(), "127|abc|");
}

#[test]
fn prepared_statements() {
    let mut engine = shop();
    let rows = engine
        .run_with("SELECT name FROM customers WHERE id = ? OR name = ?", &[Value::from("1"), Value::from("CARL")]);
    assert_eq!(rows.unwrap(), "Anna\ncarl");
    engine
        .run_with(
            "INSERT INTO orders (id, amount, placed) VALUES (?, ?, ?)",
            &[Value::Int(50), Value::from("7.126"), Value::from("2024-6-7")],
        )
        .unwrap();
    assert_eq!(engine.run("SELECT amount, placed FROM orders WHERE id = 50").unwrap(), "7.13|2024-06-07 00:00:00");
    let error = engine.run_with("UPDATE orders SET amount = ? WHERE id = 50", &[Value::from("x")]).unwrap_err();
    assert_eq!(error.code, 1366);
    assert_eq!(engine.run_with("SELECT id FROM orders ORDER BY id LIMIT ?", &[Value::Int(1)]).unwrap(), "1");
    assert_eq!(engine.run_with("SELECT ? + 1", &[Value::Int(41)]).unwrap(), "42");
}

#[test]
fn user_variables() {
    let mut engine = shop();
    check(
        &mut engine,
        &[
            ("SET @a = 1, @b = 'x'; SELECT @a + 1, @b, @missing", "2|x|NULL"),
            ("SET @c = (SELECT COUNT(*) FROM customers); SELECT @c", "3"),
            ("SELECT name, city INTO @n, @c FROM customers WHERE id = 2; SELECT @n, @c", "Bert|Basel"),
            ("SELECT id FROM customers WHERE name = @n", "2"),
        ],
    );
    assert_eq!(engine.run("SELECT @x := 1").unwrap(), "1");
}

#[test]
fn scalar_subqueries_have_one_row() {
    let mut engine = shop();
    assert_eq!(engine.error("SELECT (SELECT id FROM customers)"), "1242 Subquery returns more than 1 row");
    check(
        &mut engine,
        &[
            ("SELECT (SELECT id FROM customers WHERE id = 2), (SELECT id FROM customers WHERE id = 99)", "2|NULL"),
            ("SELECT (SELECT MAX(id) FROM customers), (SELECT id FROM customers ORDER BY id DESC LIMIT 1)", "3|3"),
        ],
    );
}

#[test]
fn altering_tables() {
    let mut engine = Engine::new();
    engine
        .run(
            "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(20), b INT NOT NULL DEFAULT 5, UNIQUE KEY ua (a), KEY kb (b), CHECK (b > 0));
             INSERT INTO t VALUES (1, '10', 7), (2, '20', 8)",
        )
        .unwrap();
    let show = "SELECT * FROM t ORDER BY id";
    check(
        &mut engine,
        &[
            ("ALTER TABLE t ADD COLUMN c DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP AFTER id, ADD d INT", ""),
            (show, "1|2024-03-15 10:20:30|10|7|NULL\n2|2024-03-15 10:20:30|20|8|NULL"),
            ("ALTER TABLE t MODIFY a INT UNSIGNED, DROP COLUMN c, RENAME COLUMN d TO e", ""),
            (show, "1|10|7|NULL\n2|20|8|NULL"),
            ("ALTER TABLE t CHANGE b bb BIGINT NOT NULL FIRST, ALTER COLUMN bb SET DEFAULT 9, ADD INDEX (e)", ""),
            ("INSERT INTO t (id) VALUES (3)", ""),
            (show, "7|1|10|NULL\n8|2|20|NULL\n9|3|NULL|NULL"),
            ("ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (bb)", ""),
            (
                "SHOW COLUMNS FROM t",
                "bb|bigint(20)|NO|PRI|9|\nid|int(11)|NO||NULL|\na|int(10) unsigned|YES|UNI|NULL|\ne|int(11)|YES|MUL|NULL|",
            ),
            ("ALTER TABLE t RENAME TO s, COMMENT = 'hello'", ""),
            ("SELECT id FROM s ORDER BY bb DESC", "3\n2\n1"),
            ("ALTER TABLE s DROP INDEX ua, DROP KEY kb, ADD UNIQUE u (id)", ""),
            ("RENAME TABLE s TO r; TRUNCATE TABLE r; SELECT COUNT(*) FROM r", "0"),
            ("CREATE TABLE l LIKE r; SHOW TABLES", "l\nr"),
            ("DROP TABLE IF EXISTS l, nope; SHOW TABLES", "r"),
            (
                "ALTER TABLE r DROP PRIMARY KEY; INSERT INTO r (id, bb) VALUES (5, 1), (6, 1); SELECT * FROM r ORDER BY id",
                "1|5|NULL|NULL\n1|6|NULL|NULL",
            ),
            (
                "ALTER TABLE r ADD n INT NOT NULL AUTO_INCREMENT PRIMARY KEY FIRST; SELECT n, id FROM r ORDER BY n",
                "1|5\n2|6",
            ),
        ],
    );
    assert!(engine.error("INSERT INTO r (id, bb) VALUES (7, 0)").starts_with("1 CHECK constraint failed"));
    assert_eq!(
        engine.error("ALTER TABLE r MODIFY id VARCHAR(1), DROP COLUMN zz"),
        "1091 Can't DROP 'zz'; check that column/key exists"
    );
}

#[test]
fn conversions_that_fail_leave_the_table_alone() {
    let mut engine = Engine::new();
    engine.run("CREATE TABLE t (id INT PRIMARY KEY, s VARCHAR(20)); INSERT INTO t VALUES (1, 'abc')").unwrap();
    engine.run("SET @x = 1").unwrap();
    let error = engine.error("ALTER TABLE t MODIFY s INT");
    assert!(error.starts_with("1366 "), "{error}");
    assert_eq!(engine.run("SELECT * FROM t").unwrap(), "1|abc");
}

#[test]
fn foreign_keys_work_in_sqlite() {
    let mut engine = Engine::new();
    engine
        .run(
            "CREATE TABLE p (id INT PRIMARY KEY); CREATE TABLE c (id INT PRIMARY KEY, p INT, CONSTRAINT fk FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE);
             INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1, 1), (2, 2)",
        )
        .unwrap();
    assert!(engine.error("INSERT INTO c VALUES (3, 9)").contains("FOREIGN KEY constraint failed"));
    engine.run("DELETE FROM p WHERE id = 1").unwrap();
    assert_eq!(engine.run("SELECT * FROM c").unwrap(), "2|2");
    assert_eq!(engine.error("DROP TABLE p"), "3730 Cannot drop table 'p' referenced by a foreign key constraint 'fk'");
    engine.run("ALTER TABLE p RENAME TO q; ALTER TABLE q MODIFY id BIGINT NOT NULL").unwrap();
    assert!(engine.error("INSERT INTO c VALUES (3, 9)").contains("FOREIGN KEY constraint failed"));
    assert!(engine.run("SHOW CREATE TABLE c").unwrap().contains("REFERENCES `q` (`id`) ON DELETE CASCADE"));
}

#[test]
fn show_statements() {
    let mut engine = shop();
    let create = engine.run("SHOW CREATE TABLE customers").unwrap();
    assert_eq!(
        create,
        "customers|CREATE TABLE `customers` (\n  `id` int(10) unsigned NOT NULL AUTO_INCREMENT,\n  `name` varchar(50) NOT NULL,\n  `city` varchar(30) DEFAULT 'Bern',\n  `born` date DEFAULT NULL,\n  PRIMARY KEY (`id`),\n  KEY `city` (`city`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci"
    );
    // What SHOW CREATE TABLE prints makes the same table again.
    let text = create.split_once('|').unwrap().1.replacen("customers", "copy", 1);
    engine.run(&text).unwrap();
    assert_eq!(engine.run("SHOW CREATE TABLE copy").unwrap().replace("copy", "customers"), create);
    check(
        &mut engine,
        &[
            ("SHOW TABLES LIKE 'CUST%'", "customers"),
            ("SHOW FULL TABLES WHERE Table_type = 'base table' AND Tables_in_shop LIKE 'o%'", "orders|BASE TABLE"),
            ("DESCRIBE orders state", "state|enum('open','paid','sent')|NO||open|"),
            ("DESC orders placed", "placed|datetime|YES||current_timestamp()|"),
            ("SHOW COLUMNS FROM orders WHERE Field = 'ID'", "id|bigint(20)|NO|PRI|NULL|"),
            (
                "SHOW INDEX FROM orders WHERE Key_name = 'customer'",
                "orders|1|customer|1|customer|A|0|NULL|NULL|YES|BTREE|||YES|NULL",
            ),
            ("SHOW DATABASES", "shop"),
            (
                "ANALYZE TABLE orders, nope",
                "shop.orders|analyze|status|OK\nshop.nope|analyze|Error|Table 'shop.nope' doesn't exist\nshop.nope|analyze|status|Operation failed",
            ),
        ],
    );
    assert_eq!(engine.names("SHOW TABLES LIKE 'x'"), "Tables_in_shop (x)");
}

#[test]
fn plans_are_reused_by_shape() {
    let mut engine = shop();
    let before = engine.cache.len();
    for i in 0..50 {
        engine.run(&format!("SELECT name FROM customers WHERE id = {i} AND name <> 'n{i}' LIMIT {}", i + 1)).unwrap();
    }
    assert_eq!(engine.cache.len(), before + 1);
    // A plan made before DDL is not used after it.
    assert_eq!(engine.run("SELECT * FROM customers WHERE id = 1").unwrap(), "1|Anna|Bern|1980-01-02");
    engine.run("ALTER TABLE customers DROP COLUMN born").unwrap();
    assert_eq!(engine.run("SELECT * FROM customers WHERE id = 2").unwrap(), "2|Bert|Basel");
    // Literals that were looked at make variants.
    check(
        &mut engine,
        &[
            ("SELECT id, name FROM customers ORDER BY 1 DESC LIMIT 1", "3|carl"),
            ("SELECT id, name FROM customers ORDER BY 2 LIMIT 1", "1|Anna"),
            ("SELECT ROUND(1.2345, 1) AS r", "1.2"),
            ("SELECT ROUND(1.2345, 3) AS r", "1.235"),
        ],
    );
}

#[test]
fn ids_and_defaults() {
    let mut engine = Engine::new();
    check(
        &mut engine,
        &[
            (
                "CREATE TABLE n (a INT, b VARCHAR(5) DEFAULT 'x'); INSERT INTO n VALUES (1, DEFAULT), (1, 'y'); INSERT INTO n () VALUES ()",
                "",
            ),
            ("SELECT * FROM n ORDER BY b, a", "NULL|x\n1|x\n1|y"),
            ("UPDATE n SET a = 2 ORDER BY b DESC LIMIT 1; SELECT a, b FROM n ORDER BY b DESC LIMIT 1", "2|y"),
            (
                "CREATE TABLE e (id INT PRIMARY KEY, u CHAR(36) DEFAULT (UUID()), n INT DEFAULT (1 + 2)); INSERT INTO e (id) VALUES (1); SELECT LENGTH(u), n FROM e",
                "36|3",
            ),
        ],
    );
}

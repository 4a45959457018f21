//! What describes a schema: SHOW CREATE and its kin print what can be read back, here and on a member that applies the
//! same write sets.

use super::definitions::another_member_agrees;
use super::*;

const EVERYTHING: &str = "CREATE TABLE `t` (
  `id` int(10) unsigned NOT NULL AUTO_INCREMENT,
  `small` smallint(6) NOT NULL DEFAULT -1,
  `price` decimal(5,2) DEFAULT 1.50,
  `flags` bit(3) DEFAULT b'101',
  `y` year(4) DEFAULT 2001,
  `z` int(5) unsigned zerofill DEFAULT 00003,
  `b` tinyint(1) DEFAULT 1,
  `s` varchar(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci DEFAULT 'it''s' COMMENT 'a ''note''',
  `bin` varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL,
  `e` enum('a','b') DEFAULT 'b',
  `body` text DEFAULT ('none'),
  `made` datetime(3) DEFAULT current_timestamp(3) ON UPDATE current_timestamp(3),
  `ts` timestamp NULL DEFAULT NULL,
  `hidden` int(11) INVISIBLE DEFAULT (`small` + 1),
  `twice` bigint(20) GENERATED ALWAYS AS (`small` * 2) VIRTUAL,
  `label` varchar(30) GENERATED ALWAYS AS (concat(`s`,'!')) STORED COMMENT 'computed',
  `n` int(11) DEFAULT NULL CHECK (`n` > 0),
  PRIMARY KEY (`id`),
  UNIQUE KEY `u` (`s`(5) DESC,`e`) COMMENT 'first',
  KEY `twice` (`twice`),
  CONSTRAINT `both` CHECK (`n` < 100 or `small` is null)
) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci ROW_FORMAT=DYNAMIC COMMENT='all'";

#[tokio::test]
async fn what_is_printed_makes_the_same_table_again() {
    let (node, mut c) = Node::with_database().await;
    c.ok(EVERYTHING).await;
    let shown = |line: String| line.strip_prefix("t ").expect("the name comes first").to_string();
    let again = shown(c.lines("SHOW CREATE TABLE t").await.join("\n"));
    assert_eq!(again, EVERYTHING);
    c.ok("DROP TABLE t").await;
    c.ok(&again).await;
    assert_eq!(shown(c.lines("SHOW CREATE TABLE t").await.join("\n")), EVERYTHING);
    c.ok("SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'").await;
    c.ok("CREATE TABLE q (a VARCHAR(9), b VARCHAR(9) DEFAULT (\"a\" || 'x'), CHECK (\"a\" <> 'y'))").await;
    let other =
        c.value("SELECT check_clause FROM information_schema.check_constraints WHERE constraint_name = 'q_chk_1'");
    assert_eq!(other.await, "(`a` <> 'y')");
    c.ok("SET sql_mode = DEFAULT").await;
    c.ok("INSERT INTO q (a) VALUES ('1')").await;
    assert_eq!(c.lines("SELECT * FROM q").await, ["1 1x"]);
    another_member_agrees(&node, &mut c, &["SHOW CREATE TABLE t", "DESCRIBE t", "SHOW INDEX FROM t"]).await;
}

#[tokio::test]
async fn columns_are_described_in_the_classical_form() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (a INT UNSIGNED, b BIGINT DEFAULT 5, c YEAR, d TIMESTAMP NULL DEFAULT NOW() ON UPDATE NOW())")
        .await;
    assert_eq!(
        c.lines("DESCRIBE t").await,
        [
            "a int(10) unsigned YES  NULL ",
            "b bigint(20) YES  5 ",
            "c year(4) YES  NULL ",
            "d timestamp YES  current_timestamp() on update current_timestamp()",
        ]
    );
    assert_eq!(c.value("SELECT @@collation_server").await, "utf8mb4_general_ci");
    let create = c.lines("SHOW CREATE DATABASE d").await;
    assert_eq!(create, ["d CREATE DATABASE `d` /*!40100 DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci */"]);
    c.ok("CREATE TABLE o (v VARCHAR(3)) COLLATE utf8mb4_0900_ai_ci").await;
    assert!(c.value("SHOW CREATE TABLE o").await.ends_with("COLLATE=utf8mb4_0900_ai_ci"));
}

#[tokio::test]
async fn generated_columns_are_computed_by_every_member() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE g (id INT PRIMARY KEY, a INT, b SMALLINT AS (a + 1) STORED, c VARCHAR(9) AS (CONCAT(b, 'x')))")
        .await;
    c.ok("INSERT INTO g (id, a) VALUES (1, 1), (2, 5)").await;
    c.ok("INSERT INTO g VALUES (3, 7, DEFAULT, DEFAULT)").await;
    assert_eq!(c.code("INSERT INTO g VALUES (4, 7, 8, DEFAULT)").await, 3105);
    assert_eq!(c.code("INSERT INTO g SELECT * FROM g").await, 3105);
    assert_eq!(c.code("UPDATE g SET b = 2").await, 3105);
    c.ok("UPDATE g SET b = DEFAULT").await;
    c.ok("UPDATE g SET a = 10 WHERE b = 6").await;
    // What does not fit is refused when it is written, and adjusted where the mode says so.
    assert_eq!(c.code("INSERT INTO g (id, a) VALUES (9, 40000)").await, 1264);
    c.ok("SET sql_mode = ''").await;
    assert_eq!(c.ok("INSERT INTO g (id, a) VALUES (9, 40000)").await.warnings, 1);
    c.ok("SET sql_mode = DEFAULT").await;
    assert_eq!(c.lines("SELECT * FROM g").await, ["1 1 2 2x", "2 10 11 11x", "3 7 8 8x", "9 40000 32767 32767x"]);
    another_member_agrees(&node, &mut c, &["SELECT * FROM g", "SELECT id FROM g WHERE c = '11x'"]).await;
}

#[tokio::test]
async fn generated_columns_follow_the_table() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE g (id INT PRIMARY KEY, a INT, b INT AS (a + 1), KEY (b))").await;
    c.ok("INSERT INTO g (id, a) VALUES (1, 1)").await;
    assert_eq!(c.code("ALTER TABLE g DROP COLUMN a").await, 3108);
    c.ok("ALTER TABLE g RENAME COLUMN a TO base").await;
    c.ok("ALTER TABLE g ADD COLUMN d INT AS (base * b) AFTER b").await;
    assert_eq!(c.lines("SELECT * FROM g").await, ["1 1 2 2"]);
    c.ok("ALTER TABLE g DROP COLUMN d, MODIFY b INT").await;
    c.ok("INSERT INTO g VALUES (2, 2, 77)").await;
    assert_eq!(c.lines("SELECT * FROM g ORDER BY b").await, ["1 1 2", "2 2 77"]);
    for (definition, code) in [
        ("x INT AS (RAND())", 3102),
        ("x INT AS (NOW())", 3102),
        ("x INT AS ((SELECT 1))", 3102),
        ("x INT AS (y), y INT AS (1)", 3107),
        ("x INT AUTO_INCREMENT PRIMARY KEY, y INT AS (x)", 3109),
        ("x INT AS (1) PRIMARY KEY", 3106),
        ("x INT AS (nothing)", 1054),
        ("x INT DEFAULT 1 AS (2)", 1221),
        ("x INT DEFAULT (y), y INT DEFAULT (x)", 3767),
        ("x INT DEFAULT (COUNT(*))", 3769),
        ("x INT CHECK (x > RAND())", 3815),
    ] {
        assert_eq!(c.code(&format!("CREATE TABLE n ({definition})")).await, code, "{definition}");
    }
}

#[tokio::test]
async fn indexes_and_checks_come_and_go() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (a INT, b INT, c INT CHECK (c > 0), CHECK (a < b))").await;
    c.ok("CREATE OR REPLACE INDEX i ON t (a)").await;
    c.ok("CREATE OR REPLACE INDEX i ON t (a, b DESC)").await;
    assert_eq!(c.code("CREATE OR REPLACE INDEX IF NOT EXISTS i ON t (b)").await, 1221);
    assert_eq!(c.code("CREATE INDEX i ON t (b)").await, 1061);
    assert_eq!(c.ok("CREATE INDEX IF NOT EXISTS i ON t (b)").await.warnings, 1);
    assert!(c.value("SHOW CREATE TABLE t").await.contains("KEY `i` (`a`,`b` DESC)"));
    assert_eq!(c.code("INSERT INTO t VALUES (1, 2, 0)").await, 3819);
    c.ok("CREATE TABLE n (s VARCHAR(9), CHECK (s <> 0))").await;
    assert_eq!(c.code("INSERT INTO n VALUES ('Ken')").await, 1292);
    c.ok("INSERT IGNORE INTO n VALUES ('Ken')").await;
    assert!(c.lines("SELECT * FROM n").await.is_empty());
    assert_eq!(c.code("CREATE TABLE m (id INT AUTO_INCREMENT PRIMARY KEY CHECK (id > 0))").await, 3818);
    // A check of a column alone goes with it; one that needs others keeps it.
    assert_eq!(c.code("ALTER TABLE t DROP COLUMN b").await, 3959);
    c.ok("ALTER TABLE t DROP COLUMN c").await;
    c.ok("ALTER TABLE t ALTER CHECK t_chk_2 NOT ENFORCED").await;
    let create = c.value("SHOW CREATE TABLE t").await;
    assert!(create.contains("CONSTRAINT `t_chk_2` CHECK (`a` < `b`) /*!80016 NOT ENFORCED */"), "{create}");
    assert_eq!(c.ok("RENAME TABLE IF EXISTS nowhere TO n, t TO u").await.warnings, 1);
    assert_eq!(c.code("SHOW INDEX FROM t").await, 1146);
    assert!(c.lines("SHOW INDEX FROM u").await.len() == 2);
    c.ok("CREATE VIEW v AS SELECT 1 AS a").await;
    assert!(c.lines("SHOW INDEX FROM v").await.is_empty());
}

#[tokio::test]
async fn a_stored_function_is_its_expression() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    c.ok("INSERT INTO t VALUES (1, 10), (2, 20)").await;
    c.ok("CREATE FUNCTION plus(a INT, b INT) RETURNS INT DETERMINISTIC RETURN a + b").await;
    c.ok("CREATE FUNCTION of_row(k INT) RETURNS VARCHAR(20) READS SQL DATA RETURN (SELECT CONCAT('v', v) FROM t WHERE id = k)")
        .await;
    c.ok("CREATE VIEW w AS SELECT id, PLUS(v, 1) AS p FROM t").await;
    assert_eq!(c.value("SELECT plus(1, '2')").await, "3");
    assert_eq!(c.lines("SELECT id, plus(v, id), of_row(id) FROM t").await, ["1 11 v10", "2 22 v20"]);
    assert_eq!(c.value("SELECT plus(SUM(v), 1) FROM t").await, "31");
    let questions = [
        "SELECT * FROM w",
        "SELECT of_row(2)",
        "SHOW CREATE FUNCTION plus",
        "SHOW FUNCTION STATUS LIKE 'pl%'",
        "SELECT routine_name, dtd_identifier, is_deterministic FROM information_schema.routines",
        "SELECT specific_name, ordinal_position, parameter_name, data_type FROM information_schema.parameters",
    ];
    another_member_agrees(&node, &mut c, &questions).await;
    assert_eq!(c.code("SELECT plus(1)").await, 1318);
    assert_eq!(c.code("CREATE FUNCTION plus() RETURNS INT RETURN 1").await, 1304);
    c.ok("CREATE FUNCTION me() RETURNS INT RETURN me()").await;
    assert_eq!(c.code("SELECT me()").await, 1424);
    c.ok("CREATE OR REPLACE FUNCTION plus(a INT, b INT) RETURNS INT RETURN a * b").await;
    assert_eq!(c.lines("SELECT p FROM w").await, ["10", "20"]);
    c.ok("DROP FUNCTION plus").await;
    assert_eq!(c.code("SELECT * FROM w").await, 1356);
    assert_eq!(c.code("DROP FUNCTION plus").await, 1305);
    assert_eq!(c.ok("DROP FUNCTION IF EXISTS plus").await.warnings, 1);
}

#[tokio::test]
async fn create_select_takes_keys_over_what_may_be_null() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE s (id INT AUTO_INCREMENT PRIMARY KEY, v INT)").await;
    c.ok("INSERT INTO s (v) VALUES (1), (1)").await;
    assert_eq!(c.code("CREATE TABLE t (PRIMARY KEY (v)) SELECT v FROM s").await, 1062);
    c.ok("CREATE TABLE t (PRIMARY KEY (v)) SELECT DISTINCT v FROM s").await;
    assert_eq!(c.lines("DESCRIBE t").await, ["v int(11) NO PRI NULL "]);
    c.ok("CREATE TABLE u SELECT id FROM s").await;
    assert_eq!(c.lines("DESCRIBE u").await, ["id int(11) NO  0 "]);
}

/// As MySQL and MariaDB print them.
#[tokio::test]
async fn a_view_is_shown_in_canonical_form() {
    let (_node, mut c) = Node::with_database().await;
    let database = c.value("SELECT DATABASE()").await;
    c.ok("CREATE TABLE a (c CHAR(4), m INT)").await;
    c.ok("CREATE TABLE b (c CHAR(4), n INT)").await;
    for (query, shown) in [
        (
            "SELECT 1 OR 2, (1 OR 2) AND 3, NOT 1 = 2, 'x'",
            "select 1 or 2 AS `1 OR 2`,(1 or 2) and 3 AS `(1 OR 2) AND 3`,1 <> 2 AS `NOT 1 = 2`,'x' AS `x`",
        ),
        ("SELECT * FROM a", "select `a`.`c` AS `c`,`a`.`m` AS `m` from `a`"),
        (
            "SELECT DISTINCT a.c, COUNT(*) AS n FROM a JOIN b ON a.c=b.c WHERE b.n>1 AND a.c LIKE 'a%' GROUP BY a.c \
             HAVING COUNT(*)>1 ORDER BY n DESC, 1 LIMIT 3",
            "select distinct `a`.`c` AS `c`,count(0) AS `n` from (`a` join `b` on(`a`.`c` = `b`.`c`)) where `b`.`n` > 1 and \
             `a`.`c` like 'a%' group by `a`.`c` having count(0) > 1 order by count(0) desc,1 limit 3",
        ),
        (
            "SELECT q.c, m, concat(b.c,'x') FROM a q LEFT JOIN b ON q.c=b.c, b AS r",
            "select `q`.`c` AS `c`,`q`.`m` AS `m`,concat(`b`.`c`,'x') AS `concat(b.c,'x')` \
             from ((`a` `q` left join `b` on(`q`.`c` = `b`.`c`)) join `b` `r`)",
        ),
    ] {
        c.ok(&format!("CREATE OR REPLACE VIEW v AS {query}")).await;
        let line = c.lines("SHOW CREATE VIEW v").await[0].clone();
        let created = line.split_once("VIEW `v` AS ").map(|(_, rest)| rest.to_string()).unwrap_or(line);
        assert!(created.starts_with(shown), "{query}:\n{created}\n{shown}");
        let before = c.lines("SELECT * FROM v").await;
        c.ok(&format!("CREATE OR REPLACE VIEW v AS {shown}")).await;
        assert_eq!(c.lines("SELECT * FROM v").await, before, "{query}");
    }
    c.ok("CREATE OR REPLACE VIEW v AS SELECT m FROM a").await;
    let definition = c.value("SELECT view_definition FROM information_schema.views WHERE table_name = 'v'").await;
    assert_eq!(definition, format!("select `{database}`.`a`.`m` AS `m` from `{database}`.`a`"));
    // What has no canonical form here is shown as it was written.
    c.ok("CREATE OR REPLACE VIEW v AS SELECT m FROM a WHERE m IN (SELECT n FROM b)").await;
    assert!(c.lines("SHOW CREATE VIEW v").await[0].contains("(`m`) AS SELECT m FROM a WHERE m IN (SELECT n FROM b)"));
}

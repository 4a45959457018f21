//! Views, CREATE TABLE ... SELECT, OR REPLACE and guarded clauses: what they leave in the catalog, here and on a member
//! that applies the same write sets.

use super::schema::write_sets;
use super::*;

/// A member that applies what `node` committed shows the same of `d`.
pub(super) async fn another_member_agrees(node: &Node, c: &mut Client, questions: &[&str]) {
    let committed = write_sets(node);
    let member = Node::start();
    let mut there = member.connect(CapabilityFlags::empty()).await;
    there.ok("SET marmot_read_consistency = 'QUORUM'").await;
    member.script.lock().expect("tests do not panic here").behind = committed;
    there.ok("USE d").await;
    for question in questions {
        assert_eq!(there.lines(question).await, c.lines(question).await, "{question}");
    }
}

#[tokio::test]
async fn a_view_is_its_query_on_every_member() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(5))").await;
    c.ok("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'b')").await;
    c.ok("CREATE VIEW w AS SELECT * FROM t WHERE id > 1").await;
    c.ok("CREATE VIEW n (v, many) AS SELECT v, COUNT(*) FROM w GROUP BY v").await;
    assert_eq!(c.lines("SELECT * FROM w ORDER BY id").await, ["2 b", "3 b"]);
    assert_eq!(c.lines("SELECT x.many, t.id FROM n x JOIN t USING (v) ORDER BY 2").await, ["2 2", "2 3"]);
    // New columns of the table are not the view's.
    c.ok("ALTER TABLE t ADD COLUMN z INT FIRST").await;
    assert_eq!(c.lines("SELECT * FROM w ORDER BY id").await, ["2 b", "3 b"]);
    let questions = [
        "SELECT * FROM w ORDER BY id",
        "SELECT many FROM n",
        "SHOW FULL TABLES",
        "SHOW COLUMNS FROM n",
        "SELECT table_name, view_definition FROM information_schema.views",
    ];
    another_member_agrees(&node, &mut c, &questions).await;
    assert_eq!(c.code("CREATE VIEW w AS SELECT 1").await, 1050);
    assert_eq!(c.code("CREATE TABLE w (a INT)").await, 1050);
    assert_eq!(c.code("CREATE OR REPLACE VIEW t AS SELECT 1").await, 1347);
    assert_eq!(c.code("CREATE VIEW q AS SELECT @a").await, 1351);
    assert_eq!(c.code("CREATE VIEW q AS SELECT 1 AS a, 2 AS a").await, 1060);
    assert_eq!(c.code("CREATE VIEW q AS SELECT a FROM nowhere").await, 1146);
    c.ok("ALTER VIEW w AS SELECT 7 AS seven").await;
    assert_eq!(c.value("SELECT seven FROM w").await, "7");
    assert_eq!(c.code("SELECT * FROM n").await, 1356);
    c.ok("DROP VIEW w, n").await;
    assert_eq!(c.code("SELECT * FROM w").await, 1146);
    assert_eq!(c.ok("DROP VIEW IF EXISTS w").await.warnings, 1);
    assert_eq!(c.code("DROP VIEW w").await, 1051);
}

#[tokio::test]
async fn a_view_that_contains_itself_is_refused_when_it_is_read() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE VIEW a AS SELECT 1 AS n").await;
    c.ok("CREATE VIEW b AS SELECT n FROM a").await;
    c.ok("ALTER VIEW a AS SELECT n FROM b").await;
    assert_eq!(c.code("SELECT * FROM b").await, 1462);
    c.ok("ALTER VIEW a AS SELECT 2 AS n").await;
    assert_eq!(c.value("SELECT n FROM b").await, "2");
}

/// Every session and prepared statement follows a view that changes.
#[tokio::test]
async fn plans_follow_views() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE VIEW w AS SELECT 1 AS n").await;
    let mut other = node.another().await;
    other.ok("PREPARE s FROM 'SELECT n FROM w'").await;
    assert_eq!(other.value("EXECUTE s").await, "1");
    assert_eq!(other.value("SELECT n FROM w").await, "1");
    c.ok("CREATE OR REPLACE VIEW w AS SELECT 2 AS n").await;
    assert_eq!(other.value("SELECT n FROM w").await, "2");
    assert_eq!(other.value("EXECUTE s").await, "2");
}

#[tokio::test]
async fn a_table_is_made_of_a_query() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE s (id INT PRIMARY KEY, v VARCHAR(5) NOT NULL DEFAULT 'x')").await;
    c.ok("INSERT INTO s VALUES (1, 'a'), (2, 'b')").await;
    assert_eq!(c.ok("CREATE TABLE t SELECT id, v, id * 2 AS double_id FROM s").await.affected_rows, 2);
    assert_eq!(c.lines("SELECT * FROM t").await, ["1 a 2", "2 b 4"]);
    c.ok("CREATE TABLE u (k BIGINT AUTO_INCREMENT PRIMARY KEY, v CHAR(3)) AS SELECT v, id FROM s ORDER BY id").await;
    assert_eq!(c.lines("SELECT v, id FROM u ORDER BY k").await, ["a 1", "b 2"]);
    assert_eq!(c.ok("CREATE TABLE IF NOT EXISTS t SELECT 9 AS id").await.warnings, 1);
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "2");
    c.ok("CREATE OR REPLACE TABLE t SELECT v FROM s WHERE id = 1").await;
    assert_eq!(c.lines("SELECT * FROM t").await, ["a"]);
    // What cannot be filled is not there.
    assert_eq!(c.code("CREATE TABLE bad (n INT PRIMARY KEY) SELECT 1 AS n FROM s").await, 1062);
    assert_eq!(c.code("SELECT * FROM bad").await, 1146);
    c.ok("SET autocommit = 0").await;
    c.ok("CREATE TABLE kept SELECT 1 AS n").await;
    c.ok("ROLLBACK").await;
    assert_eq!(c.value("SELECT n FROM kept").await, "1");
    c.ok("SET autocommit = 1").await;
    let questions =
        ["SHOW TABLES", "SHOW COLUMNS FROM t", "SHOW COLUMNS FROM u", "SELECT * FROM t", "SELECT v, id FROM u"];
    another_member_agrees(&node, &mut c, &questions).await;
}

#[tokio::test]
async fn columns_made_of_a_query_are_as_long_as_its_values() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (n INT, k TINYINT NOT NULL, p DECIMAL(10,3), s VARCHAR(20) NOT NULL, long_one TEXT, at TIME)")
        .await;
    let select = "SELECT 1 AS one, -1.50 AS price, 'abc' AS word, n + 1 AS next, k * k AS square, p / 3 AS third, at + 0 AS number,
        CONCAT(s, '-', n) AS joined, REPEAT(s, 3) AS repeated, LEFT(long_one, 4) AS beginning, CONCAT(long_one, '!') AS longer,
        IF(n, k, n) AS chosen, COALESCE(s, 'x') AS given, LENGTH(s) AS size, UNHEX(s) AS bytes, COUNT(*) AS many,
        FORMAT(p, 2) AS shown, CAST(n AS CHAR) AS text, s LIKE 'a' AS found FROM t GROUP BY n, k, p, s, long_one, at";
    c.ok(&format!("CREATE TABLE made {select}")).await;
    let described = c.lines("DESCRIBE made").await;
    let types: Vec<String> = described
        .iter()
        .map(|line| line.split(' ').take_while(|w| !w.is_empty()).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        types,
        [
            "one int(1) NO",
            "price decimal(3,2) NO",
            "word varchar(3) NO",
            "next bigint(12) YES",
            "square int(7) NO",
            "third decimal(14,7) YES",
            "number int(9) YES",
            "joined varchar(32) YES",
            "repeated varchar(60) NO",
            "beginning varchar(4) YES",
            "longer mediumtext YES",
            "chosen int(11) YES",
            "given varchar(20) NO",
            "size int(10) NO",
            "bytes varbinary(40) YES",
            "many bigint(21) NO",
            "shown varchar(14) YES",
            "text varchar(11) YES",
            "found int(1) NO",
        ]
    );
    // Plans of plain statements are for every literal.
    c.ok("INSERT INTO made (one, word, price, square, joined, repeated, given, size, many, found) SELECT 10, 'x', 1, 1, 'a', 'b', 'c', 1, 1, 1").await;
    assert_eq!(c.value("SELECT COUNT(*) FROM made WHERE word = 'x' AND one = 10").await, "1");
}

#[tokio::test]
async fn or_replace_is_one_step() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    c.ok("INSERT INTO t VALUES (1)").await;
    c.ok("CREATE OR REPLACE TABLE t (a INT, b INT)").await;
    assert_eq!(c.lines("SHOW COLUMNS FROM t").await.len(), 2);
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "0");
    c.ok("CREATE TABLE p (id INT PRIMARY KEY)").await;
    c.ok("CREATE TABLE k (id INT, FOREIGN KEY (id) REFERENCES p (id))").await;
    assert_ne!(c.code("CREATE OR REPLACE TABLE p (id INT)").await, 0, "a child refers to it");
    c.ok("CREATE OR REPLACE TABLE k LIKE t").await;
    assert_eq!(c.code("CREATE OR REPLACE TABLE IF NOT EXISTS k (a INT)").await, 1221);
    assert_eq!(c.code("CREATE OR REPLACE TABLE k LIKE k").await, 1066);
    another_member_agrees(&node, &mut c, &["SHOW TABLES", "SHOW COLUMNS FROM t", "SHOW COLUMNS FROM k"]).await;
}

#[tokio::test]
async fn guarded_clauses_do_what_they_can() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    let altered = c.ok("ALTER TABLE t ADD COLUMN IF NOT EXISTS v INT, ADD COLUMN IF NOT EXISTS w INT").await;
    assert_eq!(altered.warnings, 1);
    assert_eq!(c.lines("SHOW WARNINGS").await, ["Note 1060 Duplicate column name 'v'"]);
    c.ok("ALTER TABLE t DROP COLUMN IF EXISTS nope, DROP COLUMN IF EXISTS w, MODIFY IF EXISTS nope INT").await;
    c.ok("CREATE INDEX IF NOT EXISTS i ON t (v)").await;
    assert_eq!(c.ok("CREATE INDEX IF NOT EXISTS i ON t (v)").await.warnings, 1);
    c.ok("DROP INDEX IF EXISTS i ON t").await;
    assert_eq!(c.ok("DROP INDEX IF EXISTS i ON t").await.warnings, 1);
    assert_eq!(c.ok("ALTER TABLE IF EXISTS nope ADD COLUMN a INT").await.warnings, 1);
    another_member_agrees(&node, &mut c, &["SHOW COLUMNS FROM t", "SHOW INDEX FROM t"]).await;
}

#[tokio::test]
async fn clauses_name_what_was_there_before_the_statement() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (a INT, b INT DEFAULT (a + 1), KEY k (a), KEY l (b), CHECK (a < b))").await;
    c.ok("INSERT INTO t VALUES (1, 2)").await;
    c.ok("ALTER TABLE t CHANGE a b INT, CHANGE b a INT DEFAULT (b + 1)").await;
    assert_eq!(c.lines("SELECT a, b FROM t").await, ["2 1"]);
    c.ok("ALTER TABLE t ADD KEY k (b, a), RENAME KEY k TO m, DROP KEY l").await;
    assert_eq!(c.code("ALTER TABLE t ADD KEY n (a), RENAME KEY n TO o").await, 1176);
    c.ok("CREATE TABLE one (i INT)").await;
    c.ok("ALTER TABLE one DROP i, ADD i VARCHAR(5) DEFAULT 'new'").await;
    assert_eq!(c.code("ALTER TABLE one DROP i").await, 1090);
    c.ok("ALTER TABLE t ADD COLUMN c INT, CHANGE COLUMN IF EXISTS nope c INT").await;
    let questions = ["SHOW CREATE TABLE t", "SHOW CREATE TABLE one", "SELECT * FROM t"];
    assert!(c.value("SHOW CREATE TABLE t").await.starts_with('t'));
    let shown = c.lines("SHOW CREATE TABLE t").await.join("\n");
    assert!(
        shown.contains("KEY `m` (`b`)") && shown.contains("KEY `k` (`b`,`a`)") && shown.contains("(`b` < `a`)"),
        "{shown}"
    );
    another_member_agrees(&node, &mut c, &questions).await;
}

/// There are no stored programs, so that none can be dropped or called.
#[tokio::test]
async fn stored_programs_are_missing() {
    let (_node, mut c) = Node::with_database().await;
    assert_eq!(c.ok("DROP PROCEDURE IF EXISTS p").await.warnings, 1);
    assert_eq!(c.lines("SHOW WARNINGS").await, ["Note 1305 PROCEDURE d.p does not exist"]);
    assert_eq!(c.code("DROP FUNCTION f").await, 1305);
    assert_eq!(c.code("CALL p(1, 2)").await, 1305);
    assert_eq!(c.code("DROP TRIGGER tr").await, 1360);
    assert_eq!(c.code("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1").await, 1235);
}

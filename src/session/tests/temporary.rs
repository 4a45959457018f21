//! Temporary tables.

use super::*;

#[tokio::test]
async fn a_temporary_table_is_its_sessions_own() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    c.ok("INSERT INTO t VALUES (1, 10)").await;
    let mut other = node.another().await;
    node.requests();
    c.ok("CREATE TEMPORARY TABLE t (n INT AUTO_INCREMENT PRIMARY KEY, s VARCHAR(5))").await;
    assert_eq!(c.ok("INSERT INTO t (s) VALUES ('a'), ('b')").await.last_insert_id, 1);
    c.ok("UPDATE t SET s = 'c' WHERE n = 2").await;
    assert_eq!(c.lines("SELECT * FROM t ORDER BY n").await, ["1 a", "2 c"]);
    assert_eq!(c.lines("SELECT d.t.s FROM d.t WHERE t.n = 1").await, ["a"]);
    assert!(node.requests().is_empty(), "nobody else hears of it");
    assert_eq!(other.lines("SELECT * FROM t").await, ["1 10"]);
    assert_eq!(c.code("CREATE TEMPORARY TABLE t (n INT)").await, 1050);
    c.ok("ALTER TABLE t ADD COLUMN x INT DEFAULT 5").await;
    assert_eq!(c.lines("SELECT n, x FROM t ORDER BY n").await, ["1 5", "2 5"]);
    assert!(c.value("SHOW CREATE TABLE t").await.contains("CREATE TEMPORARY TABLE `t`"));
    c.ok("TRUNCATE t").await;
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "0");
    c.ok("DROP TABLE t").await;
    assert_eq!(c.lines("SELECT * FROM t").await, ["1 10"]);
    assert_eq!(c.code("DROP TEMPORARY TABLE t").await, 1051);
    assert_eq!(c.lines("SELECT * FROM t").await, ["1 10"]);
}

#[tokio::test]
async fn temporary_and_other_tables_work_together() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    c.ok("INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)").await;
    c.ok("CREATE TEMPORARY TABLE some SELECT id FROM t WHERE id > 1").await;
    assert_eq!(c.lines("SELECT v FROM t JOIN some USING (id) ORDER BY 1").await, ["20", "30"]);
    c.ok("UPDATE t JOIN some USING (id) SET v = v + 1").await;
    assert_eq!(c.lines("SELECT v FROM t ORDER BY 1").await, ["10", "21", "31"]);
    c.ok("BEGIN").await;
    c.ok("INSERT INTO t SELECT id + 10, 0 FROM some").await;
    c.ok("INSERT INTO some VALUES (12)").await;
    assert_eq!(c.lines("SELECT id FROM t JOIN some USING (id) ORDER BY 1").await, ["2", "3", "12"]);
    assert_eq!(c.code("INSERT INTO some SELECT id FROM t").await, 1235, "it would not see the transaction's rows");
    c.ok("ROLLBACK").await;
    assert_eq!(
        c.lines("SHOW WARNINGS").await,
        ["Warning 1196 Some non-transactional changed tables couldn't be rolled back"]
    );
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "3");
    assert_eq!(c.value("SELECT COUNT(*) FROM some").await, "3");
    c.ok("INSERT INTO some SELECT id FROM t WHERE id = 1").await;
    c.ok("DELETE FROM t WHERE id IN (SELECT id FROM some)").await;
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "0");
    assert_eq!(c.code("CREATE VIEW w AS SELECT * FROM some").await, 1352);
    assert_eq!(c.code("DROP TABLE t, some, nope").await, 1051);
    c.ok("DROP TABLE t, some").await;
    assert_eq!(c.code("SELECT * FROM some").await, 1146);
    assert_eq!(c.code("SELECT * FROM t").await, 1146);
}

/// Creating one neither commits nor changes what prepared statements of other sessions see.
#[tokio::test]
async fn a_temporary_table_hides_another_in_prepared_statements_too() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    c.ok("CREATE VIEW w AS SELECT id FROM t").await;
    c.ok("INSERT INTO t VALUES (1)").await;
    c.ok("PREPARE s FROM 'SELECT id FROM t'").await;
    assert_eq!(c.lines("EXECUTE s").await, ["1"]);
    c.ok("BEGIN").await;
    c.ok("INSERT INTO t VALUES (2)").await;
    c.ok("CREATE TEMPORARY TABLE t (id INT)").await;
    c.ok("INSERT INTO t VALUES (9)").await;
    assert_eq!(c.lines("EXECUTE s").await, ["9"]);
    assert_eq!(c.lines("SELECT id FROM w").await, ["1", "2"], "a view is of what it was made of");
    c.ok("ROLLBACK").await;
    c.ok("DROP TEMPORARY TABLE t").await;
    assert_eq!(c.lines("EXECUTE s").await, ["1"]);
}

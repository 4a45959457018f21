//! Keys over generated columns and over prefixes.

use super::definitions::another_member_agrees;
use super::schema::write_sets;
use super::*;
use crate::types::{Key, Mode};

#[tokio::test]
async fn a_generated_column_may_be_unique() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, a INT, b VARCHAR(9), s INT AS (a + CHAR_LENGTH(b)) VIRTUAL UNIQUE, \
          l VARCHAR(9) AS (CONCAT(b, '!')) STORED, UNIQUE KEY pair (l, a), UNIQUE KEY short (l(2)))")
        .await;
    c.ok("INSERT INTO t (id, a, b) VALUES (1, 1, 'xx'), (2, 5, 'yy'), (3, NULL, 'zz')").await;
    let error = c.error("INSERT INTO t (id, a, b) VALUES (4, 2, 'w')").await;
    assert_eq!((error.code, error.message.as_str()), (1062, "Duplicate entry '3' for key 't.s'"));
    assert_eq!(c.code("INSERT INTO t (id, a, b) VALUES (4, 20, 'XXzz')").await, 1062);
    assert_eq!(c.code("UPDATE t SET a = 1 WHERE id = 2").await, 1062);
    // NULL is equal to nothing.
    c.ok("INSERT INTO t (id, a, b) VALUES (4, NULL, 'ww')").await;
    assert_eq!(c.ok("REPLACE INTO t (id, a, b) VALUES (5, 2, 'v')").await.affected_rows, 2);
    c.ok("INSERT INTO t (id, a, b) VALUES (9, 6, 'q') ON DUPLICATE KEY UPDATE a = 100").await;
    assert_eq!(
        c.lines("SELECT id, a, s FROM t ORDER BY id").await,
        ["2 100 102", "3 NULL NULL", "4 NULL NULL", "5 2 3"]
    );
    assert_eq!(c.value("SELECT id FROM t WHERE s = 102").await, "2");
    another_member_agrees(&node, &mut c, &["SELECT * FROM t", "SHOW CREATE TABLE t", "SHOW INDEX FROM t"]).await;
    c.ok("CREATE TABLE k (n INT AS (a * 2) STORED PRIMARY KEY, a INT)").await;
    c.ok("INSERT INTO k (a) VALUES (1)").await;
    assert_eq!(c.code("INSERT INTO k (a) VALUES (1)").await, 1062);
    assert_eq!(c.code("CREATE TABLE v (n INT AS (a * 2) VIRTUAL PRIMARY KEY, a INT)").await, 3106);
}

/// The values of a key are computed here, and are keys of the transaction: two nodes that write one value collide.
#[tokio::test]
async fn unique_values_of_generated_columns_are_keys_of_the_transaction() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, c INT, s INT AS (a + b), UNIQUE (s))").await;
    c.ok("INSERT INTO t (id, a, b, c) VALUES (1, 1, 2, 3)").await;
    node.requests();
    let claims = |node: &Node| -> Vec<Key> {
        let accesses = write_sets(node).into_iter().flat_map(|set| set.accesses().collect::<Vec<_>>());
        accesses.filter(|a| a.mode == Mode::Write && matches!(a.key, Key::Unique(..))).map(|a| a.key).collect()
    };
    c.ok("INSERT INTO t (id, a, b) VALUES (2, 10, 10)").await;
    let twenty = claims(&node);
    assert_eq!(twenty.len(), 1);
    c.ok("UPDATE t SET c = 4 WHERE id = 2").await;
    assert_eq!(claims(&node), [], "the value is left alone");
    c.ok("UPDATE t SET a = 11 WHERE id = 2").await;
    assert_eq!(claims(&node).len(), 2, "one is taken, one given up");
    c.ok("DELETE FROM t WHERE id = 2").await;
    node.requests();
    c.ok("UPDATE t SET a = 18 WHERE id = 1").await;
    assert!(claims(&node).contains(&twenty[0]), "20 again");
    // A merge takes all that the value is made of from one writer.
    let sets = {
        node.requests();
        c.ok("UPDATE t SET b = 3 WHERE id = 1").await;
        write_sets(&node)
    };
    assert_eq!(sets[0].tables[0].rows[0].changed.iter().collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn a_stored_generated_column_may_refer_and_be_referred_to() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE p (id INT PRIMARY KEY, a INT, g INT AS (a * 10) STORED UNIQUE)").await;
    c.ok("INSERT INTO p (id, a) VALUES (1, 1), (2, 2)").await;
    c.ok("CREATE TABLE t (x INT, y INT AS (x + 5) STORED, FOREIGN KEY (y) REFERENCES p (g) ON DELETE CASCADE)").await;
    node.requests();
    c.ok("INSERT INTO t (x) VALUES (5)").await;
    let held = write_sets(&node)[0].holds.iter().any(|hold| matches!(hold.key, Key::Unique(..)));
    assert!(held, "the parent must not go meanwhile");
    assert_eq!(c.code("INSERT INTO t (x) VALUES (6)").await, 1452);
    assert_eq!(c.code("UPDATE t SET x = 6").await, 1452);
    assert_eq!(c.code("UPDATE p SET a = 7 WHERE id = 1").await, 1451);
    c.ok("DELETE FROM p WHERE id = 1").await;
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "0");
    for (action, code) in [("ON UPDATE CASCADE", 3104), ("ON DELETE SET NULL", 3104)] {
        let sql = format!("CREATE TABLE w (x INT, y INT AS (x) STORED, FOREIGN KEY (y) REFERENCES p (id) {action})");
        assert_eq!(c.code(&sql).await, code, "{sql}");
    }
    assert_eq!(c.code("CREATE TABLE w (x INT, y INT AS (x), FOREIGN KEY (y) REFERENCES p (id))").await, 3733);
}

#[tokio::test]
async fn a_primary_key_may_be_a_prefix() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (a VARCHAR(20), n INT, PRIMARY KEY (a(3)))").await;
    c.ok("INSERT INTO t VALUES ('abcd', 1), ('xyz', 2)").await;
    let error = c.error("INSERT INTO t VALUES ('ABCx', 1)").await;
    assert_eq!((error.code, error.message.contains("'t.PRIMARY'")), (1062, true), "{}", error.message);
    assert_eq!(c.code("INSERT INTO t VALUES (NULL, 1)").await, 1048);
    assert_eq!(c.ok("REPLACE INTO t VALUES ('abc', 3)").await.affected_rows, 2);
    c.ok("INSERT INTO t VALUES ('xyzzy', 3) ON DUPLICATE KEY UPDATE n = n + 10").await;
    c.ok("UPDATE t SET n = n + 1 WHERE a = 'xyz'").await;
    assert_eq!(c.lines("SELECT * FROM t ORDER BY a").await, ["abc 3", "xyz 13"]);
    c.ok("ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (a(2), n)").await;
    c.ok("INSERT INTO t VALUES ('ab', 4)").await;
    assert_eq!(c.code("INSERT INTO t VALUES ('abb', 4)").await, 1062);
    let questions = ["SELECT * FROM t ORDER BY a, n", "SHOW CREATE TABLE t", "SHOW INDEX FROM t"];
    another_member_agrees(&node, &mut c, &questions).await;
    c.ok("ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (a)").await;
    assert_eq!(c.code("INSERT INTO t VALUES ('ab', 9)").await, 1062);
}

/// With triggers rows are found and written one by one; they find the same keys.
#[tokio::test]
async fn tables_with_triggers_have_such_keys_too() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE log (line VARCHAR(60))").await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, a VARCHAR(9), g INT AS (CHAR_LENGTH(a) + 1), \
          h INT AS (g * 10) STORED UNIQUE, UNIQUE KEY p (a(2)))")
        .await;
    for event in ["INSERT", "UPDATE"] {
        let name = event.to_lowercase();
        c.ok(&format!("CREATE TRIGGER {name}d AFTER {event} ON t FOR EACH ROW INSERT INTO log VALUES (CONCAT('{name} ', NEW.id, ' ', NEW.h))")).await;
    }
    c.ok("CREATE TRIGGER gone AFTER DELETE ON t FOR EACH ROW INSERT INTO log VALUES (CONCAT('delete ', OLD.h))").await;
    c.ok("INSERT INTO t (id, a) VALUES (1, 'abc'), (2, 'xyzw')").await;
    c.ok("INSERT INTO t (id, a) VALUES (3, 'qqq') ON DUPLICATE KEY UPDATE a = 'long one'").await;
    c.ok("REPLACE INTO t (id, a) VALUES (4, 'XY')").await;
    assert_eq!(
        c.lines("SELECT * FROM log").await,
        ["insert 1 40", "insert 2 50", "update 1 90", "delete 50", "insert 4 30"]
    );
    assert_eq!(
        c.lines(
            "INSERT INTO t (id, a) VALUES (7, 'mnopq') RETURNING id, h + ?, CONCAT(a, 'x')".replace('?', "1").as_str()
        )
        .await,
        ["7 61 mnopqx"]
    );
    assert_eq!(c.lines("REPLACE INTO t (id, a) VALUES (7, 'nnnnnn') RETURNING *").await, ["7 nnnnnn 7 70"]);
    assert_eq!(c.lines("DELETE FROM t WHERE id > 3 RETURNING id AS i, h").await, ["4 30", "7 70"]);
    assert_eq!(c.lines("SELECT id FROM t").await, ["1"]);
}

#[tokio::test]
async fn a_key_part_may_be_an_expression() {
    let (node, mut c) = Node::with_database().await;
    let create = "CREATE TABLE `t` (
  `id` int(11) NOT NULL,
  `v` varchar(9) DEFAULT NULL,
  `n` int(11) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `low` ((lcase(`v`)),`n`),
  KEY `functional_index` ((`n` + 1) DESC)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci";
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(9), n INT, UNIQUE low ((LOWER(v)), n), INDEX ((n + 1) DESC))")
        .await;
    assert_eq!(c.value("SHOW CREATE TABLE t").await.to_lowercase(), format!("t {create}").to_lowercase());
    c.ok("INSERT INTO t VALUES (1, 'Abc', 1), (2, 'abc', 2), (3, NULL, 2)").await;
    assert_eq!(c.code("INSERT INTO t VALUES (4, 'aBC', 1)").await, 1062);
    assert_eq!(c.code("UPDATE t SET n = 1 WHERE id = 2").await, 1062);
    c.ok("REPLACE INTO t VALUES (5, 'ABC', 1)").await;
    assert_eq!(c.lines("SELECT * FROM t ORDER BY id").await, ["2 abc 2", "3 NULL 2", "5 ABC 1"]);
    assert_eq!(c.lines("SELECT * FROM t NATURAL JOIN (SELECT 5 AS id) x").await, ["5 ABC 1"]);
    assert_eq!(c.lines("SHOW COLUMNS FROM t").await.len(), 3);
    let parts = "SELECT column_name, lower(expression) FROM information_schema.statistics WHERE index_name = 'low'";
    assert_eq!(c.lines(parts).await, ["NULL lcase(`v`)", "n NULL"]);
    let questions = ["SELECT * FROM t", "SHOW CREATE TABLE t", "SHOW INDEX FROM t", "DESCRIBE t"];
    another_member_agrees(&node, &mut c, &questions).await;
    c.ok("CREATE TABLE u LIKE t").await;
    c.ok("INSERT INTO u SELECT * FROM t").await;
    assert_eq!(c.code("ALTER TABLE u DROP COLUMN v").await, 3837);
    c.ok("ALTER TABLE u DROP KEY low, ADD COLUMN w INT, ADD UNIQUE ((n * 10 + id))").await;
    c.ok("INSERT INTO u VALUES (1, 'Abc', 1, 4)").await;
    assert_eq!(c.code("INSERT INTO u VALUES (12, 'x', 1, 4)").await, 1062);
    c.ok("ALTER TABLE u DROP COLUMN v").await;
    for (part, code) in [
        ("PRIMARY KEY ((n + 1))", 3756),
        ("FULLTEXT ((v))", 3759),
        ("KEY ((n))", 3762),
        ("KEY ((RAND()))", 3758),
        ("KEY ((REPEAT(v, 9999)))", 3757),
        ("KEY ((nothing + 1))", 1054),
    ] {
        assert_eq!(c.code(&format!("CREATE TABLE x (n INT, v VARCHAR(9), {part})")).await, code, "{part}");
    }
}

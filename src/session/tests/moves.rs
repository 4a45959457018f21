//! RENAME TABLE into another database.

use super::definitions::another_member_agrees;
use super::schema::write_sets;
use super::*;

async fn two_databases() -> (Node, Client) {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE DATABASE e").await;
    (node, c)
}

#[tokio::test]
async fn a_table_goes_to_another_database_with_its_rows_and_keys() {
    let (node, mut c) = two_databases().await;
    c.ok("CREATE TABLE t (id TINYINT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(9) UNIQUE, up VARCHAR(9), \
          len INT AS (CHAR_LENGTH(v)), CHECK (up <> 'x'), KEY (len), FOREIGN KEY (up) REFERENCES t (v))")
        .await;
    c.ok("CREATE TABLE plain (a INT)").await;
    c.ok("INSERT INTO t (v, up) VALUES ('a', NULL), ('bb', 'a')").await;
    c.ok("INSERT INTO plain VALUES (1), (1)").await;
    c.ok("RENAME TABLE t TO e.moved, plain TO e.plain").await;
    assert_eq!(c.code("SELECT * FROM t").await, 1146);
    assert_eq!(c.lines("SELECT * FROM e.moved ORDER BY id").await, ["1 a NULL 1", "2 bb a 2"]);
    assert_eq!(c.lines("SELECT a FROM e.plain").await, ["1", "1"]);
    assert_eq!(c.code("INSERT INTO e.moved (v) VALUES ('A')").await, 1062);
    assert_eq!(c.code("INSERT INTO e.moved (v, up) VALUES ('c', 'none')").await, 1452);
    assert_eq!(c.code("INSERT INTO e.moved (v, up) VALUES ('c', 'x')").await, 3819);
    c.ok("INSERT INTO e.moved (v) VALUES ('ccc')").await;
    assert_eq!(c.value("SELECT id > 2 FROM e.moved WHERE len = 3").await, "1");
    let questions = ["SELECT * FROM e.moved", "SHOW CREATE TABLE e.moved", "SHOW TABLES FROM e", "SHOW TABLES FROM d"];
    another_member_agrees(&node, &mut c, &questions).await;
    c.ok("ALTER TABLE e.moved RENAME TO d.back").await;
    assert_eq!(c.value("SELECT COUNT(*) FROM back").await, "3");
}

/// The new version of a table takes the place of the old one in one statement.
#[tokio::test]
async fn tables_change_places_left_to_right() {
    let (_node, mut c) = two_databases().await;
    c.ok("CREATE TABLE t (a INT) SELECT 1 AS a").await;
    c.ok("CREATE TABLE e.t (a INT) SELECT 2 AS a").await;
    c.ok("RENAME TABLE e.t TO e.old, t TO u, u TO e.t").await;
    assert_eq!(c.value("SELECT (SELECT a FROM e.old) * 10 + (SELECT a FROM e.t)").await, "21");
    assert_eq!(c.lines("SHOW TABLES").await, [""; 0]);
    assert_eq!(c.code("RENAME TABLE e.t TO t, t TO e.u").await, 1235);
    // All of it or nothing.
    assert_eq!(c.code("RENAME TABLE e.t TO t, e.none TO u").await, 1146);
    assert_eq!(c.ok("RENAME TABLE IF EXISTS e.none TO u, e.t TO t").await.warnings, 1);
    assert_eq!(c.value("SELECT a FROM t").await, "1");
}

#[tokio::test]
async fn what_cannot_go_is_refused() {
    let (_node, mut c) = two_databases().await;
    c.ok("CREATE TABLE t (a INT PRIMARY KEY)").await;
    c.ok("CREATE TABLE child (a INT PRIMARY KEY, FOREIGN KEY (a) REFERENCES t (a))").await;
    c.ok("CREATE TABLE triggered (a INT)").await;
    c.ok("CREATE TRIGGER x BEFORE INSERT ON triggered FOR EACH ROW SET NEW.a = 1").await;
    c.ok("CREATE VIEW w AS SELECT 1").await;
    c.ok("CREATE TABLE e.taken (a INT)").await;
    for (from, to, code) in [
        ("triggered", "e.t", 1435),
        ("w", "e.w", 1450),
        ("t", "nowhere.t", 1049),
        ("t", "e.TAKEN", 1050),
        ("none", "e.none", 1146),
        ("t", "e.t", 1235),
        ("child", "e.child", 1235),
    ] {
        assert_eq!(c.code(&format!("RENAME TABLE {from} TO {to}")).await, code, "{from} to {to}");
    }
    assert_eq!(c.code("ALTER TABLE triggered RENAME e.t, ADD COLUMN b INT").await, 1235);
}

/// Both databases are locked at once: whoever wrote to either begins again.
#[tokio::test]
async fn a_move_holds_both_schemas() {
    let (node, mut c) = two_databases().await;
    c.ok("CREATE TABLE t (a INT PRIMARY KEY)").await;
    node.requests();
    c.ok("RENAME TABLE t TO e.t").await;
    let sets = write_sets(&node);
    let held: Vec<String> = sets[0].accesses().map(|access| access.key.to_string()).collect();
    assert_eq!(held, ["schema d", "schema e"]);
}

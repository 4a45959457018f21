//! CHECK TABLE and CHECKSUM TABLE.

use super::*;

#[tokio::test]
async fn a_checksum_is_of_the_rows_and_not_of_how_they_came_to_be() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE a (id INT PRIMARY KEY, t VARCHAR(10))").await;
    c.ok("INSERT INTO a VALUES (1, 'x'), (2, NULL)").await;
    let before = c.lines("CHECKSUM TABLE a").await;
    assert!(before[0].starts_with("d.a ") && !before[0].ends_with("NULL"), "{before:?}");
    c.ok("DELETE FROM a WHERE id = 1").await;
    assert_ne!(c.lines("CHECKSUM TABLE a").await, before);
    c.ok("INSERT INTO a VALUES (1, 'X')").await;
    assert_ne!(c.lines("CHECKSUM TABLE a EXTENDED").await, before, "letters that compare equal are not equal");
    c.ok("UPDATE a SET t = 'x' WHERE id = 1").await;
    assert_eq!(c.lines("CHECKSUM TABLE a EXTENDED").await, before);
}

#[tokio::test]
async fn what_has_no_checksum_has_null() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE a (id INT PRIMARY KEY)").await;
    c.ok("CREATE VIEW v AS SELECT id FROM a").await;
    c.ok("CREATE TEMPORARY TABLE mine (id INT PRIMARY KEY)").await;
    let lines = c.lines("CHECKSUM TABLE v, mine, nowhere, information_schema.tables").await;
    assert_eq!(lines, ["d.v NULL", "d.mine NULL", "d.nowhere NULL", "information_schema.tables NULL"]);
    assert_eq!(c.lines("SHOW WARNINGS").await, ["Warning 1146 Table 'd.nowhere' doesn't exist"]);
    assert_eq!(c.lines("CHECKSUM TABLE a QUICK").await, ["d.a NULL"]);
}

#[tokio::test]
async fn tables_are_checked() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE a (id INT PRIMARY KEY, t VARCHAR(10), UNIQUE KEY (t))").await;
    c.ok("INSERT INTO a VALUES (1, 'x')").await;
    let lines = c.lines("CHECK TABLE a, nowhere EXTENDED").await;
    assert_eq!(
        lines,
        [
            "d.a check status OK",
            "d.nowhere check Error Table 'd.nowhere' doesn't exist",
            "d.nowhere check status Operation failed"
        ]
    );
}

//! What is listed is what the account may know of.

use super::*;

#[tokio::test]
async fn databases_and_tables_are_listed_as_far_as_they_are_open() {
    let (node, mut root) = with_ann().await;
    for sql in [
        "CREATE TABLE hidden (a INT)",
        "CREATE VIEW w AS SELECT 1 AS a",
        "CREATE PROCEDURE p() SELECT 1",
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1",
        "CREATE DATABASE other",
        "CREATE TABLE other.x (a INT)",
    ] {
        root.ok(sql).await;
    }
    let mut client = ann(&node).await;
    assert_eq!(client.lines("SHOW DATABASES").await, ["information_schema", "performance_schema"]);
    assert!(client.lines("SELECT * FROM information_schema.tables WHERE table_schema = 'd'").await.is_empty());
    root.ok("GRANT SELECT ON d.t TO ann@'10.0.%'").await;
    assert_eq!(client.lines("SHOW DATABASES").await, ["d", "information_schema", "performance_schema"]);
    assert_eq!(client.lines("SHOW TABLES FROM d").await, ["t"]);
    let tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'd' ORDER BY 1";
    assert_eq!(client.lines(tables).await, ["t"]);
    let schemata = "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT LIKE '%schema'";
    assert_eq!(client.lines(schemata).await, ["d"]);
    let columns = "SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema IN ('d', 'other')";
    assert_eq!(client.lines(columns).await, ["t"]);
    assert!(client.lines("SHOW PROCEDURE STATUS").await.is_empty());
    assert_eq!(client.code("SHOW CREATE PROCEDURE d.p").await, 1305);
    assert!(client.lines("SHOW TRIGGERS FROM d").await.is_empty());
    root.ok("GRANT EXECUTE, TRIGGER, SELECT ON d.* TO ann@'10.0.%'").await;
    assert_eq!(client.lines("SHOW TABLES FROM d").await, ["hidden", "t", "w"]);
    assert_eq!(client.rows("SHOW PROCEDURE STATUS").await.len(), 1);
    assert_eq!(client.rows("SHOW TRIGGERS FROM d").await.len(), 1);
    root.ok("GRANT SHOW DATABASES ON *.* TO ann@'10.0.%'").await;
    let all = ["d", "information_schema", "marmot", "mysql", "other", "performance_schema"];
    assert_eq!(client.lines("SHOW DATABASES").await, all);
    assert_eq!(client.code("USE other").await, 1044);
    assert_eq!(client.code("SHOW TABLES FROM other").await, 1044);
    // Temporary tables are their owner's.
    root.ok("GRANT CREATE TEMPORARY TABLES ON d.* TO ann@'10.0.%'").await;
    client.ok("USE d").await;
    client.ok("CREATE TEMPORARY TABLE mine (a INT)").await;
    client.ok("INSERT INTO mine VALUES (1)").await;
    client.ok("UPDATE mine SET a = 2").await;
    assert_eq!(client.value("SELECT a FROM mine").await, "2");
    client.ok("DROP TABLE mine").await;
}

#[tokio::test]
async fn field_lists_need_a_privilege() {
    let (node, mut root) = with_ann().await;
    root.ok("CREATE TABLE u (id INT)").await;
    root.ok("GRANT SELECT ON d.t TO ann@'10.0.%'").await;
    let mut client = ann(&node).await;
    client.ok("USE d").await;
    assert_eq!(client.session.field_list("t", "").await.expect("it may").len(), 2);
    assert_eq!(client.session.field_list("u", "").await.expect_err("it may not").code, 1142);
}

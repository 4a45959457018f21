//! information_schema, performance_schema, mysql and marmot.

use super::*;

#[tokio::test]
async fn information_schema_describes_tables() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT, v VARCHAR(20) DEFAULT 'x', PRIMARY KEY (id), KEY iv (v))")
        .await;
    let tables = "SELECT table_name, engine FROM information_schema.tables WHERE table_schema = 'd'";
    assert_eq!(c.lines(tables).await, ["t InnoDB"]);
    let columns = "SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_KEY, EXTRA, COLUMN_DEFAULT \
                   FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'd' ORDER BY ORDINAL_POSITION";
    assert_eq!(c.lines(columns).await, ["id int(11) NO PRI auto_increment NULL", "v varchar(20) YES MUL  x"]);
    assert_eq!(c.lines("SHOW TABLES").await, ["t"]);
    assert!(c.lines("SHOW DATABASES").await.contains(&"information_schema".to_string()));
    assert_eq!(c.lines("DESCRIBE t").await.len(), 2);
    assert_eq!(c.lines("SHOW INDEX FROM t").await.len(), 2);
    assert!(c.value("SHOW CREATE TABLE t").await.contains("CREATE TABLE `t`"));
    assert_eq!(c.lines("SHOW COLLATION LIKE 'utf8mb4_bin'").await.len(), 1);
    assert!(!c.lines("SHOW ENGINES").await.is_empty());
    let joined =
        "SELECT COUNT(*) FROM information_schema.tables i JOIN t ON i.table_name = 't' WHERE i.table_schema = 'd'";
    assert_eq!(c.value(joined).await, "0");
}

#[tokio::test]
async fn system_tables_are_current_and_read_only() {
    let (_node, mut c) = Node::with_database().await;
    let count = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'd'";
    assert_eq!(c.value(count).await, "0");
    c.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    assert_eq!(c.value(count).await, "1");
    c.ok("BEGIN").await;
    assert_eq!(c.value(count).await, "1");
    c.ok("ROLLBACK").await;
    assert_eq!(c.code("DELETE FROM information_schema.tables").await, 1044);
    assert_eq!(c.code("CREATE TABLE information_schema.t (id INT)").await, 1044);
    assert_eq!(c.code("SELECT * FROM information_schema.nope").await, 1109);
}

#[tokio::test]
async fn the_cluster_is_a_table() {
    let (_node, mut c) = Node::with_database().await;
    assert_eq!(c.lines("SELECT * FROM marmot.cluster_nodes").await, ["1 127.0.0.1:8081 ALIVE 1 1 0"]);
    assert!(c.lines("SELECT * FROM marmot.conflicts").await.is_empty());
    assert_eq!(c.lines("SHOW STATUS LIKE 'marmot_voters'").await, ["marmot_voters 1"]);
}

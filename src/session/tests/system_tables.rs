//! information_schema, performance_schema, mysql and marmot.

use super::*;
use std::io::{Read, Seek};

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
    assert_eq!(c.lines("SELECT * FROM marmot.cluster_nodes").await, ["1 127.0.0.1:8081 ALIVE 1 1 0 NULL"]);
    assert!(c.lines("SELECT * FROM marmot.conflicts").await.is_empty());
    assert_eq!(c.lines("SHOW STATUS LIKE 'marmot_voters'").await, ["marmot_voters 1"]);
}

#[tokio::test]
async fn what_is_under_way_is_a_table() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let open = "SELECT id, state, coordinator, connection, age_ms, key_count, waits_for FROM marmot.transactions";
    assert!(c.lines(open).await.is_empty());
    let mut other = node.another().await;
    other.ok("BEGIN").await;
    other.ok("INSERT INTO t VALUES (1), (2)").await;
    node.clock.sleep(Span::from_millis(30)).await;
    let id = other.value("SELECT CONNECTION_ID()").await;
    assert_eq!(c.lines(open).await, [format!("NULL OPEN 1 {id} 30 2 NULL")]);
    other.ok("COMMIT").await;
    assert!(c.lines(open).await.is_empty());
    assert!(c.lines("SELECT * FROM marmot.intents").await.is_empty());
    let databases = c.lines("SELECT name, tables, bytes > 0, applied FROM marmot.databases").await;
    assert_eq!(databases, ["d 1 1 3"], "made, a table, two rows");
    assert!(c.lines("SELECT * FROM marmot.replication").await.is_empty(), "this node is not its own peer");
}

/// What administration tools compute with is there, and counts.
#[tokio::test]
async fn status_counts_what_happens() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    c.ok("INSERT INTO t VALUES (1, 30), (2, 10), (3, 20)").await;
    async fn status(c: &mut Client, name: &str) -> u64 {
        let line = c.lines(&format!("SHOW GLOBAL STATUS LIKE '{name}'")).await;
        line[0].split_once(' ').and_then(|(_, value)| value.parse().ok()).expect("a number")
    }
    let names = ["Com_select", "Com_insert", "Sort_scan", "Select_scan", "Handler_read_rnd_next", "Slow_queries"];
    let mut before = Vec::new();
    for name in names {
        before.push(status(&mut c, name).await);
    }
    c.lines("SELECT v FROM t ORDER BY v").await;
    c.ok("SET long_query_time = 0.005").await;
    c.lines("SELECT SLEEP(0.01)").await;
    c.ok("INSERT INTO t VALUES (4, 4)").await;
    // Two reads, one write, one sort, one scan of three rows (SQLite counts the steps from row to row).
    let mut gained = Vec::new();
    for (name, before) in names.iter().zip(before) {
        gained.push((*name, status(&mut c, name).await - before));
    }
    // SHOW STATUS sorts as well.
    assert_eq!(gained[..2], [("Com_select", 2), ("Com_insert", 1)]);
    assert!(gained[2].1 >= 1 && gained[3].1 >= 1 && gained[4].1 >= 2, "{gained:?}");
    for name in ["Aborted_clients", "Bytes_sent", "Max_used_connections", "Threads_created", "Key_reads", "Uptime"] {
        status(&mut c, name).await;
    }
    let (commits, rollbacks) = (status(&mut c, "Handler_commit").await, status(&mut c, "Handler_rollback").await);
    c.ok("BEGIN").await;
    c.ok("COMMIT").await;
    c.ok("BEGIN").await;
    c.ok("ROLLBACK").await;
    c.ok("ROLLBACK").await;
    assert_eq!(status(&mut c, "Handler_commit").await, commits + 1);
    assert_eq!(status(&mut c, "Handler_rollback").await, rollbacks + 1, "the second had nothing to roll back");
    let list = c.lines("SHOW STATUS").await;
    assert!(list.is_sorted_by_key(|line| line.to_ascii_lowercase()));
}

/// The account that a cluster begins with may do everything.
#[tokio::test]
async fn the_account_is_described() {
    let (_node, mut c) = Node::with_database().await;
    let grants = c.value("SHOW GRANTS").await;
    let all = "ON *.* TO `root`@`localhost` WITH GRANT OPTION";
    assert!(grants.starts_with("GRANT SELECT, INSERT") && grants.ends_with(all), "{grants}");
    let user = "SELECT User, Host, Select_priv, Create_user_priv, account_locked FROM mysql.user";
    assert_eq!(c.lines(user).await, ["root localhost Y Y N"]);
    let privileges = "SELECT COUNT(*) FROM information_schema.user_privileges WHERE is_grantable = 'YES'";
    assert_eq!(c.value(privileges).await, (grants.matches(',').count() + 1).to_string());
    // There are no rights on single tables that a tool would have to carry along with a new name.
    c.ok("UPDATE mysql.tables_priv SET Table_name = 'u' WHERE Db = 'd' AND Table_name = 't'").await;
    c.ok("DELETE FROM mysql.db WHERE Db = 'd'").await;
    assert!(c.lines("SELECT * FROM mysql.columns_priv").await.is_empty());
    assert_eq!(c.code("INSERT INTO mysql.db (Host) VALUES ('h')").await, 1044);
    assert_eq!(c.code("UPDATE mysql.user SET Host = 'h'").await, 1044);
    assert_eq!(c.code("DELETE FROM performance_schema.global_status").await, 1044);
}

/// Runs `work` and gives what was logged meanwhile on this thread.
async fn logged(work: impl Future<Output = ()>) -> Vec<String> {
    let mut log = tempfile::tempfile().expect("a file");
    let writer = log.try_clone().expect("the same file");
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(writer).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    work.await;
    drop(guard);
    let mut text = String::new();
    log.rewind().and_then(|()| log.read_to_string(&mut text)).expect("text");
    text.lines().filter(|line| line.contains("marmot::slow")).map(str::to_string).collect()
}

#[tokio::test]
async fn slow_statements_are_logged_without_passwords() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, password VARCHAR(20))").await;
    c.ok("SET long_query_time = 0.005").await;
    let silent = logged(async { drop(c.lines("SELECT SLEEP(0.01)").await) }).await;
    assert!(silent.is_empty(), "the log is off: {silent:?}");
    c.ok("SET GLOBAL slow_query_log = ON").await;
    let lines = logged(async {
        c.lines("SELECT 1").await;
        c.lines("SELECT SLEEP(0.02),\n 'x' AS password, 'sesame'").await;
        // It waits before the third attempt.
        node.refuse([node.conflict(), node.conflict()]);
        c.ok("SET long_query_time = 0").await;
        c.ok("INSERT INTO t (id, password) VALUES (1, 'sesame')").await;
    })
    .await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("SELECT SLEEP(0.02),  'x' AS password, '***'"), "{}", lines[0]);
    for part in ["seconds=0.02", "rows=1", "database=\"d\"", "user=root@", "connection=", "error=0"] {
        assert!(lines[0].contains(part), "{part}: {}", lines[0]);
    }
    assert!(lines.iter().all(|line| !line.contains("sesame")), "{lines:?}");
    assert!(!lines[0].contains("txn=") && lines[1].contains("txn=n1:"), "{lines:?}");
    c.ok("INSERT INTO t VALUES (2, 'y'), (3, 'z')").await;
    c.ok("SET GLOBAL log_queries_not_using_indexes = ON").await;
    let lines = logged(async {
        c.lines("SELECT id FROM t WHERE id = 1").await;
        c.lines("SELECT id FROM t WHERE password LIKE '%x%'").await;
    })
    .await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("statement without an index"), "{lines:?}");
    assert_eq!(c.code("SET SESSION slow_query_log = OFF").await, 1229);
}

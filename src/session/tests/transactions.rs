//! BEGIN, COMMIT, ROLLBACK, savepoints, autocommit, and what conflicts do to transactions.

use super::*;

async fn table(c: &mut Client) {
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    c.ok("INSERT INTO t VALUES (1, 1), (2, 2)").await;
}

#[tokio::test]
async fn a_transaction_sees_itself_and_others_see_it_after_commit() {
    let (node, mut c) = Node::with_database().await;
    table(&mut c).await;
    let mut other = node.another().await;
    c.ok("BEGIN").await;
    assert!(c.in_transaction());
    c.ok("UPDATE t SET n = 10 WHERE id = 1").await;
    assert_eq!(c.value("SELECT n FROM t WHERE id = 1").await, "10");
    assert_eq!(other.value("SELECT n FROM t WHERE id = 1").await, "1");
    c.ok("COMMIT").await;
    assert!(!c.in_transaction());
    assert_eq!(other.value("SELECT n FROM t WHERE id = 1").await, "10");
    c.ok("START TRANSACTION").await;
    c.ok("DELETE FROM t").await;
    c.ok("ROLLBACK").await;
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "2");
}

#[tokio::test]
async fn a_transaction_reads_one_snapshot() {
    let (node, mut c) = Node::with_database().await;
    table(&mut c).await;
    let mut other = node.another().await;
    c.ok("BEGIN").await;
    assert_eq!(c.value("SELECT n FROM t WHERE id = 1").await, "1");
    other.ok("UPDATE t SET n = 5 WHERE id = 1").await;
    assert_eq!(c.value("SELECT n FROM t WHERE id = 1").await, "1");
    c.ok("COMMIT").await;
    assert_eq!(c.value("SELECT n FROM t WHERE id = 1").await, "5");
}

#[tokio::test]
async fn the_second_committer_gets_1213_and_is_rolled_back() {
    let (node, mut c) = Node::with_database().await;
    table(&mut c).await;
    let mut other = node.another().await;
    c.ok("BEGIN").await;
    c.ok("UPDATE t SET n = n + 1 WHERE id = 1").await;
    other.ok("UPDATE t SET n = n + 1 WHERE id = 1").await;
    let e = c.error("COMMIT").await;
    assert_eq!((e.code, e.state.as_str()), (1213, "40001"));
    assert!(!c.in_transaction());
    assert_eq!(c.value("SELECT n FROM t WHERE id = 1").await, "2");
}

#[tokio::test]
async fn rows_locked_for_update_are_validated_at_commit() {
    let (node, mut c) = Node::with_database().await;
    table(&mut c).await;
    let mut other = node.another().await;
    c.ok("BEGIN").await;
    assert_eq!(c.value("SELECT n FROM t WHERE id = 1 FOR UPDATE").await, "1");
    c.ok("UPDATE t SET n = 7 WHERE id = 2").await;
    other.ok("UPDATE t SET n = 9 WHERE id = 1").await;
    assert_eq!(c.code("COMMIT").await, 1213);
    // Without the lock, different rows do not collide.
    c.ok("BEGIN").await;
    c.rows("SELECT n FROM t WHERE id = 1").await;
    c.ok("UPDATE t SET n = 7 WHERE id = 2").await;
    other.ok("UPDATE t SET n = 10 WHERE id = 1").await;
    c.ok("COMMIT").await;
    c.ok("BEGIN").await;
    c.rows("SELECT n FROM t WHERE id = 1 LOCK IN SHARE MODE").await;
    c.ok("UPDATE t SET n = 8 WHERE id = 2").await;
    node.requests();
    c.ok("COMMIT").await;
    let held = node.requests().into_iter().find_map(|r| match r {
        Request::Commit { write_set, .. } => {
            Some(write_set.holds.iter().any(|h| matches!(h.key, Key::Row(_)) && h.mode == Mode::Read))
        }
        _ => None,
    });
    assert_eq!(held, Some(true));
}

#[tokio::test]
async fn a_failed_statement_undoes_itself_only() {
    let (_node, mut c) = Node::with_database().await;
    table(&mut c).await;
    c.ok("BEGIN").await;
    c.ok("INSERT INTO t VALUES (3, 3)").await;
    assert_eq!(c.code("INSERT INTO t VALUES (4, 4), (1, 1)").await, 1062);
    assert!(c.in_transaction());
    assert_eq!(c.lines("SELECT id FROM t ORDER BY id").await, ["1", "2", "3"]);
    c.ok("COMMIT").await;
    assert_eq!(c.value("SELECT COUNT(*) FROM t").await, "3");
}

#[tokio::test]
async fn savepoints_take_back_a_part() {
    let (_node, mut c) = Node::with_database().await;
    table(&mut c).await;
    c.ok("BEGIN").await;
    c.ok("INSERT INTO t VALUES (3, 3)").await;
    c.ok("SAVEPOINT a").await;
    c.ok("INSERT INTO t VALUES (4, 4)").await;
    c.ok("SAVEPOINT b").await;
    c.ok("INSERT INTO t VALUES (5, 5)").await;
    c.ok("ROLLBACK TO SAVEPOINT a").await;
    assert_eq!(c.code("ROLLBACK TO b").await, 1305);
    c.ok("INSERT INTO t VALUES (6, 6)").await;
    c.ok("RELEASE SAVEPOINT a").await;
    assert_eq!(c.code("ROLLBACK TO a").await, 1305);
    c.ok("COMMIT").await;
    assert_eq!(c.lines("SELECT id FROM t ORDER BY id").await, ["1", "2", "3", "6"]);
    assert_eq!(c.code("ROLLBACK TO a").await, 1305);
    c.ok("SAVEPOINT outside").await;
    assert!(!c.in_transaction());
}

#[tokio::test]
async fn autocommit_off_opens_transactions_by_itself() {
    let (node, mut c) = Node::with_database().await;
    table(&mut c).await;
    let mut other = node.another().await;
    c.ok("SET autocommit = 0").await;
    assert!(!c.session.status().contains(StatusFlags::SERVER_STATUS_AUTOCOMMIT));
    c.rows("SELECT 1").await;
    assert!(!c.in_transaction(), "no table was touched");
    c.ok("INSERT INTO t VALUES (3, 3)").await;
    assert!(c.in_transaction());
    assert_eq!(other.value("SELECT COUNT(*) FROM t").await, "2");
    c.ok("SET autocommit = 1").await;
    assert!(!c.in_transaction());
    assert_eq!(other.value("SELECT COUNT(*) FROM t").await, "3");
}

#[tokio::test]
async fn ddl_commits_what_is_open() {
    let (node, mut c) = Node::with_database().await;
    table(&mut c).await;
    let mut other = node.another().await;
    c.ok("BEGIN").await;
    c.ok("INSERT INTO t VALUES (3, 3)").await;
    c.ok("CREATE TABLE u (id INT PRIMARY KEY)").await;
    assert!(!c.in_transaction());
    c.ok("ROLLBACK").await;
    assert_eq!(other.value("SELECT COUNT(*) FROM t").await, "3");
}

#[tokio::test]
async fn read_only_transactions_refuse_writes() {
    let (_node, mut c) = Node::with_database().await;
    table(&mut c).await;
    c.ok("START TRANSACTION READ ONLY").await;
    assert_eq!(c.code("DELETE FROM t").await, 1792);
    c.ok("COMMIT").await;
    c.ok("SET TRANSACTION READ ONLY").await;
    c.ok("BEGIN").await;
    assert_eq!(c.code("DELETE FROM t").await, 1792);
    c.ok("COMMIT").await;
    c.ok("DELETE FROM t").await;
}

#[tokio::test]
async fn an_empty_commit_asks_nobody() {
    let (node, mut c) = Node::with_database().await;
    table(&mut c).await;
    node.requests();
    c.ok("BEGIN").await;
    c.rows("SELECT * FROM t").await;
    c.ok("UPDATE t SET n = n").await;
    c.ok("COMMIT").await;
    assert!(commits(&node.requests()).is_empty());
}

#[tokio::test]
async fn a_transaction_that_is_too_old_is_closed() {
    let (node, mut c) = Node::with_database().await;
    table(&mut c).await;
    c.ok("BEGIN").await;
    c.ok("DELETE FROM t").await;
    node.server.registry().expire(node.server.clock.now().mono);
    assert!(c.in_transaction());
    node.clock.sleep(Span::from_secs(301)).await;
    node.server.registry().expire(node.server.clock.now().mono);
    assert_eq!(c.session.killed().await.code, 4031);
    c.session.disconnected().await;
    assert_eq!(node.another().await.value("SELECT COUNT(*) FROM t").await, "2");
}

#[tokio::test]
async fn the_oldest_snapshot_is_published_while_a_transaction_is_open() {
    let (node, mut c) = Node::with_database().await;
    table(&mut c).await;
    let published = node.server.core.published().clone();
    c.ok("BEGIN").await;
    assert_eq!(published.oldest(), None, "nothing is pinned yet");
    c.rows("SELECT * FROM t").await;
    assert_eq!(published.oldest().map(|s| s.seq), Some(published.applied()));
    c.ok("ROLLBACK").await;
    assert_eq!(published.oldest(), None);
}

#[tokio::test]
async fn a_transaction_that_comes_to_another_database_keeps_what_it_wrote_before() {
    let (node, mut c) = Node::with_database().await;
    table(&mut c).await;
    c.ok("CREATE DATABASE e").await;
    c.ok("CREATE TABLE e.u (id INT PRIMARY KEY, n INT)").await;
    // A client of whom no database but the first was asked yet.
    let mut fresh = node.another().await;
    fresh.ok("BEGIN").await;
    fresh.ok("INSERT INTO t VALUES (7, 70)").await;
    fresh.ok("UPDATE t SET n = 11 WHERE id = 1").await;
    fresh.ok("INSERT INTO e.u VALUES (8, 80)").await;
    fresh.ok("DELETE FROM t WHERE id = 2").await;
    fresh.ok("COMMIT").await;
    assert_eq!(c.lines("SELECT id, n FROM t ORDER BY id").await, ["1 11", "7 70"]);
    assert_eq!(c.lines("SELECT id, n FROM e.u").await, ["8 80"]);
}

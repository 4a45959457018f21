//! DDL under the schema lock.

use super::*;

/// What `node` committed since it was asked last.
pub fn write_sets(node: &Node) -> Vec<Arc<WriteSet>> {
    let committed = |request| match request {
        Request::Commit { write_set, .. } | Request::CommitLocked { write_set, .. } => Some(write_set),
        _ => None,
    };
    node.requests().into_iter().filter_map(committed).collect()
}

/// A node that lacks what `statements` did on another, and a client of it whose reads must see that.
async fn behind(statements: &[&str]) -> (Node, Client) {
    let other = Node::start();
    let mut there = other.connect(CapabilityFlags::empty()).await;
    for statement in statements {
        there.ok(statement).await;
    }
    let node = Node::start();
    let mut here = node.connect(CapabilityFlags::empty()).await;
    here.ok("SET marmot_read_consistency = 'QUORUM'").await;
    node.script.lock().expect("tests do not panic here").behind = write_sets(&other);
    (node, here)
}

const ELSEWHERE: [&str; 3] =
    ["CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY, v INT)", "INSERT INTO d.t VALUES (1, 2)"];

#[tokio::test]
async fn a_quorum_read_finds_a_table_created_elsewhere() {
    let (_node, mut c) = behind(&ELSEWHERE).await;
    assert_eq!(c.value("SELECT v FROM d.t").await, "2");
}

#[tokio::test]
async fn a_quorum_read_describes_a_table_created_elsewhere() {
    let (_node, mut c) = behind(&ELSEWHERE).await;
    let columns = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'd'";
    assert_eq!(c.lines(columns).await, ["id", "v"]);
}

#[tokio::test]
async fn use_and_prepare_find_what_was_created_elsewhere() {
    let (_node, mut c) = behind(&ELSEWHERE).await;
    c.ok("USE d").await;
    assert_eq!(c.value("SELECT v FROM t").await, "2");
    let (_node, mut c) = behind(&ELSEWHERE).await;
    c.ok("PREPARE s FROM 'SELECT v FROM d.t'").await;
    assert_eq!(c.value("EXECUTE s").await, "2");
}

/// The plan of a statement is not older than the snapshot it runs on, in a transaction and outside.
#[tokio::test]
async fn a_statement_is_planned_again_if_its_barrier_brought_a_new_schema() {
    let other = Node::start();
    let mut there = other.connect(CapabilityFlags::empty()).await;
    for statement in ELSEWHERE {
        there.ok(statement).await;
    }
    let before = write_sets(&other);
    there.ok("ALTER TABLE d.t ADD COLUMN w INT DEFAULT 3").await;
    let altered = write_sets(&other);
    for begin in [None, Some("BEGIN")] {
        let node = Node::start();
        let mut here = node.connect(CapabilityFlags::empty()).await;
        here.ok("SET marmot_read_consistency = 'QUORUM'").await;
        node.script.lock().expect("tests do not panic here").behind = before.clone();
        assert_eq!(here.value("SELECT * FROM d.t").await, "1 2");
        node.script.lock().expect("tests do not panic here").behind = altered.clone();
        if let Some(begin) = begin {
            here.ok(begin).await;
        }
        assert_eq!(here.value("SELECT * FROM d.t").await, "1 2 3", "{begin:?}");
    }
}

#[tokio::test]
async fn tables_come_change_and_go() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(5))").await;
    c.ok("INSERT INTO t VALUES (1, 'a')").await;
    c.ok("ALTER TABLE t ADD COLUMN n INT NOT NULL DEFAULT 7, ADD UNIQUE KEY uv (v)").await;
    assert_eq!(c.lines("SELECT * FROM t").await, ["1 a 7"]);
    assert_eq!(c.error("INSERT INTO t VALUES (2, 'a', 1)").await.message, "Duplicate entry 'a' for key 't.uv'");
    c.ok("CREATE INDEX i ON t (n)").await;
    c.ok("DROP INDEX i ON t").await;
    c.ok("RENAME TABLE t TO u").await;
    assert_eq!(c.code("SELECT * FROM t").await, 1146);
    c.ok("TRUNCATE TABLE u").await;
    assert_eq!(c.value("SELECT COUNT(*) FROM u").await, "0");
    c.ok("DROP TABLE u").await;
    assert_eq!(c.code("DROP TABLE u").await, 1051);
}

#[tokio::test]
async fn if_exists_gives_a_note_and_releases_the_lock() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    node.requests();
    assert_eq!(c.ok("CREATE TABLE IF NOT EXISTS t (id INT PRIMARY KEY)").await.warnings, 1);
    assert_eq!(c.lines("SHOW WARNINGS").await, ["Note 1050 Table 't' already exists"]);
    assert_eq!(c.ok("DROP TABLE IF EXISTS nope").await.warnings, 1);
    let aborted = node.requests().iter().filter(|r| matches!(r, Request::AbortLocked { .. })).count();
    assert_eq!(aborted, 2);
    assert_eq!(c.code("CREATE TABLE t (id INT PRIMARY KEY)").await, 1050);
    assert!(node.requests().iter().any(|r| matches!(r, Request::AbortLocked { .. })));
}

#[tokio::test]
async fn a_change_that_the_data_forbids_fails_here() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v INT)").await;
    c.ok("INSERT INTO t VALUES (1, 5), (2, 5)").await;
    node.requests();
    assert_eq!(c.code("ALTER TABLE t ADD UNIQUE KEY (v)").await, 1062);
    let requests = node.requests();
    assert!(requests.iter().any(|r| matches!(r, Request::AbortLocked { .. })), "{requests:?}");
    assert!(!requests.iter().any(|r| matches!(r, Request::CommitLocked { .. })));
    c.ok("INSERT INTO t VALUES (3, 5)").await;
}

#[tokio::test]
async fn databases_are_created_used_and_dropped() {
    let node = Node::start();
    let mut c = node.connect(CapabilityFlags::empty()).await;
    assert_eq!(c.code("USE shop").await, 1049);
    assert_eq!(c.code("SELECT * FROM t").await, 1046);
    c.ok("CREATE DATABASE shop").await;
    assert_eq!(c.code("CREATE DATABASE shop").await, 1007);
    c.session.init_db("shop").await.expect("it exists");
    assert_eq!(c.value("SELECT DATABASE()").await, "shop");
    c.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    c.ok("CREATE DATABASE other").await;
    c.ok("CREATE TABLE other.u (id INT PRIMARY KEY)").await;
    c.ok("INSERT INTO t VALUES (1)").await;
    c.ok("INSERT INTO other.u VALUES (1)").await;
    assert_eq!(c.value("SELECT COUNT(*) FROM t JOIN other.u ON t.id = u.id").await, "1");
    c.ok("BEGIN").await;
    c.ok("UPDATE t SET id = 2").await;
    c.ok("UPDATE other.u SET id = 2").await;
    c.ok("COMMIT").await;
    assert_eq!(c.value("SELECT COUNT(*) FROM t JOIN other.u ON t.id = u.id WHERE t.id = 2").await, "1");
    c.ok("DROP DATABASE shop").await;
    assert_eq!(c.value("SELECT DATABASE()").await, "NULL");
    assert_eq!(c.code("SELECT * FROM shop.t").await, 1049);
    c.ok("CREATE DATABASE shop").await;
    assert_eq!(c.code("SELECT * FROM shop.t").await, 1146);
}

#[tokio::test]
async fn other_sessions_follow_the_schema() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    c.ok("INSERT INTO t VALUES (1)").await;
    let mut other = node.another().await;
    assert_eq!(other.lines("SELECT * FROM t").await, ["1"]);
    c.ok("ALTER TABLE t ADD COLUMN v INT").await;
    assert_eq!(other.lines("SELECT * FROM t").await, ["1 NULL"]);
    other.ok("INSERT INTO t VALUES (2, 2)").await;
    c.ok("ALTER TABLE t DROP COLUMN v").await;
    assert_eq!(other.code("INSERT INTO t VALUES (3, 3)").await, 1136);
}

#[tokio::test]
async fn a_transaction_keeps_the_schema_of_its_snapshot() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    c.ok("INSERT INTO t VALUES (1)").await;
    let mut other = node.another().await;
    other.ok("BEGIN").await;
    assert_eq!(other.lines("SELECT * FROM t").await, ["1"]);
    c.ok("ALTER TABLE t ADD COLUMN v INT").await;
    assert_eq!(other.lines("SELECT * FROM t").await, ["1"]);
    other.ok("INSERT INTO t VALUES (2)").await;
    assert_eq!(other.code("COMMIT").await, 1213, "it was executed under another schema");
    assert_eq!(other.lines("SELECT * FROM t").await, ["1 NULL"]);
}

#[tokio::test]
async fn administration_goes_to_the_core() {
    let (node, mut c) = Node::with_database().await;
    node.requests();
    c.ok("ALTER CLUSTER REMOVE NODE 3").await;
    let removed = crate::core::MemberChange::Remove(NodeId(3));
    assert_eq!(node.requests(), [Request::Member(removed)]);
    node.refuse([node.conflict(), node.conflict(), None]);
    c.ok("ALTER CLUSTER REMOVE NODE 3").await;
    assert_eq!(node.requests().len(), 3, "transactions under way are waited for");
    node.refuse([Some(crate::core::Refusal::Membership("n3 is not a voting member".into()))]);
    assert_eq!(c.code("ALTER CLUSTER REMOVE NODE 3").await, 1105);
    assert_eq!(node.requests().len(), 1, "what makes no sense is not tried again");
    c.ok("ALTER CLUSTER VERIFY").await;
    assert_eq!(node.verification.0.load(Ordering::SeqCst), 1);
}

/// The digests of the definitions of database `d`, by table.
fn definitions(node: &Node) -> BTreeMap<String, crate::sqlite::RowDigest> {
    let mut rows = node.server.data().open_rows("d").expect("a database");
    let names: BTreeMap<crate::types::TableId, String> = rows.tables().into_iter().collect();
    let all = rows.definitions(None, usize::MAX).expect("a catalog");
    let by_parts = all.iter().map(|(table, _)| {
        let before = all.iter().map(|(table, _)| *table).filter(|other| other < table).max();
        rows.definitions(before, 1).expect("a catalog").remove(0)
    });
    assert_eq!(by_parts.collect::<Vec<_>>(), all, "whatever is asked for at once");
    all.into_iter().map(|(table, digest)| (names[&table].clone(), digest)).collect()
}

#[tokio::test]
async fn every_change_of_a_definition_has_another_digest_and_no_other_table_s_has() {
    let (node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY, v INT, w INT)").await;
    c.ok("CREATE TABLE u (id INT PRIMARY KEY, v INT, w INT)").await;
    let mut before = definitions(&node);
    for change in [
        "ALTER TABLE t ADD COLUMN x INT",
        "ALTER TABLE t MODIFY v INT COMMENT 'that nobody but the catalog knows'",
        "ALTER TABLE t ALTER v SET DEFAULT 5",
        "ALTER TABLE t MODIFY w BIGINT",
        "CREATE INDEX i ON t (v)",
        "ALTER TABLE t COMMENT = 'of the table'",
        "ALTER TABLE t DROP COLUMN x",
    ] {
        c.ok(change).await;
        let after = definitions(&node);
        assert_ne!(after["t"], before["t"], "{change}");
        assert_eq!(after["u"], before["u"], "{change}");
        before = after;
    }
    c.ok("INSERT INTO t (id, v) VALUES (1, 2)").await;
    assert_eq!(definitions(&node), before, "rows are no part of it");
}

#[tokio::test]
async fn a_table_is_renamed_under_the_name_of_its_database() {
    let (_node, mut c) = Node::with_database().await;
    c.ok("CREATE TABLE t (id INT PRIMARY KEY)").await;
    c.ok("ALTER TABLE t RENAME TO d.u").await;
    c.ok("RENAME TABLE d.u TO d.w").await;
    assert_eq!(c.lines("SHOW TABLES").await, ["w"]);
}

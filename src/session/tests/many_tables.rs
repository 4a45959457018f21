//! What a schema change costs in a database that has tables already, and how files of older versions are taken apart.

use super::super::ConfiguredAccount;
use super::{Client, Node};
use crate::core::Request;
use crate::mysql::CapabilityFlags;
use crate::types::Versions;

/// A node of a cluster that speaks `version`, with a client in its database `d`.
async fn speaking(version: u8) -> (Node, Client) {
    let node = Node::speaking(version, &[], ConfiguredAccount::new("root", "localhost", ""));
    let mut client = node.connect(CapabilityFlags::empty()).await;
    client.ok("CREATE DATABASE d").await;
    client.ok("USE d").await;
    (node, client)
}

/// Work that grows with what it is done for.
#[derive(Debug, PartialEq, Eq)]
struct Work {
    /// Bytes sent to the other nodes.
    sent: usize,
    /// Tables whose layout was read from SQLite's schema.
    layouts: u64,
    /// Tables whose definition was read into the catalog.
    definitions: u64,
    /// Bytes of definitions that the file got.
    stored: usize,
}

async fn definitions(client: &mut Client) -> u64 {
    let status = client.value("SHOW STATUS LIKE 'Opened_table_definitions'").await;
    status.split_whitespace().last().and_then(|n| n.parse().ok()).expect("a number")
}

/// What a statement that changes the schema cost, and what the statement after it, which needs the new catalog.
async fn work(node: &Node, client: &mut Client, sql: &str) -> Work {
    let before = (definitions(client).await, node.server.data().layouts_read());
    node.requests();
    client.ok(sql).await;
    let sent = |request: Request| match request {
        Request::CommitLocked { write_set, .. } => Some(write_set),
        _ => None,
    };
    let sent: Vec<_> = node.requests().into_iter().filter_map(sent).collect();
    let ddl = sent[0].ddl.as_ref().expect("it changes the schema");
    let step = crate::sqlite::SchemaStep::decode(&ddl.payload).expect("it was just made");
    client.rows("SHOW TABLES LIKE 'nothing'").await;
    Work {
        sent: ddl.payload.len(),
        layouts: node.server.data().layouts_read() - before.1,
        definitions: definitions(client).await - before.0,
        stored: step.definitions.bytes(),
    }
}

fn create(name: &str) -> String {
    format!("CREATE TABLE {name}(id INT PRIMARY KEY, a VARCHAR(20), b INT, KEY(a), UNIQUE KEY(b))")
}

#[tokio::test]
async fn a_schema_change_costs_what_it_concerns_and_not_what_there_is() {
    let (node, mut client) = speaking(Versions::BUILD.newest).await;
    let mut costs = Vec::new();
    for round in ["one", "two"] {
        let changes = [
            create("x"),
            "CREATE TABLE y LIKE x".into(),
            "ALTER TABLE x ADD COLUMN c INT, ADD KEY(c)".into(),
            "ALTER TABLE x MODIFY a VARCHAR(9)".into(),
            "TRUNCATE TABLE x".into(),
            "RENAME TABLE x TO z".into(),
            "DROP TABLE y, z".into(),
            "CREATE VIEW v AS SELECT 1".into(),
            "DROP VIEW v".into(),
        ];
        let mut round_costs = Vec::new();
        for sql in &changes {
            round_costs.push((sql.clone(), work(&node, &mut client, sql).await));
        }
        costs.push(round_costs);
        if round == "one" {
            for n in 0..60 {
                client.ok(&create(&format!("t{n:02}"))).await;
            }
        }
    }
    // Numbers of tables and versions are a byte longer or shorter.
    for ((sql, one), (_, two)) in costs[0].iter().zip(&costs[1]) {
        assert!(one.sent.abs_diff(two.sent) < 32, "{sql}: {one:?}, beside 60 tables {two:?}");
        assert_eq!(one.stored.abs_diff(two.stored) / 32, 0, "{sql}: {one:?}, beside 60 tables {two:?}");
        assert_eq!((one.layouts, one.definitions), (two.layouts, two.definitions), "{sql}");
    }
}

#[tokio::test]
async fn a_database_of_an_older_version_is_taken_apart_by_the_next_change() {
    let (node, mut client) = speaking(6).await;
    client.ok("CREATE TABLE p(id INT PRIMARY KEY, v INT UNIQUE)").await;
    client.ok("CREATE TABLE c(id INT PRIMARY KEY, p INT, FOREIGN KEY(p) REFERENCES p(id))").await;
    client.ok("CREATE VIEW w AS SELECT v FROM p").await;
    client.ok("INSERT INTO p VALUES(1, 7)").await;
    let shown = client.lines("SHOW CREATE TABLE c").await;
    assert!(node.server.schema().expect("it is there").is_whole("d"));
    node.check_catalog();

    node.server.published().set_version(Versions::BUILD.newest);
    // Tried out on the file, since the step has the identities of all tables.
    client.ok("CREATE TABLE late(id INT PRIMARY KEY)").await;
    assert!(!node.server.schema().expect("it is there").is_whole("d"));
    node.check_catalog();
    assert_eq!(client.lines("SHOW TABLES").await, ["c", "late", "p", "w"]);
    assert_eq!(client.lines("SHOW CREATE TABLE c").await, shown);
    client.ok("INSERT INTO c VALUES(1, 1)").await;
    assert_eq!(client.code("INSERT INTO c VALUES(2, 2)").await, 1452);
    assert_eq!(client.code("INSERT INTO p VALUES(2, 7)").await, 1062);

    let concerned = work(&node, &mut client, "CREATE TABLE later(id INT PRIMARY KEY)").await;
    assert_eq!(concerned.definitions, 1);
    client.ok("RENAME TABLE p TO parent").await;
    assert_eq!(client.lines("SHOW TABLES").await, ["c", "late", "later", "parent", "w"]);
    assert_eq!(client.code("INSERT INTO c VALUES(2, 2)").await, 1452);
}

/// Who has not heard yet that all understand the new form sends the old one.
#[tokio::test]
async fn a_change_of_the_old_form_may_follow_one_of_the_new() {
    let (node, mut client) = speaking(Versions::BUILD.newest).await;
    client.ok(&create("x")).await;
    client.ok(&create("y")).await;
    let (behind, mut late) = speaking(6).await;
    for sql in [create("x"), create("y"), "DROP TABLE x".into(), create("z")] {
        late.ok(&sql).await;
    }
    let of_old = |request: Request| match request {
        Request::CommitLocked { write_set, .. } => Some(write_set),
        _ => None,
    };
    let steps: Vec<_> = behind.requests().into_iter().filter_map(of_old).collect();
    // Those that drop `x` and create `z`.
    node.script.lock().expect("tests do not panic here").behind.extend(steps[3..].iter().cloned());
    client.ok("SET marmot_read_consistency = 'QUORUM'").await;
    assert_eq!(client.value("SELECT COUNT(*) FROM z").await, "0");
    assert_eq!(client.lines("SHOW TABLES").await, ["y", "z"]);
    assert!(node.server.schema().expect("it is there").is_whole("d"));
    node.check_catalog();
    client.ok("CREATE VIEW v AS SELECT a FROM z").await;
    client.ok(&create("x")).await;
    assert_eq!(client.lines("SHOW TABLES").await, ["v", "x", "y", "z"]);
    assert!(!node.server.schema().expect("it is there").is_whole("d"));
}

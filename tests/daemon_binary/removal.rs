//! What becomes of a node that is removed from its cluster.

use crate::process::{Daemon, log, wait};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const VOTERS: &str = "SELECT COUNT(*) FROM marmot.cluster_nodes WHERE voter = 1";

fn homes<const N: usize>() -> (TempDir, [PathBuf; N]) {
    let root = tempfile::tempdir().expect("a directory");
    let homes = std::array::from_fn(|n| root.path().join(n.to_string()));
    homes.iter().for_each(|home: &PathBuf| std::fs::create_dir(home).expect("a directory"));
    (root, homes)
}

fn seeds(of: &Daemon) -> String {
    format!("127.0.0.1:{}", of.cluster_port)
}

/// A node that joins `seed` as node `id`, once everybody has a vote.
fn join(home: &Path, seed: &Daemon, id: u64) -> Daemon {
    let daemon = Daemon::start(home, &["--node-id", &id.to_string(), "--seeds", &seeds(seed)]);
    wait("the vote", || (seed.rows(VOTERS) == [id.to_string()]).then_some(()));
    daemon
}

/// Starts the node of `home` again: it must end by itself, saying why.
fn starts_no_more(home: &Path, seed: &Daemon) {
    let mut daemon = Daemon::launch(home, &["--seeds", &seeds(seed)]);
    assert_eq!(daemon.ended().code(), Some(1), "{}", log(home));
    assert!(log(home).contains("this node was removed from its cluster"), "{}", log(home));
}

#[test]
fn a_node_removed_while_it_was_away_says_so_and_ends() {
    let (_root, homes) = homes::<3>();
    let first = Daemon::start(&homes[0], &["--node-id", "1"]);
    let second = join(&homes[1], &first, 2);
    let third = join(&homes[2], &first, 3);
    first.run("CREATE DATABASE d");
    third.kill();
    second.run("ALTER CLUSTER REMOVE NODE 3");
    assert_eq!(second.rows(VOTERS), ["2"]);
    starts_no_more(&homes[2], &first);
    // What is left works with its own majority.
    first.run("CREATE TABLE d.t (id INT PRIMARY KEY)");
    first.run("INSERT INTO d.t VALUES (1)");
}

#[test]
fn a_node_removed_while_it_runs_serves_reads_until_it_stops() {
    let (_root, homes) = homes::<2>();
    let first = Daemon::start(&homes[0], &["--node-id", "1"]);
    let second = join(&homes[1], &first, 2);
    first.run("CREATE DATABASE d");
    first.run("CREATE TABLE d.t (id INT PRIMARY KEY)");
    first.run("INSERT INTO d.t VALUES (7)");
    wait("the table", || {
        (second.rows("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'd'") == ["1"]).then_some(())
    });
    wait("the row", || (second.rows("SELECT id FROM d.t") == ["7"]).then_some(()));
    first.run("ALTER CLUSTER REMOVE NODE 2");
    wait("the news", || (second.rows(VOTERS) == ["1"]).then_some(()));
    assert_eq!(second.rows("SELECT id FROM d.t"), ["7"]);
    let refused = second.connect().and_then(|mut c| mysql::prelude::Queryable::query_drop(&mut c, "DELETE FROM d.t"));
    assert!(refused.is_err_and(|e| e.to_string().contains("removed")));
    assert!(second.stop().success());
    starts_no_more(&homes[1], &first);
    first.run("INSERT INTO d.t VALUES (8)");
}

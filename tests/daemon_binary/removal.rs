//! What becomes of a node that is removed from its cluster.

use crate::process::{Daemon, VOTERS, homes, log, wait};
use mysql::prelude::Queryable;
use std::path::Path;

fn seeds(of: &Daemon) -> String {
    format!("127.0.0.1:{}", of.cluster_port)
}

/// A node that joins `seed` as node `id`, once everybody has a vote.
fn join(home: &Path, seed: &Daemon, id: u64) -> Daemon {
    let daemon = Daemon::start(home, &["--node-id", &id.to_string(), "--seeds", &seeds(seed)]);
    wait("the vote", || (seed.rows(VOTERS) == [id.to_string()]).then_some(()));
    daemon
}

/// The node of `home` must end by itself, saying why.
fn ends(daemon: &mut Daemon, home: &Path) {
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
    ends(&mut Daemon::launch(&homes[2], &["--seeds", &seeds(&first)]), &homes[2]);
    // What is left works with its own majority.
    first.run("CREATE TABLE d.t (id INT PRIMARY KEY)");
    first.run("INSERT INTO d.t VALUES (1)");
}

#[test]
fn a_node_removed_while_it_runs_ends_and_starts_no_more() {
    let (_root, homes) = homes::<2>();
    let first = Daemon::start(&homes[0], &["--node-id", "1"]);
    let mut second = join(&homes[1], &first, 2);
    first.run("ALTER CLUSTER REMOVE NODE 2");
    ends(&mut second, &homes[1]);
    ends(&mut Daemon::launch(&homes[1], &["--seeds", &seeds(&first)]), &homes[1]);
    first.run("CREATE DATABASE d");
}

#[test]
fn a_node_does_not_remove_itself() {
    let (_root, homes) = homes::<2>();
    let first = Daemon::start(&homes[0], &["--node-id", "1"]);
    let second = join(&homes[1], &first, 2);
    let refused = second.connect().expect("a login").query_drop("ALTER CLUSTER REMOVE NODE 2");
    let text = refused.expect_err("refused").to_string();
    assert!(text.contains("run this on another node"), "{text}");
    second.run("CREATE DATABASE d");
    assert_eq!(first.rows(VOTERS), ["2"]);
}

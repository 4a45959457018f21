//! Nodes that come back with less than they had.

use crate::process::{Daemon, VOTERS, log, wait};
use mysql::prelude::Queryable;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Two members of a cluster with a table.
fn two() -> (TempDir, [PathBuf; 2], Daemon, Daemon) {
    let root = tempfile::tempdir().expect("a directory");
    let homes = ["1", "2"].map(|name| root.path().join(name));
    homes.iter().for_each(|home| std::fs::create_dir(home).expect("a directory"));
    let first = Daemon::start(&homes[0], &["--node-id", "1"]);
    let second = Daemon::start(&homes[1], &["--node-id", "2", "--seeds", &seed(&first)]);
    wait("the vote", || (first.rows(VOTERS) == ["2"]).then_some(()));
    first.run("CREATE DATABASE d");
    first.run("CREATE TABLE d.t (id INT PRIMARY KEY)");
    let seen = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'd'";
    wait("the table", || (second.rows(seen) == ["1"]).then_some(()));
    (root, homes, first, second)
}

fn seed(of: &Daemon) -> String {
    format!("127.0.0.1:{}", of.cluster_port)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory").flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("a copy")),
        }
    }
}

/// Whether a row could be inserted by quorum.
fn inserts(node: &Daemon, id: u32) -> bool {
    node.connect().is_ok_and(|mut client| client.query_drop(format!("INSERT INTO d.t VALUES ({id})")).is_ok())
}

/// The node must end by itself, saying this.
fn ends(mut daemon: Daemon, home: &Path, saying: &str) {
    assert_eq!(daemon.ended().code(), Some(1), "{}", log(home));
    assert!(log(home).contains(saying), "{}", log(home));
}

#[test]
fn a_disk_restored_from_an_old_copy_is_refused() {
    let (root, homes, first, second) = two();
    let ports = second.ports();
    second.run("INSERT INTO d.t VALUES (1)");
    assert!(second.stop().success());
    let backup = root.path().join("backup");
    copy(&homes[1].join("data"), &backup);
    let mut second = Daemon::launch_on(ports, &homes[1], &[]);
    second.wait_until_it_answers(&homes[1]);
    wait("a quorum", || inserts(&second, 2).then_some(()));
    second.kill();
    std::fs::rename(homes[1].join("data"), root.path().join("newer")).expect("it moves");
    copy(&backup, &homes[1].join("data"));
    ends(Daemon::launch_on(ports, &homes[1], &[]), &homes[1], "older than what its node told others");
    assert!(log(&homes[0]).contains("disk is older than what it said"), "{}", log(&homes[0]));
    // What it had last is welcome.
    std::fs::remove_dir_all(homes[1].join("data")).expect("it goes");
    std::fs::rename(root.path().join("newer"), homes[1].join("data")).expect("it moves");
    let mut second = Daemon::launch_on(ports, &homes[1], &[]);
    second.wait_until_it_answers(&homes[1]);
    wait("the rows", || (second.rows("SELECT COUNT(*) FROM d.t") == ["2"]).then_some(()));
    wait("a quorum", || inserts(&first, 3).then_some(()));
}

#[test]
fn an_empty_disk_under_the_id_of_a_member_is_refused() {
    let (_root, homes, first, second) = two();
    let flags = ["--node-id", "2", "--seeds", &seed(&first)];
    let ports = second.ports();
    second.kill();
    std::fs::remove_dir_all(homes[1].join("data")).expect("it goes");
    ends(Daemon::launch_on(ports, &homes[1], &flags), &homes[1], "a node that lost its disk comes back under a new id");
    // Nor when the member that knew it was restarted meanwhile.
    let (one, log_before) = (first.ports(), log(&homes[1]).len());
    first.kill();
    let mut first = Daemon::launch_on(one, &homes[0], &[]);
    first.wait_until_it_answers(&homes[0]);
    std::fs::remove_dir_all(homes[1].join("data")).expect("it goes");
    let again = Daemon::launch_on(ports, &homes[1], &flags);
    ends(again, &homes[1], "comes back under a new id");
    assert!(log(&homes[1])[log_before..].contains("comes back under a new id"), "{}", log(&homes[1]));
}

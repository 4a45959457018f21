//! Two builds in one cluster: this one, and one that understands a version more (`MARMOT_NEXT`, built by `ci/upgrade.sh`).
//! What that version brings, a message and a number on disk, must not show before every member understands it.
#![cfg(feature = "shell")]
#![allow(clippy::disallowed_methods, reason = "real processes are watched in real time")]
#![allow(dead_code, reason = "the processes are those of another test too")]

#[path = "daemon_binary/process.rs"]
mod process;

use marmot::types::Versions;
use mysql::prelude::Queryable;
use process::{Daemon, Ports, command, log, wait};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

const VOTERS: &str = "SELECT COUNT(*) FROM marmot.cluster_nodes WHERE voter = 1 AND state = 'ALIVE'";
const VERSION: &str = "SELECT value FROM marmot.node WHERE name = 'version'";

/// The command of the next build.
fn next(directory: &Path) -> Command {
    let program = std::env::var("MARMOT_NEXT").expect("run this with ci/upgrade.sh: MARMOT_NEXT names the next build");
    let mut command = Command::new(program);
    command.current_dir(directory).stdin(Stdio::null());
    command.env_remove("MARMOT_CLUSTER_SECRET").env_remove("MARMOT_MYSQL_PASSWORD");
    command
}

/// Stops a node and starts it again with another program.
fn replace(node: Daemon, home: &Path, build: fn(&Path) -> Command) -> Daemon {
    let ports = node.ports();
    assert!(node.stop().success(), "{}", log(home));
    let mut node = Daemon::spawn(build(home), ports, home, &[]);
    node.wait_until_it_answers(home);
    wait("its vote", || (node.rows(VOTERS) == ["3"]).then_some(()));
    node
}

/// Rows written through a node, all acknowledged, while `work` is done.
fn writing<T>(through: Ports, work: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut client = through.connect().expect("a login");
            while !stop.load(Ordering::Relaxed) {
                client.query_drop("INSERT INTO d.t VALUES (NULL)").expect("two of three are enough");
            }
        });
        // Also when it panics: else the writer would be waited for for ever.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        stop.store(true, Ordering::Relaxed);
        let done = done.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        writer.join().expect("no write failed");
        done
    })
}

#[test]
fn a_cluster_is_upgraded_node_by_node_while_it_works() {
    let root = tempfile::tempdir().expect("a directory");
    let homes: [PathBuf; 4] = std::array::from_fn(|n| root.path().join(n.to_string()));
    homes.iter().for_each(|home| std::fs::create_dir(home).expect("a directory"));
    let (this, newer) = (Versions::BUILD.newest.to_string(), (Versions::BUILD.newest + 1).to_string());
    let mut first = Daemon::start(&homes[0], &[]);
    let seeds = format!("127.0.0.1:{}", first.cluster_port);
    let mut second = Daemon::start(&homes[1], &["--seeds", &seeds]);
    wait("the vote", || (first.rows(VOTERS) == ["2"]).then_some(()));
    let mut third = Daemon::start(&homes[2], &["--seeds", &seeds]);
    wait("the vote", || (first.rows(VOTERS) == ["3"]).then_some(()));
    first.run("CREATE DATABASE d");
    first.run("CREATE TABLE d.t (id BIGINT PRIMARY KEY AUTO_INCREMENT)");

    second = writing(first.ports(), || replace(second, &homes[1], next));
    // Back, and forth again: nothing of the next version was written yet.
    second = writing(first.ports(), || replace(second, &homes[1], command));
    second = writing(first.ports(), || replace(second, &homes[1], next));
    third = writing(first.ports(), || replace(third, &homes[2], next));
    second.run("INSERT INTO d.t VALUES (NULL)");
    for node in [&first, &second, &third] {
        assert_eq!(node.rows(VERSION), [this.clone()], "one member does not understand the next");
    }
    first = writing(second.ports(), || replace(first, &homes[0], next));
    for node in [&first, &second, &third] {
        wait("the next version", || (node.rows(VERSION) == [newer.clone()]).then_some(()));
    }
    first.run("INSERT INTO d.t VALUES (NULL)");
    let all = "SELECT COUNT(*), SUM(id) FROM d.t";
    wait("the same rows", || (first.rows(all) == second.rows(all) && first.rows(all) == third.rows(all)).then_some(()));
    for home in &homes[..3] {
        let log = log(home);
        assert!(!log.contains("content is malformed") && !log.contains("panicked"), "{log}");
    }

    // From now on this build has no part in it, neither on its own files nor as a new node.
    let ports = third.ports();
    assert!(third.stop().success());
    let mut old = Daemon::launch_on(ports, &homes[2], &[]);
    assert_eq!(old.ended().code(), Some(1));
    assert!(log(&homes[2]).contains(&format!("is of version {newer}")), "{}", log(&homes[2]));
    assert!(log(&homes[2]).contains("nothing was changed"), "{}", log(&homes[2]));
    let _stranger = Daemon::launch(&homes[3], &["--seeds", &seeds]);
    let refused = format!("understands version {newer} of the cluster protocol, this node {}", Versions::BUILD);
    wait("its refusal", || log(&homes[3]).contains(&refused).then_some(()));
    let mut third = Daemon::spawn(next(&homes[2]), ports, &homes[2], &[]);
    third.wait_until_it_answers(&homes[2]);
    wait("all three", || (third.rows(VOTERS) == ["3"]).then_some(()));
    assert_eq!(third.rows(all), first.rows(all));
    assert_eq!(first.rows("SELECT COUNT(*) FROM marmot.cluster_nodes"), ["3"]);
}

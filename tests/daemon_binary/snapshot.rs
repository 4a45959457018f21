//! A node that joins a cluster with more data than its log is for.

use crate::process::{Daemon, VOTERS, log, rows, wait};
use mysql::prelude::Queryable;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

const CONTENT: &str = "SELECT COUNT(*), SUM(id), SUM(CRC32(filler)) FROM d.t";

/// The folders of a data directory whose names begin so.
fn folders(home: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(home.join("data")).into_iter().flatten().flatten().map(|entry| entry.path());
    let named = |path: &PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(prefix));
    entries.filter(|path| path.is_dir()).filter(named).collect()
}

/// How many bytes were received of the database.
fn received(home: &Path) -> u64 {
    std::fs::metadata(home.join("data/incoming/d.db")).map_or(0, |m| m.len())
}

fn manifest(home: &Path) -> Vec<u8> {
    std::fs::read(home.join("data/incoming/manifest")).expect("it is being received")
}

/// With a secret, and so with TLS.
fn configure(home: &Path) {
    let config =
        "[cluster]\ncluster_secret = 'a secret of the cluster'\n[replication]\nsnapshot_max_mb_per_second = 6\n";
    std::fs::write(home.join("m.toml"), config).expect("a file");
}

/// A node with 24 MB that do not compress, some of it changed since, and what is left of another database.
fn with_data(home: &Path) -> Daemon {
    std::fs::create_dir(home).expect("a directory");
    configure(home);
    let first = Daemon::start(home, &["--node-id", "1", "--config", "m.toml"]);
    first.run("CREATE DATABASE gone");
    first.run("DROP DATABASE gone");
    first.run("CREATE DATABASE d");
    first.run("CREATE TABLE d.t (id INT PRIMARY KEY, filler BLOB)");
    first.run("CREATE TABLE d.w (id INT PRIMARY KEY)");
    for part in 0..6 {
        first.run(&format!(
            "INSERT INTO d.t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
             SELECT i + {part} * 1000, CONCAT(RANDOM_BYTES(1024), RANDOM_BYTES(1024), RANDOM_BYTES(1024), RANDOM_BYTES(1024)) FROM n"
        ));
    }
    first.run("DELETE FROM d.t WHERE id % 10 = 3");
    first.run("CREATE USER ann IDENTIFIED BY 'secret'");
    first
}

/// Ends the writer also when the test fails, which would wait for it.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn the_data_is_copied_while_writes_go_on_and_both_ends_die_on_the_way() {
    let root = tempfile::tempdir().expect("a directory");
    let homes = [root.path().join("1"), root.path().join("2")];
    let mut first = with_data(&homes[0]);
    std::fs::create_dir(&homes[1]).expect("a directory");
    configure(&homes[1]);
    let seeds = format!("127.0.0.1:{}", first.cluster_port);
    let joiner = ["--node-id", "2", "--seeds", &seeds, "--config", "m.toml"];
    let second = Daemon::launch(&homes[1], &joiner);

    let copying = "SELECT progress FROM marmot.cluster_nodes WHERE state = 'COPYING' AND id IS NULL AND voter = 0";
    let (stop, ports) = (AtomicBool::new(false), first.ports());
    let acknowledged = std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        let writer = scope.spawn(|| {
            let mut acknowledged = Vec::new();
            for id in 0.. {
                if stop.load(Ordering::Relaxed) {
                    return acknowledged;
                }
                // Refused connections and unknown outcomes while the node is down.
                let Ok(mut client) = ports.connect() else { continue };
                if client.query_drop(format!("INSERT INTO d.w VALUES ({id})")).is_ok() {
                    acknowledged.push(id);
                }
            }
            acknowledged
        });
        wait("a line that says so", || first.rows(copying).iter().any(|p| p.ends_with(" MB sent")).then_some(()));
        wait("half of it", || (received(&homes[1]) > 8 << 20).then_some(()));
        second.kill();
        let (before, held) = (received(&homes[1]), manifest(&homes[1]));
        let second = Daemon::launch(&homes[1], &joiner);
        wait("more of it", || (received(&homes[1]) > before + (2 << 20)).then_some(()));
        assert_eq!(manifest(&homes[1]), held, "what was received is of use still");
        let ports = first.ports();
        first.kill();
        first = Daemon::launch_on(ports, &homes[0], &["--config", "m.toml"]);
        first.wait_until_it_answers(&homes[0]);
        wait("the vote", || [&first, &second].iter().all(|node| node.rows(VOTERS) == ["2"]).then_some(()));
        let copied = log(&homes[1]).matches("snapshot received").count();
        assert_eq!(copied, 1, "{}", log(&homes[1]));
        assert_eq!(log(&homes[0]).matches("making a snapshot").count(), 1, "{}", log(&homes[0]));
        stop.store(true, Ordering::Relaxed);
        let acknowledged: Vec<u32> = writer.join().expect("a writer");

        assert!(!acknowledged.is_empty());
        let mut client = second.connect().expect("a login");
        client.query_drop("SET marmot_read_consistency = 'QUORUM'").expect("a level");
        let present = rows(&mut client, "SELECT id FROM d.w");
        let lost: Vec<&u32> = acknowledged.iter().filter(|id| !present.contains(&id.to_string())).collect();
        assert!(lost.is_empty(), "{lost:?}");
        assert_eq!(second.rows(CONTENT), first.rows(CONTENT));
        second.run("UPDATE d.t SET filler = 'changed on 2' WHERE id % 50 = 0");
        wait("the changed rows", || (second.rows(CONTENT) == first.rows(CONTENT)).then_some(()));
        first.run("DELETE FROM d.t WHERE id < 100");
        wait("the same rows", || (second.rows(CONTENT) == first.rows(CONTENT)).then_some(()));
        assert_eq!(first.rows(copying), [""; 0], "nobody copies any more");
        acknowledged
    });
    assert!(acknowledged.len() > 10, "{} writes while the data was copied", acknowledged.len());
    assert_eq!(folders(&homes[1], "incoming"), [] as [PathBuf; 0]);
    wait("the copy to go", || folders(&homes[0], "snapshot.").is_empty().then_some(()));
}

#[test]
fn little_data_comes_with_the_log() {
    let root = tempfile::tempdir().expect("a directory");
    let homes = [root.path().join("1"), root.path().join("2")];
    homes.iter().for_each(|home| std::fs::create_dir(home).expect("a directory"));
    let first = Daemon::start(&homes[0], &["--node-id", "1"]);
    first.run("CREATE DATABASE d");
    let seeds = format!("127.0.0.1:{}", first.cluster_port);
    let second = Daemon::start(&homes[1], &["--node-id", "2", "--seeds", &seeds]);
    wait("the vote", || [&first, &second].iter().all(|node| node.rows(VOTERS) == ["2"]).then_some(()));
    wait("the database", || second.rows("SHOW DATABASES").contains(&"d".to_string()).then_some(()));
    assert!(!log(&homes[0]).contains("making a snapshot"), "{}", log(&homes[0]));
}

#[test]
fn what_a_snapshot_was_received_of_is_no_use_to_a_cluster_that_has_another() {
    let root = tempfile::tempdir().expect("a directory");
    let homes = [root.path().join("1"), root.path().join("2")];
    let first = with_data(&homes[0]);
    let incoming = homes[1].join("data/incoming");
    std::fs::create_dir_all(&incoming).expect("a directory");
    // Neither is a manifest, nor do its files belong to any.
    std::fs::write(incoming.join("manifest"), [0xff; 40]).expect("a file");
    std::fs::write(incoming.join("d.db"), [7; 100_000]).expect("a file");
    configure(&homes[1]);
    let seeds = format!("127.0.0.1:{}", first.cluster_port);
    let second = Daemon::start(&homes[1], &["--node-id", "2", "--seeds", &seeds, "--config", "m.toml"]);
    wait("the vote", || [&first, &second].iter().all(|node| node.rows(VOTERS) == ["2"]).then_some(()));
    assert_eq!(second.rows(CONTENT), first.rows(CONTENT));
    second.connect_as("ann", "secret").expect("accounts come with the snapshot");
}

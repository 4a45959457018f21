//! A node that was away for longer than every other node's log reaches: it goes on from a snapshot, as who it was.
//!
//! For a voting member that is away, what it lacks stays until it is older than `gc_max_retention_hours` (see `retention`). One
//! that has the data and waits for its vote has no such claim.

use crate::process::{Daemon, Ports, free_port, homes, log, rows, voters, wait};
use crate::watched::{get, samples};
use mysql::prelude::Queryable;
use std::path::{Path, PathBuf};

/// What everybody has is dropped as soon as nobody can need it, and silence is noticed soon.
const SHORT: &str = "[replication]\ngc_min_retention_hours = 0\n\
                     [cluster]\ngossip_interval_ms = 200\nsuspect_timeout_ms = 600\ndead_timeout_ms = 1200\n";
const CONTENT: &str = "SELECT COUNT(*), SUM(id), SUM(CRC32(v)) FROM d.t";
/// More than what a log keeps between two looks at what may go.
const WRITES: u32 = 1500;

fn flags<'a>(admin: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["--config", "m.toml", "--admin-addr", admin], more].concat()
}

/// How many rows a node has that lets no client in yet.
fn rows_in_file(home: &Path) -> Option<i64> {
    let path = home.join("data/d.db");
    let file = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    file.query_row("SELECT COUNT(*) FROM t", [], |row| row.get(0)).ok()
}

struct Cluster {
    homes: [PathBuf; 3],
    admin: [String; 3],
}

impl Cluster {
    fn first_start(&self, n: usize, seeds: &str) -> Daemon {
        std::fs::write(self.homes[n].join("m.toml"), SHORT).expect("a file");
        let id = (n + 1).to_string();
        let mut more = vec!["--node-id", &id];
        if !seeds.is_empty() {
            more.extend(["--seeds", seeds]);
        }
        Daemon::launch(&self.homes[n], &flags(&self.admin[n], &more))
    }

    fn again(&self, n: usize, ports: Ports) -> Daemon {
        Daemon::launch_on(ports, &self.homes[n], &flags(&self.admin[n], &[]))
    }

    fn log_entries(&self, n: usize) -> f64 {
        let port = self.admin[n].rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port");
        samples(&get(port, "/metrics").1)["marmot_log_entries"]
    }
}

#[test]
fn a_node_that_lags_behind_every_log_goes_on_from_a_snapshot_as_who_it_was() {
    let (_root, homes) = homes::<3>();
    let cluster = Cluster { homes, admin: std::array::from_fn(|_| format!("127.0.0.1:{}", free_port())) };
    let mut first = cluster.first_start(0, "");
    first.wait_until_it_answers(&cluster.homes[0]);
    let seeds = format!("127.0.0.1:{}", first.cluster_port);
    let mut second = cluster.first_start(1, &seeds);
    second.wait_until_it_answers(&cluster.homes[1]);
    voters(&first, 2);
    first.run("CREATE DATABASE d");
    first.run("CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(40))");
    first.run("INSERT INTO d.t VALUES (1, 'to be deleted'), (2, 'to be changed'), (3, 'to be left')");

    // Without a majority nobody can give the third its vote: it gets the data, and goes away.
    let ports = [first.ports(), second.ports()];
    wait("the rows on the second", || (rows_in_file(&cluster.homes[1]) == Some(3)).then_some(()));
    second.kill();
    let third = cluster.first_start(2, &seeds);
    wait("the rows on the third", || (rows_in_file(&cluster.homes[2]) == Some(3)).then_some(()));
    let third_ports = third.ports();
    third.kill();
    // Nor does anybody remember that it asked.
    first.kill();
    first = cluster.again(0, ports[0]);
    second = cluster.again(1, ports[1]);
    first.wait_until_it_answers(&cluster.homes[0]);
    second.wait_until_it_answers(&cluster.homes[1]);
    let mut client = first.connect().expect("a login");
    wait("a majority", || client.query_drop("DELETE FROM d.t WHERE id = 1").ok());
    client.query_drop("UPDATE d.t SET v = 'changed' WHERE id = 2").expect("it is written");
    let mut written = 0;
    let mut write = |count: u32| {
        for id in written..written + count {
            client.query_drop(format!("INSERT INTO d.t VALUES ({}, MD5({id}))", 10 + id)).expect("it is written");
        }
        written += count;
    };
    write(WRITES);
    for n in [0, 1] {
        // Entries go in the order they came: when fewer are left than were written since, one is gone that it lacks.
        wait("the log to be cut", || {
            write(1);
            (cluster.log_entries(n) < f64::from(WRITES)).then_some(())
        });
    }
    voters(&first, 2);

    let mut third = cluster.again(2, third_ports);
    third.wait_until_it_answers(&cluster.homes[2]);
    let said = log(&cluster.homes[2]);
    assert!(said.contains("fetching a snapshot") && said.contains("the snapshot is in place"), "{said}");
    assert_eq!(third.rows("SELECT v FROM d.t WHERE id < 10 ORDER BY id"), ["changed", "to be left"]);
    assert_eq!(third.rows(CONTENT), first.rows(CONTENT));
    let sum = first.rows("CHECKSUM TABLE d.t");
    assert!([&second, &third].iter().all(|node| node.rows("CHECKSUM TABLE d.t") == sum));
    // By the identity it was first given, with a vote that counts: without the first there is a majority.
    let members = "SELECT id FROM marmot.cluster_nodes WHERE voter = 1 ORDER BY id";
    assert_eq!(first.rows(members), ["1", "2", "3"]);
    first.kill();
    let mut client = third.connect().expect("a login");
    wait("a majority", || client.query_drop("INSERT INTO d.t VALUES (5, 'by the third')").ok());
    client.query_drop("SET marmot_read_consistency = 'QUORUM'").expect("a level");
    assert_eq!(rows(&mut client, "SELECT v FROM d.t WHERE id = 5"), ["by the third"]);
    wait("its row", || (second.rows("SELECT v FROM d.t WHERE id = 5") == ["by the third"]).then_some(()));
    // It stays.
    let ports = third.ports();
    drop(client);
    assert!(third.stop().success(), "{}", log(&cluster.homes[2]));
    let mut third = cluster.again(2, ports);
    third.wait_until_it_answers(&cluster.homes[2]);
    assert_eq!(log(&cluster.homes[2]).matches("fetching a snapshot").count(), 1, "{}", log(&cluster.homes[2]));
}

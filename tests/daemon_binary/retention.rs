//! A member that was away for longer than the log is kept.

use crate::process::{Daemon, VOTERS, free_port, homes, log, rows, wait};
use crate::watched::{get, samples};
use mysql::prelude::Queryable;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

const CONTENT: &str = "SELECT id, v FROM d.t ORDER BY id";
/// Two seconds, and silence is noticed soon.
const SHORT: &str = "[replication]\ngc_min_retention_hours = 0\ngc_max_retention_hours = 0.00055\n\
                     [cluster]\ngossip_interval_ms = 200\nsuspect_timeout_ms = 600\ndead_timeout_ms = 1200\n";

fn member(home: &Path, id: u64, admin: u16, seeds: &str) -> Daemon {
    std::fs::write(home.join("m.toml"), SHORT).expect("a file");
    let (id, admin) = (id.to_string(), format!("127.0.0.1:{admin}"));
    let mut flags = vec!["--node-id", &id, "--config", "m.toml", "--admin-addr", &admin];
    if !seeds.is_empty() {
        flags.extend(["--seeds", seeds]);
    }
    Daemon::start(home, &flags)
}

fn again(daemon: &Daemon, home: &Path, admin: u16) -> Daemon {
    Daemon::launch_on(daemon.ports(), home, &["--config", "m.toml", "--admin-addr", &format!("127.0.0.1:{admin}")])
}

/// Stops who looks at it when it goes, also because a check failed.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_member_that_lags_behind_every_log_goes_on_from_a_snapshot_by_itself() {
    let (_root, homes) = homes::<3>();
    let admin: [u16; 3] = std::array::from_fn(|_| free_port());
    let mut first = member(&homes[0], 1, admin[0], "");
    let seeds = format!("127.0.0.1:{}", first.cluster_port);
    let mut second = member(&homes[1], 2, admin[1], &seeds);
    wait("two votes", || (first.rows(VOTERS) == ["2"]).then_some(()));
    let mut third = member(&homes[2], 3, admin[2], &seeds);
    wait("three votes", || [&first, &second, &third].iter().all(|n| n.rows(VOTERS) == ["3"]).then_some(()));
    first.run("CREATE DATABASE d");
    first.run("CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(40))");
    first.run("INSERT INTO d.t VALUES (1, 'to be deleted'), (2, 'to be changed'), (3, 'to be left')");
    let there = |node: &Daemon| node.connect().ok()?.query::<mysql::Row, _>(CONTENT).ok();
    wait("the table and its rows", || there(&third).filter(|rows| rows.len() == 3));

    // Alone, the third writes what nobody else has; then it is away while the others go on.
    let gone: Vec<Daemon> = vec![first, second];
    gone.iter().for_each(|node| node.signal(nix::sys::signal::Signal::SIGKILL));
    let mut client = third.connect().expect("a login");
    client.query_drop("SET marmot_write_consistency = 'ONE'").expect("a level");
    client.query_drop("INSERT INTO d.t VALUES (10, 'only on the third')").expect("it needs nobody");
    client.query_drop("UPDATE d.t SET v = 'stale' WHERE id IN (1, 2)").expect("it needs nobody");
    drop(client);
    third.signal(nix::sys::signal::Signal::SIGKILL);
    third.ended();
    first = again(&gone[0], &homes[0], admin[0]);
    second = again(&gone[1], &homes[1], admin[1]);
    first.wait_until_it_answers(&homes[0]);
    second.wait_until_it_answers(&homes[1]);
    wait("a majority", || first.connect().ok()?.query_drop("INSERT INTO d.t VALUES (4, 'new')").ok());
    first.run("DELETE FROM d.t WHERE id = 1");
    second.run("UPDATE d.t SET v = 'changed' WHERE id = 2");
    for node in &admin[..2] {
        let kept = || samples(&get(*node, "/metrics").1).get("marmot_log_entries").copied();
        wait("the log to be cut", || kept().filter(|n| *n == 0.0));
    }

    let (stop, ports) = (AtomicBool::new(false), second.ports());
    std::thread::scope(|scope| {
        let stopping = Stop(&stop);
        let writer = scope.spawn(|| {
            let mut acknowledged = Vec::new();
            for id in 1000.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(mut client) = ports.connect() else { continue };
                if client.query_drop(format!("INSERT INTO d.t VALUES ({id}, 'meanwhile')")).is_ok() {
                    acknowledged.push(id);
                }
            }
            acknowledged
        });
        third = again(&third, &homes[2], admin[2]);
        wait("a snapshot", || log(&homes[2]).contains("snapshot received").then_some(()));
        wait("the row of the third", || {
            (first.rows("SELECT v FROM d.t WHERE id = 10") == ["only on the third"]).then_some(())
        });
        drop(stopping);
        let acknowledged: Vec<u32> = writer.join().expect("a writer");
        assert!(!acknowledged.is_empty());
        third.wait_until_it_answers(&homes[2]);
        let mut client = third.connect().expect("a login");
        client.query_drop("SET marmot_read_consistency = 'QUORUM'").expect("a level");
        let present = rows(&mut client, "SELECT id FROM d.t");
        let lost: Vec<&u32> = acknowledged.iter().filter(|id| !present.contains(&id.to_string())).collect();
        assert!(lost.is_empty(), "{lost:?}");
    });
    assert!(log(&homes[2]).contains("fetching a snapshot"), "{}", log(&homes[2]));
    wait("the same rows", || {
        let content = first.rows(CONTENT);
        [&second, &third].iter().all(|node| node.rows(CONTENT) == content).then_some(())
    });
    let sum = first.rows("CHECKSUM TABLE d.t");
    assert!([&second, &third].iter().all(|node| node.rows("CHECKSUM TABLE d.t") == sum));
    // What it had written before the others did gave way, and the deleted row is not back.
    assert_eq!(
        third.rows("SELECT id, v FROM d.t WHERE id < 1000 ORDER BY id"),
        ["2,changed", "3,to be left", "4,new", "10,only on the third"]
    );
    // The same member, with its vote: with it and one other there is a majority.
    assert_eq!(first.rows("SELECT id FROM marmot.cluster_nodes WHERE voter = 1 ORDER BY 1"), ["1", "2", "3"]);
    first.kill();
    third.run("INSERT INTO d.t VALUES (11, 'by quorum')");
    wait("the row", || (second.rows("SELECT v FROM d.t WHERE id = 11") == ["by quorum"]).then_some(()));
}

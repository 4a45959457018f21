//! A new cluster secret while the cluster works.

use crate::process::{Daemon, homes, insert_until, log, start, voters, wait};
use nix::sys::signal::Signal;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const OLD: &str = "a secret that somebody has seen";
const NEW: &str = "another one that nobody knows";

fn configure(home: &Path, secret: &str, previous: &str) {
    let silence = "gossip_interval_ms = 200\nsuspect_timeout_ms = 1000\ndead_timeout_ms = 3000";
    let text = format!("[cluster]\ncluster_secret = '{secret}'\ncluster_secret_previous = '{previous}'\n{silence}\n");
    std::fs::write(home.join("m.toml"), text).expect("a file");
}

/// SIGHUP with another configuration, until the node says that it was read.
fn reload(node: &Daemon, home: &Path, secret: &str, previous: &str, said: &str) {
    configure(home, secret, previous);
    let before = log(home).matches(said).count();
    node.signal(Signal::SIGHUP);
    wait(said, || (log(home).matches(said).count() > before).then_some(()));
}

#[test]
fn a_secret_is_replaced_under_load_and_then_opens_nothing() {
    let (_root, homes) = homes::<6>();
    let with = ["--config", "m.toml"];
    homes.iter().for_each(|home| configure(home, OLD, ""));
    let first = start(&homes, 1, None, &with);
    let others = [2, 3, 4].map(|id| {
        let node = start(&homes, id, Some(&first), &with);
        voters(&first, id);
        node
    });
    first.run("CREATE DATABASE d");
    first.run("CREATE TABLE d.t (id BIGINT PRIMARY KEY)");
    let there = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'd'";
    wait("the table everywhere", || others.iter().all(|node| node.rows(there) == ["1"]).then_some(()));
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let progress = |what: &str| {
        let before = done.load(Ordering::Relaxed);
        wait(what, || (done.load(Ordering::Relaxed) > before + 20).then_some(()));
    };
    let alive = |count: usize| {
        let sql = "SELECT COUNT(*) FROM marmot.cluster_nodes WHERE state = 'ALIVE'";
        wait("the living", || (first.rows(sql) == [count.to_string()]).then_some(()));
    };
    alive(4);
    // The fourth is forgotten: it is the one that does not belong there any more.
    let rotated = [&first, &others[0], &others[1]];
    let last = std::thread::scope(|scope| {
        let writers = [(&first, 0), (&others[0], 1_000_000)].map(|(node, from)| {
            let (ports, stop, done) = (node.ports(), &stop, &done);
            scope.spawn(move || insert_until(stop, ports, from, done))
        });
        progress("writes with the old secret");
        for (node, home) in rotated.iter().zip(&homes) {
            reload(node, home, NEW, OLD, "the previous one is taken too");
            progress("writes with both");
        }
        alive(4);
        for (node, home) in rotated.iter().zip(&homes) {
            reload(node, home, NEW, "", "no other is taken");
            progress("writes with the new secret");
        }
        alive(3);
        progress("writes without the fourth");
        stop.store(true, Ordering::Relaxed);
        writers.map(|writer| writer.join().expect("no write failed"))
    });
    let all = [(last[0] + last[1] - 1_000_000).to_string()];
    for node in rotated {
        wait("every acknowledged row", || (node.rows("SELECT COUNT(*) FROM d.t") == all).then_some(()));
    }
    // Who comes with the old secret is not let in; who has the new one is.
    let seeds = format!("127.0.0.1:{}", first.cluster_port);
    let refusals = || log(&homes[0]).matches("does not know the cluster secret").count();
    let stranger = Daemon::launch(&homes[4], &["--config", "m.toml", "--node-id", "5", "--seeds", &seeds]);
    wait("it to be told", || log(&homes[4]).contains("it may have another cluster secret").then_some(()));
    assert!(refusals() > 0, "{}", log(&homes[0]));
    stranger.kill();
    configure(&homes[5], NEW, "");
    let _sixth = start(&homes, 6, Some(&first), &with);
    voters(&first, 5);
    for home in &homes {
        assert!(!log(home).contains(OLD) && !log(home).contains(NEW), "{}", log(home));
    }
}

#[test]
fn a_configuration_that_is_wrong_changes_no_secret() {
    let (_root, homes) = homes::<1>();
    configure(&homes[0], OLD, "");
    let node = start(&homes, 1, None, &["--config", "m.toml"]);
    reload(&node, &homes[0], "", "", "the cluster secret stays as it is");
    reload(&node, &homes[0], OLD, OLD, "set a new cluster.cluster_secret");
    assert!(node.stop().success(), "{}", log(&homes[0]));
    assert!(!log(&homes[0]).contains(OLD), "{}", log(&homes[0]));
}

//! A peer that takes nothing, and a disk that is slow: they cost their own node, and the others no more than is promised.
//! `ci/limits.sh slow-peer slow-disk` measures the same for longer.

use crate::process::{Daemon, command, free_port, homes, log, start, voters, wait};
use crate::watched::{get, samples};
use mysql::prelude::Queryable;
use nix::sys::signal::Signal;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const COUNT: &str = "SELECT COUNT(*) FROM d.t";
/// What may wait for a peer.
const QUEUE: f64 = (64 << 20) as f64;
const ROW: usize = 500_000;

fn make_table(node: &Daemon) {
    node.run("CREATE DATABASE d");
    node.run("CREATE TABLE d.t (id INT PRIMARY KEY, v LONGTEXT)");
}

fn have(nodes: [&Daemon; 3], rows: usize) {
    for node in nodes {
        let mut client = node.connect().expect("a login");
        // Not even the table may be there yet.
        wait("all rows", || client.query_first(COUNT).ok().flatten().filter(|count: &usize| *count == rows));
    }
}

#[test]
fn what_waits_for_a_peer_that_takes_nothing_is_bounded_and_the_peer_catches_up() {
    let (_root, homes) = homes::<3>();
    let admin = free_port();
    let first = start(&homes, 1, None, &["--admin-addr", &format!("127.0.0.1:{admin}")]);
    let [second, third] = [2, 3].map(|id| start(&homes, id, Some(&first), &[]));
    voters(&first, 3);
    make_table(&first);
    have([&first, &second, &third], 0);
    third.signal(Signal::SIGSTOP);
    let (mut rows, mut most) = (0, 0.0_f64);
    let dropped = |metrics: &std::collections::BTreeMap<String, f64>, name: &str| {
        let of_third = |series: &&String| series.starts_with(name) && series.contains("\"3\"");
        metrics.iter().filter(|(series, _)| of_third(series)).map(|(_, n)| *n).sum::<f64>()
    };
    loop {
        first.run(&format!("INSERT INTO d.t VALUES ({rows}, REPEAT('x', {ROW}))"));
        rows += 1;
        let metrics = samples(&get(admin, "/metrics").1);
        most = most.max(dropped(&metrics, "marmot_link_queued_bytes"));
        if dropped(&metrics, "marmot_link_dropped_frames_total") > 0.0 {
            break;
        }
        assert!(rows * ROW < 4 * QUEUE as usize, "{rows} rows, {most} bytes wait, and nothing was dropped");
    }
    assert!(most > QUEUE / 4.0 && most <= QUEUE, "{most} bytes waited for a peer that took nothing");
    third.signal(Signal::SIGCONT);
    have([&first, &second, &third], rows);
}

/// The command of a node whose disk takes so much longer for each sync.
fn on_a_slow_disk(home: &Path, library: &Path, delay: Duration) -> Command {
    let mut command = command(home);
    command.env("LD_PRELOAD", library).env("SYNC_DELAY_MS", delay.as_millis().to_string());
    command
}

fn build(folder: &Path) -> PathBuf {
    let library = folder.join("slow_sync.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/ci/limits/slow_sync.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).args([source, "-ldl"]);
    assert!(compiler.status().expect("a compiler").success());
    library
}

#[test]
fn a_slow_disk_slows_down_its_own_node_alone() {
    const DELAY: Duration = Duration::from_millis(300);
    const WRITES: usize = 30;
    let (root, homes) = homes::<3>();
    let library = build(root.path());
    let first = start(&homes, 1, None, &[]);
    let second = start(&homes, 2, Some(&first), &[]);
    let seeds = format!("127.0.0.1:{}", first.cluster_port);
    let slow = on_a_slow_disk(&homes[2], &library, DELAY);
    let mut third = Daemon::launch_through(slow, &homes[2], &["--node-id", "3", "--seeds", &seeds]);
    third.wait_until_it_answers(&homes[2]);
    voters(&first, 3);
    make_table(&first);
    have([&first, &second, &third], 0);
    let insert = |node: &Daemon, id: usize| {
        let since = Instant::now();
        node.run(&format!("INSERT INTO d.t VALUES ({id}, 'x')"));
        since.elapsed()
    };
    let mut fast: Vec<Duration> = (0..WRITES).map(|id| insert(&first, id)).collect();
    fast.sort_unstable();
    let own = insert(&third, WRITES);
    println!("half of the writes beside it within {:?}, its own {own:?}", fast[WRITES / 2]);
    assert!(fast[WRITES / 2] < DELAY / 2, "its disk was waited for: {fast:?}");
    assert!(own >= DELAY, "its disk is not slow");
    have([&first, &second, &third], WRITES + 1);
    for home in &homes {
        assert!(!log(home).contains("peer is dead"), "it was taken for dead: {}", log(home));
    }
}

//! A peer that takes nothing, and disks that are slow, while others write.

use crate::node::{Node, percentile};
use crate::{Outcome, setting};
use mysql::prelude::Queryable;
use nix::sys::signal::Signal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const VOTERS: &str = "SELECT COUNT(*) FROM marmot.cluster_nodes WHERE state = 'ALIVE' AND voter = 1";
const COUNT: &str = "SELECT COUNT(*) FROM d.t";

/// Three nodes that see three voters each, and a table `d.t`.
fn cluster(directory: &std::path::Path, equip: impl Fn(u16, Node) -> Node) -> Result<Vec<Node>, String> {
    let mut nodes: Vec<Node> = (0..3).map(|n| equip(n, Node::new(n, directory))).collect();
    for node in &mut nodes {
        node.start()?;
    }
    for node in &nodes {
        wait(node, VOTERS, 3, Duration::from_secs(60))?;
    }
    let failed = |e: mysql::Error| e.to_string();
    let mut client = nodes[0].connect().map_err(failed)?;
    client.query_drop("CREATE DATABASE d").map_err(failed)?;
    client.query_drop("CREATE TABLE d.t(id BIGINT PRIMARY KEY, v TEXT)").map_err(failed)?;
    for node in &nodes {
        wait(
            node,
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'd'",
            1,
            Duration::from_secs(30),
        )?;
    }
    Ok(nodes)
}

fn number(node: &Node, sql: &str) -> Result<u64, String> {
    let mut client = node.connect().map_err(|e| e.to_string())?;
    client.query_first(sql).map_err(|e| e.to_string())?.ok_or_else(|| "no row".to_string())
}

/// Returns how long it took until the query's answer was `expected`.
fn wait(node: &Node, sql: &str, expected: u64, limit: Duration) -> Result<Duration, String> {
    let since = Instant::now();
    loop {
        let found = number(node, sql);
        if found == Ok(expected) {
            return Ok(since.elapsed());
        }
        if since.elapsed() > limit {
            return Err(format!("{sql}: {found:?} after {limit:?}, not {expected}\n{}", node.log()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What writers at some nodes saw: sorted latencies, and errors.
struct Seen {
    latencies: Vec<Duration>,
    errors: Vec<String>,
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = |percent| percentile(&self.latencies, percent);
        write!(f, "{} writes, {:?} (half), {:?} (95 %), {:?} (all)", self.latencies.len(), at(50), at(95), at(100))?;
        match self.errors.first() {
            Some(first) => write!(f, "; {} errors, the first: {first}", self.errors.len()),
            None => write!(f, "; no error"),
        }
    }
}

/// Eight clients of `node` insert rows of `bytes` bytes while `meanwhile` runs.
fn write(node: &Node, ids: &AtomicU64, bytes: usize, meanwhile: impl FnOnce() -> Outcome) -> Result<Seen, String> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stop = &stop;
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(move || {
                    let (mut latencies, mut errors) = (Vec::new(), Vec::new());
                    let Ok(mut client) = node.connect() else { return (latencies, vec!["no login".to_string()]) };
                    while !stop.load(Ordering::Relaxed) {
                        let since = Instant::now();
                        let id = ids.fetch_add(1, Ordering::Relaxed);
                        let sql = format!("INSERT INTO d.t VALUES({id}, REPEAT('x', {bytes}))");
                        match client.query_drop(sql) {
                            Ok(()) => latencies.push(since.elapsed()),
                            Err(error) => errors.push(error.to_string()),
                        }
                    }
                    (latencies, errors)
                })
            })
            .collect();
        let outcome = meanwhile();
        stop.store(true, Ordering::Relaxed);
        let mut seen = Seen { latencies: Vec::new(), errors: Vec::new() };
        for thread in threads {
            let (latencies, errors) = thread.join().map_err(|_| "a writer panicked")?;
            seen.latencies.extend(latencies);
            seen.errors.extend(errors);
        }
        seen.latencies.sort_unstable();
        outcome.map(|()| seen)
    })
}

/// One node is stopped while the others write.
pub fn stopped() -> Outcome {
    let directory = tempfile::tempdir().map_err(|e| e.to_string())?;
    let nodes = cluster(directory.path(), |_, node| node)?;
    let (length, bytes) = (Duration::from_secs(setting("SECONDS_STOPPED", 60)), setting("ROW_BYTES", 20_000) as usize);
    let ids = AtomicU64::new(0);
    println!("before: {} and {}", nodes[0].sizes(), nodes[1].sizes());
    nodes[2].signal(Signal::SIGSTOP)?;
    let seen = write(&nodes[0], &ids, bytes, || {
        for _ in 0..4 {
            std::thread::sleep(length / 4);
            println!("   {} and {}", nodes[0].sizes(), nodes[1].sizes());
        }
        Ok(())
    })?;
    let written = (seen.latencies.len() as u64 * bytes as u64) >> 20;
    println!("{written} MB while a peer was stopped for {length:?}: {seen}");
    println!("most memory: {} and {} MB", nodes[0].peak_mb(), nodes[1].peak_mb());
    nodes[2].signal(Signal::SIGCONT)?;
    let rows = seen.latencies.len() as u64;
    let took = wait(&nodes[2], COUNT, rows, Duration::from_secs(300))?;
    println!("it has everything {took:?} after it went on; {}, {} MB at most", nodes[2].sizes(), nodes[2].peak_mb());
    if seen.errors.is_empty() { Ok(()) } else { Err("a write failed".into()) }
}

/// First one disk is slow, then all.
pub fn slow_disk() -> Outcome {
    let library = std::env::var("SLOW_SYNC").map_err(|_| "SLOW_SYNC must name the library")?;
    let delay = setting("SYNC_MS", 300);
    for (what, slow) in [("one disk", 2), ("every disk", 0)] {
        let directory = tempfile::tempdir().map_err(|e| e.to_string())?;
        let nodes = cluster(directory.path(), |number, node| match number >= slow {
            true => node.with("LD_PRELOAD", &library).with("SYNC_DELAY_MS", delay.to_string()),
            false => node,
        })?;
        let ids = AtomicU64::new(0);
        let mut rows = 0;
        for (at, node) in [("the first", &nodes[0]), ("the last", &nodes[2])] {
            let seen = write(node, &ids, 1_000, || {
                std::thread::sleep(Duration::from_secs(setting("SECONDS_SLOW", 15)));
                Ok(())
            })?;
            println!("{what} takes {delay} ms longer for each sync, writers at {at} node: {seen}");
            if !seen.errors.is_empty() {
                return Err("a write failed".into());
            }
            rows += seen.latencies.len() as u64;
        }
        for node in &nodes {
            wait(node, COUNT, rows, Duration::from_secs(60))?;
            if node.log().contains("peer is dead") {
                return Err(format!("a slow node was taken for a dead one:\n{}", node.log()));
            }
        }
        println!("   all have {rows} rows, none was taken for dead; {} at the last", nodes[2].sizes());
    }
    Ok(())
}

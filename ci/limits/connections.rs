//! Many connections that do nothing, and many that work.

use crate::node::{Node, percentile};
use crate::{Outcome, setting};
use mysql::Conn;
use mysql::prelude::Queryable;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub fn run() -> Outcome {
    let directory = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut node = Node::new(0, directory.path());
    node.start()?;
    let failed = |e: mysql::Error| e.to_string();
    let mut first = node.connect().map_err(failed)?;
    first.query_drop("CREATE DATABASE d").map_err(failed)?;
    first.query_drop("CREATE TABLE d.t(id INT PRIMARY KEY, v INT NOT NULL)").map_err(failed)?;
    let busy = setting("BUSY", 200);
    let rows = (0..busy).map(|id| format!("({id}, 0)")).collect::<Vec<_>>().join(",");
    first.query_drop(format!("INSERT INTO d.t VALUES {rows}")).map_err(failed)?;

    let count = setting("IDLE", 1_000);
    let before = node.resident_kb();
    let each = |node: &Node| (node.resident_kb().saturating_sub(before)) / count;
    let since = Instant::now();
    let mut idle: Vec<Conn> = (0..count).map(|_| node.connect().map_err(failed)).collect::<Result<_, _>>()?;
    println!("{count} connections in {:?}: {}, {} kB each", since.elapsed(), node.sizes(), each(&node));
    for client in &mut idle {
        client.query_drop("SELECT v FROM d.t WHERE id = 1").map_err(failed)?;
    }
    println!("each has read: {}, {} kB each", node.sizes(), each(&node));
    for client in &mut idle {
        client.query_drop("UPDATE d.t SET v = v + 1 WHERE id = 1").map_err(failed)?;
    }
    println!("each has written: {}, {} kB each", node.sizes(), each(&node));
    work(&node, busy, "beside them")?;
    drop(idle);
    work(&node, busy, "alone")?;
    println!("at the end: {}, {} MB at most", node.sizes(), node.peak_mb());
    node.stop()
}

/// Every client reads and writes a row of its own, again and again.
fn work(node: &Node, clients: u64, what: &str) -> Outcome {
    let stop = AtomicBool::new(false);
    let length = Duration::from_secs(setting("SECONDS_BUSY", 10));
    let mut all = std::thread::scope(|scope| {
        let stop = &stop;
        let threads: Vec<_> = (0..clients)
            .map(|id| {
                scope.spawn(move || -> Result<Vec<Duration>, String> {
                    let failed = |e: mysql::Error| e.to_string();
                    let mut client = node.connect().map_err(failed)?;
                    let mut latencies = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let since = Instant::now();
                        client.query_drop(format!("SELECT v FROM d.t WHERE id = {id}")).map_err(failed)?;
                        client.query_drop(format!("UPDATE d.t SET v = v + 1 WHERE id = {id}")).map_err(failed)?;
                        latencies.push(since.elapsed());
                    }
                    Ok(latencies)
                })
            })
            .collect();
        std::thread::sleep(length);
        stop.store(true, Ordering::Relaxed);
        let answers = threads.into_iter().map(|t| t.join().map_err(|_| "a client panicked".to_string())?);
        answers.collect::<Result<Vec<_>, String>>().map(|all| all.concat())
    })?;
    all.sort_unstable();
    println!(
        "{clients} busy clients {what}: {} reads and writes a second; a pair takes {:?} (half), {:?} (95 %), {:?} (all); {}",
        all.len() as u64 / length.as_secs().max(1),
        percentile(&all, 50),
        percentile(&all, 95),
        percentile(&all, 100),
        node.sizes()
    );
    Ok(())
}

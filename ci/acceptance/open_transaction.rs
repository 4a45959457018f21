//! A client that leaves a transaction open holds nobody up.

use crate::cluster::{Cluster, NODES, code};
use crate::{Outcome, load_time};
use mysql::prelude::Queryable;
use std::time::{Duration, Instant};

/// Longer than this, and a statement was held up.
const PATIENCE: Duration = Duration::from_secs(2);

pub fn run() -> Outcome {
    let cluster = Cluster::start()?;
    cluster.run(0, &["CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY, v INT NOT NULL)"])?;
    cluster.run(0, &["INSERT INTO d.t VALUES (1, 0), (2, 0), (3, 0)"])?;
    for node in 0..NODES {
        cluster.wait_for(node, "SELECT COUNT(*) FROM d.t", "3", Duration::from_secs(10))?;
    }
    let mut holders = Vec::new();
    for id in [1, 3] {
        let mut holder = cluster.connect(0).map_err(|e| e.to_string())?;
        for sql in ["BEGIN", &format!("UPDATE d.t SET v = -1 WHERE id = {id}")] {
            holder.query_drop(sql).map_err(|e| e.to_string())?;
        }
        holders.push(holder);
    }
    let hold = load_time() / 3;
    let since = Instant::now();
    let mut round = 0;
    let mut slowest = Duration::ZERO;
    while since.elapsed() < hold {
        round += 1;
        for node in 0..NODES {
            let before = Instant::now();
            let updates = [1, 2].map(|id| format!("UPDATE d.t SET v = {} WHERE id = {id}", round * 10 + node));
            cluster.run(node, &[&updates[0], &updates[1]])?;
            slowest = slowest.max(before.elapsed());
        }
        for node in 0..NODES {
            let last = (round * 10 + NODES - 1).to_string();
            cluster.wait_for(node, "SELECT MIN(v) FROM d.t WHERE id < 3", &last, PATIENCE)?;
        }
    }
    if slowest > PATIENCE {
        return Err(format!("two updates took {slowest:?} beside an open transaction"));
    }
    // The row it wrote was written by others since; the one nobody else wrote it may commit.
    let outcomes: Vec<Option<u16>> =
        holders.iter_mut().map(|h| h.query_drop("COMMIT").err().map(|e| code(&e).unwrap_or(0))).collect();
    if outcomes != [Some(1213), None] {
        return Err(format!("the open transactions ended with {outcomes:?}"));
    }
    cluster.wait_until_equal("d.t", Duration::from_secs(10))?;
    println!("   {round} rounds in {hold:?}; the slowest pair of updates took {slowest:?}");
    Ok(())
}

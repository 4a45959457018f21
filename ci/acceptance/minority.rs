//! What a node does without a majority, and what it does about what others left unfinished.

use crate::acknowledged::{self, Writers};
use crate::cluster::{Cluster, NODES, code, is_conflict};
use crate::{Outcome, load_time};
use mysql::prelude::Queryable;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// `write_timeout_ms` of the configuration, and what else may pass on a busy machine.
const WRITE_TIMEOUT: Duration = Duration::from_millis(5000);
const SLACK: Duration = Duration::from_millis(1500);
/// How long all may take to be well again.
const HEALING: Duration = Duration::from_secs(30);

pub fn killed() -> Outcome {
    let mut cluster = filled()?;
    cluster.kill(1)?;
    cluster.kill(2)?;
    alone(&cluster)?;
    for node in [1, 2] {
        cluster.launch(node)?;
    }
    healed(&mut cluster)
}

pub fn frozen() -> Outcome {
    let mut cluster = filled()?;
    cluster.freeze(1)?;
    cluster.freeze(2)?;
    let outcome = alone(&cluster);
    cluster.thaw(1)?;
    cluster.thaw(2)?;
    outcome?;
    healed(&mut cluster)
}

fn filled() -> Result<Cluster, String> {
    let cluster = Cluster::start()?;
    cluster.run(0, &["CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY, v INT NOT NULL)"])?;
    cluster.run(0, &["INSERT INTO d.t VALUES (1, 7), (2, 8)"])?;
    cluster.wait_until_equal("d.t", HEALING)?;
    Ok(cluster)
}

/// Node 0 is the only one left: it refuses writes in time and in clear words, reads, and merges what `ONE` wrote.
fn alone(cluster: &Cluster) -> Outcome {
    for attempt in 0..2 {
        let mut client = cluster.connect(0).map_err(|e| format!("the node alone does not answer: {e}"))?;
        let since = Instant::now();
        let outcome = client.query_drop(format!("UPDATE d.t SET v = {attempt} WHERE id = 1"));
        let took = since.elapsed();
        let error = outcome.err().ok_or("a QUORUM write succeeded without a quorum")?;
        // Before the others are missed, the outcome may be unknown (1180): they might have heard of it.
        let clear = matches!(code(&error), Some(1105)) && error.to_string().contains("No quorum")
            || attempt == 0 && code(&error) == Some(1180);
        if !clear || took > WRITE_TIMEOUT + SLACK {
            return Err(format!("attempt {attempt}: after {took:?}: {error}"));
        }
        println!("   attempt {attempt}: after {took:?}: {error}");
    }
    let since = Instant::now();
    let rows = cluster.rows(0, "SELECT id FROM d.t ORDER BY id")?;
    if rows != ["1", "2"] || since.elapsed() > Duration::from_secs(1) {
        return Err(format!("a local read took {:?} and gave {rows:?}", since.elapsed()));
    }
    cluster.run(0, &["SET marmot_write_consistency = 'ONE'", "INSERT INTO d.t VALUES (3, 9)"])
}

fn healed(cluster: &mut Cluster) -> Outcome {
    let since = Instant::now();
    for node in 1..NODES {
        cluster.wait_until_it_answers(node)?;
    }
    for node in 0..NODES {
        loop {
            let outcome = cluster.run(node, &[&format!("INSERT INTO d.t VALUES ({}, 1)", 10 + node)]);
            match outcome {
                Ok(()) => break,
                // It may have committed although it was not known to.
                Err(why) if why.contains("1062") => break,
                Err(why) if since.elapsed() > HEALING => return Err(format!("{why}\n{}", cluster.log(node))),
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
    let writing = since.elapsed();
    let rows = cluster.wait_until_equal("d.t", HEALING)?;
    if rows != 6 {
        return Err(format!("{rows} rows, not 6: {:?}", cluster.rows(0, "SELECT * FROM d.t")));
    }
    println!("   all nodes write again {writing:?} after healing, and are equal after {:?}", since.elapsed());
    Ok(())
}

/// While one node stays dead, the others are killed and restarted one after the other: their clients are kept waiting,
/// but never told anything but that a connection is gone.
pub fn restarted_beside_a_dead_node() -> Outcome {
    const PROMPT: Duration = Duration::from_secs(3);
    let mut cluster = Cluster::start()?;
    let writers = Writers::start(&cluster, &[0, 1], 2)?;
    let pause = load_time() / 10;
    std::thread::sleep(pause);
    cluster.kill(2)?;
    for node in [1, 0] {
        std::thread::sleep(pause);
        cluster.kill(node)?;
        cluster.launch(node)?;
        cluster.wait_until_it_answers(node)?;
    }
    std::thread::sleep(pause);
    let restarted = Instant::now();
    std::thread::sleep(pause);
    let logs = writers.stop()?;
    for log in &logs {
        if let Some(error) = log.first_error() {
            return Err(format!("a write at node {} failed: {error}\n{}", log.node, cluster.log(log.node)));
        }
        if !log.acknowledged().any(|a| a.at > restarted && a.at < restarted + PROMPT) {
            return Err(format!("nothing was acknowledged at node {} after the restarts", log.node));
        }
    }
    cluster.launch(2)?;
    cluster.wait_until_it_answers(2)?;
    cluster.wait_until_equal("acks.acks", HEALING)?;
    let rows = acknowledged::verify(&cluster, &logs)?;
    println!("   {rows} acknowledged inserts on every node");
    Ok(())
}

/// Rows that many clients of node 2 write when it is killed must be writable again within a few seconds.
pub fn coordinator_killed() -> Outcome {
    const ROWS: usize = 40;
    const LOCKED: Duration = Duration::from_secs(4);
    let mut cluster = Cluster::start()?;
    cluster.run(0, &["CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY, v INT NOT NULL)"])?;
    let rows: Vec<String> = (0..ROWS).map(|id| format!("({id}, 0)")).collect();
    cluster.run(0, &[&format!("INSERT INTO d.t VALUES {}", rows.join(", "))])?;
    cluster.wait_until_equal("d.t", HEALING)?;
    let mut slowest = Duration::ZERO;
    for round in 0..3 {
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let (client, stop) = (cluster.connect(2), stop.clone());
                std::thread::spawn(move || {
                    let Ok(mut client) = client else { return };
                    let mut n = 0;
                    while !stop.load(Ordering::Relaxed) {
                        n += 1;
                        let id = (writer * 5 + n % 5) % ROWS;
                        match client.query_drop(format!("UPDATE d.t SET v = v + 1 WHERE id = {id}")) {
                            Err(error) if !is_conflict(&error) => return,
                            _ => {}
                        }
                    }
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(1500));
        cluster.kill(2)?;
        let since = Instant::now();
        let update = |node: usize| {
            (0..ROWS).filter(move |id| id % 2 == node).try_for_each(|id| {
                cluster.run(
                    node,
                    &["SET innodb_lock_wait_timeout = 10", &format!("UPDATE d.t SET v = v + 1 WHERE id = {id}")],
                )
            })
        };
        let (first, second) = std::thread::scope(|scope| {
            let other = scope.spawn(|| update(1));
            (update(0), other.join().unwrap_or_else(|_| Err("a writer panicked".into())))
        });
        first.and(second)?;
        slowest = slowest.max(since.elapsed());
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().for_each(|writer| drop(writer.join()));
        cluster.launch(2)?;
        cluster.wait_until_it_answers(2)?;
        cluster.wait_until_equal("d.t", HEALING).map_err(|why| format!("round {round}: {why}"))?;
    }
    println!("   every row was written again {slowest:?} after the kill at the latest");
    if slowest > LOCKED { Err(format!("a row stayed locked for {slowest:?}")) } else { Ok(()) }
}

//! A fourth node joins a cluster with data, by snapshot, while the others write: how long it takes, and what it costs.

use crate::acknowledged::{self, Log, Writers};
use crate::cluster::{Cluster, NODES};
use crate::{Outcome, join_megabytes};
use std::time::{Duration, Instant};

/// Two writers at each node, so many milliseconds from one statement to the next: some 500 writes a second, where a commit takes
/// two.
const PAUSE: Duration = Duration::from_millis(10);
/// How long the writers alone are watched.
const ALONE: Duration = Duration::from_secs(5);
const ROWS_AT_ONCE: u64 = 1000;
const ROW_KB: u64 = 4;

pub fn run() -> Outcome {
    let megabytes = join_megabytes();
    let mut cluster = Cluster::start()?;
    fill(&cluster, megabytes)?;
    let writers = Writers::every(PAUSE, &cluster, &[0, 1, 2], 2)?;
    let began = Instant::now();
    std::thread::sleep(ALONE);
    let before = (0..NODES).map(|node| cluster.memory(node)).collect::<Result<Vec<_>, _>>()?;
    let joining = Instant::now();
    let joiner = cluster.join()?;
    let limit = Duration::from_secs(120 + megabytes / 2);
    let admitted = "SELECT COUNT(*) FROM marmot.cluster_nodes WHERE voter = 1";
    cluster.wait_for(0, admitted, &(NODES + 1).to_string(), limit)?;
    let joined = Instant::now();
    std::thread::sleep(Duration::from_secs(1));
    let logs = writers.stop()?;

    let alone = latencies(&logs, began, joining);
    let beside = latencies(&logs, joining, joined);
    let took = joined - joining;
    println!(
        "   {megabytes} MB: a member after {:.1} s, {:.0} MB/s",
        took.as_secs_f64(),
        megabytes as f64 / took.as_secs_f64()
    );
    println!("   writes before {alone}");
    println!("   writes during {beside}");
    for node in 0..=joiner {
        let (now, most) = cluster.memory(node)?;
        let was = before.get(node).map_or("a new process".to_string(), |(was, _)| format!("{was} MB before"));
        println!("   node {node}: {was}, {now} MB after, {most} MB at most");
    }
    if let Some(error) = logs.iter().find_map(Log::first_error) {
        return Err(format!("a write failed while a node joined: {error}"));
    }
    let content = "SELECT COUNT(*), SUM(id), SUM(CRC32(filler)) FROM filled.t";
    let rows = cluster.rows(0, content)?.remove(0);
    let by_joiner = cluster.rows(joiner, content)?.remove(0);
    if rows != by_joiner {
        return Err(format!("the joiner has {by_joiner}, the others {rows}"));
    }
    cluster.wait_until_equal("acks.acks", Duration::from_secs(30))?;
    acknowledged::verify(&cluster, &logs).map(drop)
}

/// So many megabytes that do not compress.
fn fill(cluster: &Cluster, megabytes: u64) -> Outcome {
    cluster.run(0, &["CREATE DATABASE filled", "CREATE TABLE filled.t (id INT PRIMARY KEY, filler BLOB)"])?;
    let parts = (megabytes * 1024).div_ceil(ROWS_AT_ONCE * ROW_KB);
    for part in 0..parts {
        let random = vec!["RANDOM_BYTES(1024)"; ROW_KB as usize].join(", ");
        let insert = format!(
            "INSERT INTO filled.t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS_AT_ONCE}) \
             SELECT i + {part} * {ROWS_AT_ONCE}, CONCAT({random}) FROM n"
        );
        cluster.run(0, &[&insert])?;
    }
    Ok(())
}

/// Rate and latencies of what was acknowledged between the two moments.
fn latencies(logs: &[Log], from: Instant, to: Instant) -> String {
    let answers = logs.iter().flat_map(Log::acknowledged).filter(|a| (from..to).contains(&a.at));
    let mut took: Vec<Duration> = answers.map(|a| a.took).collect();
    took.sort_unstable();
    let rate = took.len() as f64 / (to - from).as_secs_f64();
    let at = |part: usize| took.get(took.len() * part / 1000).copied().unwrap_or_default();
    format!(
        "{rate:.0} a second, half within {:.1?}, 99 % within {:.1?}, all within {:.1?}",
        at(500),
        at(990),
        took.last().copied().unwrap_or_default()
    )
}

//! Clients that insert one row after the other, and update their first one in between, and remember what was
//! acknowledged, and when.

use crate::cluster::{Cluster, code, connect};
use mysql::prelude::Queryable;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// One answer.
pub struct Answer {
    pub at: Instant,
    /// From the statement being sent to `at`.
    pub took: Duration,
    /// The id of the row inserted, `writer * 1 000 000 + n`; `None` for an update.
    pub id: Option<u64>,
    /// `None`: acknowledged.
    pub error: Option<String>,
    /// The error was one of the connection, not of the server.
    pub lost: bool,
}

/// Running writers.
pub struct Writers {
    stop: Arc<AtomicBool>,
    threads: Vec<(usize, JoinHandle<Vec<Answer>>)>,
}

/// What the writers of one node saw.
pub struct Log {
    pub node: usize,
    pub answers: Vec<Answer>,
}

impl Writers {
    /// `each` writers at each of the nodes, every one on a connection of its own, which it opens again when it is lost.
    pub fn start(cluster: &Cluster, nodes: &[usize], each: usize) -> Result<Writers, String> {
        Writers::every(Duration::from_millis(2), cluster, nodes, each)
    }

    /// As [`Writers::start`], each with so much time between the end of a statement and the next.
    pub fn every(pause: Duration, cluster: &Cluster, nodes: &[usize], each: usize) -> Result<Writers, String> {
        cluster.run(
            0,
            &[
                "CREATE DATABASE acks",
                "CREATE TABLE acks.acks (id BIGINT PRIMARY KEY, node INT NOT NULL, touched INT NOT NULL DEFAULT 0)",
            ],
        )?;
        for node in 0..cluster.len() {
            let exists = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'acks'";
            cluster.wait_for(node, exists, "1", Duration::from_secs(30))?;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for (writer, node) in nodes.iter().flat_map(|node| std::iter::repeat_n(*node, each)).enumerate() {
            let (port, stop) = (cluster.port(node), stop.clone());
            threads.push((node, std::thread::spawn(move || write(port, node, writer as u64, pause, &stop))));
        }
        Ok(Writers { stop, threads })
    }

    /// Ends the writers, and gathers what each node's saw.
    pub fn stop(self) -> Result<Vec<Log>, String> {
        self.stop.store(true, Ordering::Relaxed);
        let mut logs: Vec<Log> = Vec::new();
        for (node, thread) in self.threads {
            let answers = thread.join().map_err(|_| "a writer panicked")?;
            match logs.iter_mut().find(|log| log.node == node) {
                Some(log) => log.answers.extend(answers),
                None => logs.push(Log { node, answers }),
            }
        }
        Ok(logs)
    }
}

fn write(port: u16, node: usize, writer: u64, pause: Duration, stop: &AtomicBool) -> Vec<Answer> {
    let mut answers: Vec<Answer> = Vec::new();
    let mut client = None;
    let mut last = writer * 1_000_000;
    while !stop.load(Ordering::Relaxed) {
        let first = answers.iter().find(|a| a.error.is_none()).and_then(|a| a.id);
        let updates = first.filter(|_| answers.len() % 2 == 1);
        let (id, sql) = match updates {
            Some(first) => (None, format!("UPDATE acks.acks SET touched = touched + 1 WHERE id = {first}")),
            None => {
                last += 1;
                (Some(last), format!("INSERT INTO acks.acks (id, node) VALUES ({last}, {node})"))
            }
        };
        let since = Instant::now();
        let connected = match client.take() {
            Some(client) => Ok(client),
            None => connect(port),
        };
        let outcome = connected.and_then(|mut client| client.query_drop(sql).map(|()| client));
        let at = Instant::now();
        let took = at - since;
        match outcome {
            Ok(connected) => {
                client = Some(connected);
                answers.push(Answer { at, took, id, error: None, lost: false });
            }
            Err(error) => {
                let (lost, error) = (code(&error).is_none(), Some(error.to_string()));
                answers.push(Answer { at, took, id, lost, error });
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        std::thread::sleep(pause);
    }
    answers
}

impl Log {
    /// What was acknowledged, in order for each writer.
    pub fn acknowledged(&self) -> impl Iterator<Item = &Answer> {
        self.answers.iter().filter(|a| a.error.is_none())
    }

    /// The longest time without an acknowledgement between the two moments.
    pub fn longest_gap(&self, from: Instant, to: Instant) -> Duration {
        let mut moments: Vec<Instant> =
            self.acknowledged().map(|a| a.at).filter(|at| (from..to).contains(at)).chain([from, to]).collect();
        moments.sort_unstable();
        moments.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// The first error that the server gave.
    pub fn first_error(&self) -> Option<&str> {
        self.answers.iter().filter(|a| !a.lost).find_map(|a| a.error.as_deref())
    }
}

/// Every acknowledged row, and every acknowledged update, must be on every node.
pub fn verify(cluster: &Cluster, logs: &[Log]) -> Result<usize, String> {
    let acknowledged = || logs.iter().flat_map(Log::acknowledged);
    let inserted: BTreeSet<u64> = acknowledged().filter_map(|a| a.id).collect();
    let updates = acknowledged().filter(|a| a.id.is_none()).count();
    for node in 0..cluster.len() {
        let present: BTreeSet<u64> =
            cluster.rows(node, "SELECT id FROM acks.acks")?.iter().filter_map(|id| id.parse().ok()).collect();
        let lost: Vec<&u64> = inserted.difference(&present).collect();
        if !lost.is_empty() {
            let few = &lost[..lost.len().min(5)];
            return Err(format!(
                "node {node} lacks {} of {} acknowledged rows: {few:?} ...",
                lost.len(),
                inserted.len()
            ));
        }
        let touched: usize = cluster.rows(node, "SELECT SUM(touched) FROM acks.acks")?[0].parse().unwrap_or(0);
        if touched < updates {
            return Err(format!("node {node} has {touched} of {updates} acknowledged updates"));
        }
    }
    Ok(inserted.len())
}

//! Clients that insert one row after the other and remember which were acknowledged, and when.

use crate::cluster::{Cluster, NODES, code, connect};
use mysql::prelude::Queryable;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// One answer.
pub struct Answer {
    pub at: Instant,
    /// The row's id, `writer * 1 000 000 + n`.
    pub id: u64,
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
        cluster
            .run(0, &["CREATE DATABASE acks", "CREATE TABLE acks.acks (id BIGINT PRIMARY KEY, node INT NOT NULL)"])?;
        for node in 0..NODES {
            let exists = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'acks'";
            cluster.wait_for(node, exists, "1", Duration::from_secs(30))?;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for (writer, node) in nodes.iter().flat_map(|node| std::iter::repeat_n(*node, each)).enumerate() {
            let (port, stop) = (cluster.port(node), stop.clone());
            threads.push((node, std::thread::spawn(move || write(port, node, writer as u64, &stop))));
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

fn write(port: u16, node: usize, writer: u64, stop: &AtomicBool) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut client = None;
    let mut id = writer * 1_000_000;
    while !stop.load(Ordering::Relaxed) {
        id += 1;
        let outcome = match client.take() {
            Some(client) => Ok(client),
            None => connect(port),
        };
        let outcome = outcome.and_then(|mut connected| {
            connected.query_drop(format!("INSERT INTO acks.acks VALUES ({id}, {node})")).map(|()| connected)
        });
        let at = Instant::now();
        match outcome {
            Ok(connected) => {
                client = Some(connected);
                answers.push(Answer { at, id, error: None, lost: false });
            }
            Err(error) => {
                answers.push(Answer { at, id, lost: code(&error).is_none(), error: Some(error.to_string()) });
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    answers
}

impl Log {
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

/// Every acknowledged row must be on every node.
pub fn verify(cluster: &Cluster, logs: &[Log]) -> Result<usize, String> {
    let acknowledged: BTreeSet<u64> = logs.iter().flat_map(|log| log.acknowledged().map(|a| a.id)).collect();
    for node in 0..NODES {
        let present: BTreeSet<u64> =
            cluster.rows(node, "SELECT id FROM acks.acks")?.iter().filter_map(|id| id.parse().ok()).collect();
        let lost: Vec<&u64> = acknowledged.difference(&present).collect();
        if !lost.is_empty() {
            let few = &lost[..lost.len().min(5)];
            return Err(format!(
                "node {node} lacks {} of {} acknowledged rows: {few:?} ...",
                lost.len(),
                acknowledged.len()
            ));
        }
    }
    Ok(acknowledged.len())
}

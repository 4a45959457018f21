//! Clients with long statements keep neither other clients nor the cluster waiting, however many they are.
#![allow(clippy::disallowed_methods, reason = "real threads are watched in real time")]
#![cfg(feature = "shell")]

mod cluster_rig;

use cluster_rig::Cluster;
use std::thread;
use std::time::{Duration, Instant};

/// More than any machine that runs this has processors, or any runtime threads.
const LONG_STATEMENTS: usize = 48;
/// How long each of them takes.
const LONG: Duration = Duration::from_secs(4);
/// The longest that somebody else may wait, on two busy processors.
const PATIENCE: Duration = Duration::from_millis(1500);

#[test]
fn others_are_served_while_many_statements_run_long() {
    let cluster = Cluster::start(1);
    let mut other = cluster.connect(1);
    other.run("CREATE DATABASE f");
    other.run("CREATE TABLE f.t (id INT PRIMARY KEY)");
    let busy: Vec<_> = (0..LONG_STATEMENTS).map(|_| cluster.connect(1)).collect();
    let counting =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000000) SELECT COUNT(*) FROM n";
    let started = Instant::now();
    thread::scope(|scope| {
        for mut client in busy {
            scope.spawn(move || {
                client.run(&format!("SET max_execution_time = {}", LONG.as_millis()));
                assert_eq!(client.code(counting), 3024);
            });
        }
        let mut longest = Duration::ZERO;
        let mut answers = 0;
        thread::sleep(Duration::from_millis(200));
        while started.elapsed() < LONG - Duration::from_millis(500) {
            let asked = Instant::now();
            let mut newcomer = cluster.connect(1);
            newcomer.run(&format!("INSERT INTO f.t VALUES ({answers})"));
            assert_eq!(other.read("SELECT COUNT(*) FROM f.t"), (answers + 1).to_string());
            longest = longest.max(asked.elapsed());
            answers += 1;
        }
        println!("{answers} answers, the longest after {longest:?}");
        assert!(longest < PATIENCE, "somebody waited {longest:?}");
        assert!(answers > 2, "{answers} answers");
    });
}

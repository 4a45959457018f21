//! Clients with long statements keep neither other clients nor the cluster waiting, however many they are.
#![allow(clippy::disallowed_methods, reason = "real threads are watched in real time")]
#![cfg(feature = "shell")]

mod cluster_rig;

use cluster_rig::Cluster;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// More than any machine that runs this has processors, or any runtime threads.
const LONG_STATEMENTS: usize = 48;
/// How long each of them takes.
const LONG: Duration = Duration::from_secs(4);
/// The longest that somebody else may wait, on two busy processors.
const PATIENCE: Duration = Duration::from_millis(1500);

/// As many tables are made on each of two nodes at once.
const TABLES: usize = 40;
/// Everybody who writes meanwhile gets on: at least so many rows each. Whoever has to wait for the end of it writes a few.
const ROWS: usize = TABLES / 2;
/// The longest that a statement may wait for schema changes, or a schema change for statements.
const TURN: Duration = Duration::from_secs(20);

#[test]
fn tables_are_made_on_two_nodes_while_all_write() {
    let cluster = Cluster::start(3);
    let mut other = cluster.connect(1);
    other.run("CREATE DATABASE f");
    other.run("CREATE TABLE f.t (id INT AUTO_INCREMENT PRIMARY KEY, writer INT NOT NULL)");
    let writer = |node| {
        let mut client = cluster.connect(node);
        let began = Instant::now();
        while client.read("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'f'") != "1" {
            assert!(began.elapsed() < TURN, "no table on node {node}");
            thread::sleep(Duration::from_millis(20));
        }
        client
    };
    let writers: Vec<_> = (1..=3).map(writer).collect();
    let makers: Vec<_> = (1..=2).map(|node| cluster.connect(node)).collect();
    let over = AtomicBool::new(false);
    let began = Instant::now();
    let longest = |longest: &mut Duration, work: &mut dyn FnMut()| {
        let asked = Instant::now();
        work();
        *longest = asked.elapsed().max(*longest);
    };
    let (made, written): (Vec<Duration>, Vec<(usize, Duration)>) = thread::scope(|scope| {
        let over = &over;
        let writing = writers.into_iter().enumerate().map(|(i, mut client)| {
            scope.spawn(move || {
                let (mut rows, mut slowest) = (0, Duration::ZERO);
                while !over.load(Ordering::Relaxed) {
                    longest(&mut slowest, &mut || client.run(&format!("INSERT INTO f.t (writer) VALUES ({i})")));
                    rows += 1;
                }
                (rows, slowest)
            })
        });
        let writing: Vec<_> = writing.collect();
        let making = makers.into_iter().enumerate().map(|(i, mut client)| {
            scope.spawn(move || {
                let mut slowest = Duration::ZERO;
                for table in 0..TABLES {
                    let sql = format!("CREATE TABLE f.made_{i}_{table} (id INT PRIMARY KEY)");
                    longest(&mut slowest, &mut || client.run(&sql));
                }
                slowest
            })
        });
        let made = making.collect::<Vec<_>>().into_iter().map(|maker| maker.join()).collect::<Vec<_>>();
        over.store(true, Ordering::Relaxed);
        let written = writing.into_iter().map(|writer| writer.join().expect("every row is taken")).collect();
        (made.into_iter().map(|slowest| slowest.expect("every table is made")).collect(), written)
    });
    println!("{:?}: the slowest tables {made:?}, rows and the slowest of each writer {written:?}", began.elapsed());
    assert!(made.iter().all(|slowest| *slowest < TURN), "a table waited: {made:?}");
    assert!(written.iter().all(|(rows, slowest)| *rows >= ROWS && *slowest < TURN), "a row waited: {written:?}");
    let rows: usize = written.iter().map(|(rows, _)| rows).sum();
    for node in 1..=3 {
        let mut client = cluster.connect(node);
        client.run("SET marmot_read_consistency = 'QUORUM'");
        assert_eq!(client.read("SELECT COUNT(*) FROM f.t"), rows.to_string());
        let tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'f'";
        assert_eq!(client.read(tables), (2 * TABLES + 1).to_string());
    }
}

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

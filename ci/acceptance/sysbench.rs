//! sysbench on all nodes while one of them is killed and comes back, twice.

use crate::acknowledged::{self, Writers};
use crate::cluster::{Cluster, NODES};
use crate::{Outcome, load_time};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const TABLES: usize = 4;
const ROWS: usize = 10_000;
/// Threads of each node's sysbench: eight in all.
const THREADS: [usize; NODES] = [3, 3, 2];
/// The node that is killed.
const VICTIM: usize = 2;
/// Client errors 2002 to 2055 say that the connection is gone, 1053 that the server is stopping.
const LOST: [&str; 5] = ["error 2002", "error 2003", "error 2006", "error 2013", "error 1053"];

pub fn run(test: &'static str) -> Outcome {
    let mut cluster = Cluster::start()?;
    prepare(&cluster)?;
    let writers = Writers::start(&cluster, &[0, 1, 2], 1)?;
    let load = Load::start(&cluster, test);
    let outcome = disturb(&mut cluster);
    let reports = load.stop();
    let logs = writers.stop()?;
    outcome?;
    let mut transactions = Vec::new();
    for (node, report) in reports.into_iter().enumerate() {
        transactions.push(report.map_err(|why| format!("sysbench on node {node}: {why}\n{}", cluster.log(node)))?);
    }
    if let Some(error) = logs.iter().filter(|log| log.node != VICTIM).find_map(|log| log.first_error()) {
        return Err(format!("an insert at a node that was never killed failed: {error}"));
    }
    for table in 1..=TABLES {
        let rows = cluster.wait_until_equal(&format!("sbtest.sbtest{table}"), Duration::from_secs(60))?;
        if rows != ROWS {
            return Err(format!("sbtest{table} has {rows} rows, and began with {ROWS}"));
        }
    }
    cluster.wait_until_equal("acks.acks", Duration::from_secs(30))?;
    let rows = acknowledged::verify(&cluster, &logs)?;
    println!("   {test}: transactions by node {transactions:?}; {rows} acknowledged inserts on every node");
    Ok(())
}

/// Kills the victim at 1/5 and 3/5 of the time, and starts it again a fifth later.
fn disturb(cluster: &mut Cluster) -> Outcome {
    let fifth = load_time() / 5;
    for _ in 0..2 {
        std::thread::sleep(fifth);
        cluster.kill(VICTIM)?;
        std::thread::sleep(fifth);
        cluster.launch(VICTIM)?;
        cluster.wait_until_it_answers(VICTIM)?;
    }
    std::thread::sleep(fifth);
    Ok(())
}

fn prepare(cluster: &Cluster) -> Outcome {
    cluster.run(0, &["CREATE DATABASE sbtest"])?;
    for table in 1..=TABLES {
        let create = format!(
            "CREATE TABLE sbtest.sbtest{table} (id INT NOT NULL AUTO_INCREMENT, k INT DEFAULT '0' NOT NULL, c CHAR(120) \
             DEFAULT '' NOT NULL, pad CHAR(60) DEFAULT '' NOT NULL, PRIMARY KEY (id), KEY k_{table} (k))"
        );
        cluster.run(0, &[&create])?;
        for from in (1..=ROWS).step_by(1000) {
            let row = |id: usize| format!("({id}, {}, 'c-{id}', 'pad-{id}')", id * 7919 % ROWS + 1);
            let rows: Vec<String> = (from..from + 1000).map(row).collect();
            cluster.run(0, &[&format!("INSERT INTO sbtest.sbtest{table} VALUES {}", rows.join(", "))])?;
        }
    }
    for node in 0..NODES {
        let count = format!("SELECT COUNT(*) FROM sbtest.sbtest{TABLES}");
        cluster.wait_for(node, &count, &ROWS.to_string(), Duration::from_secs(60))?;
    }
    Ok(())
}

/// Transactions, or the first error that must not be.
type Report = Result<u64, String>;

/// One sysbench for each node, started again whenever its node is lost.
struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Report>>,
}

impl Load {
    fn start(cluster: &Cluster, test: &'static str) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let start = |node: usize| {
            let (port, stop) = (cluster.port(node), stop.clone());
            std::thread::spawn(move || keep_running(test, port, THREADS[node], node == VICTIM, &stop))
        };
        let threads = (0..NODES).map(start).collect();
        Load { stop, threads }
    }

    fn stop(self) -> Vec<Report> {
        self.stop.store(true, Ordering::Relaxed);
        let join = |thread: JoinHandle<Report>| thread.join().unwrap_or_else(|_| Err("a thread panicked".into()));
        self.threads.into_iter().map(join).collect()
    }
}

fn keep_running(test: &str, port: u16, threads: usize, may_be_lost: bool, stop: &AtomicBool) -> Report {
    let mut transactions = 0;
    while !stop.load(Ordering::Relaxed) {
        let since = Instant::now();
        let child = start(test, port, threads)?;
        let (ended_by_us, text) = wait(child, stop)?;
        let problems = |line: &&str| line.contains("FATAL") || line.contains("ERROR");
        let lost = |line: &str| LOST.iter().any(|code| line.contains(code)) || !line.contains("error ");
        let excused = |line: &&str| ended_by_us || may_be_lost && lost(line);
        if let Some(line) = text.lines().filter(problems).find(|line| !excused(line)) {
            return Err(format!("{line}\n{text}"));
        }
        transactions += done(&text);
        if !may_be_lost && !stop.load(Ordering::Relaxed) {
            return Err(format!("it ended by itself after {:?}\n{text}", since.elapsed()));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(transactions)
}

fn start(test: &str, port: u16, threads: usize) -> Result<Child, String> {
    let mut command = Command::new("sysbench");
    command.args([test, "--db-driver=mysql", "--mysql-host=127.0.0.1", "--mysql-user=root", "--mysql-db=sbtest"]);
    command.args(["--mysql-ignore-errors=1213,1205", "--time=3600", "--report-interval=1"]);
    command.arg(format!("--mysql-port={port}")).arg(format!("--threads={threads}"));
    command.arg(format!("--tables={TABLES}")).arg(format!("--table-size={ROWS}")).arg("run");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().map_err(|e| format!("sysbench does not start: {e}; ci/install.sh --acceptance installs it"))
}

/// Waits until it ends or must be ended; whether we ended it, and all it said.
fn wait(mut child: Child, stop: &AtomicBool) -> Result<(bool, String), String> {
    let mut ended_by_us = false;
    while child.try_wait().map_err(|e| e.to_string())?.is_none() {
        if stop.load(Ordering::Relaxed) {
            ended_by_us = true;
            child.kill().map_err(|e| e.to_string())?;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    Ok((ended_by_us, String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)))
}

/// Transactions as the lines of each second say: `[ 3s ] thds: 3 tps: 95.99 qps: ...`.
fn done(text: &str) -> u64 {
    let rate = |line: &str| line.split("tps: ").nth(1)?.split(' ').next()?.parse::<f64>().ok();
    text.lines().filter_map(rate).sum::<f64>() as u64
}

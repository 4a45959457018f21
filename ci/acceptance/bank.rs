//! Read-modify-write and transfers through all nodes at once: no update is lost, no half of a transfer is seen.

use crate::cluster::{Cluster, NODES, code, connect, is_conflict};
use crate::{Outcome, load_time};
use mysql::prelude::Queryable;
use mysql::{Conn, Error};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const COUNTERS: u64 = 3;
const ACCOUNTS: u64 = 10;
const START: u64 = 100;
const CLIENTS_PER_NODE: usize = 2;

/// A small stream of numbers, different for each client.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// How a transaction ended.
enum End {
    Committed,
    Refused,
    /// The answer to COMMIT was "unknown": it counts or it does not.
    Unknown,
}

fn ended(outcome: Result<(), Error>) -> Result<End, Error> {
    match outcome {
        Ok(()) => Ok(End::Committed),
        Err(e) if is_conflict(&e) => Ok(End::Refused),
        Err(e) if code(&e) == Some(1180) => Ok(End::Unknown),
        Err(e) => Err(e),
    }
}

/// Runs `work` on clients of all nodes for the load's time; sums of how its transactions ended.
fn on_all_nodes(
    cluster: &Cluster,
    work: impl Fn(&mut Conn, &mut Draws) -> Result<End, Error> + Sync,
) -> Result<(u64, u64, u64), String> {
    let stop = AtomicBool::new(false);
    let client = |seed: usize| -> Result<(u64, u64, u64), Error> {
        let mut client = connect(cluster.port(seed % NODES))?;
        let mut draws = Draws(seed as u64 + 1);
        let (mut committed, mut refused, mut unknown) = (0, 0, 0);
        while !stop.load(Ordering::Relaxed) {
            match work(&mut client, &mut draws)? {
                End::Committed => committed += 1,
                End::Refused => refused += 1,
                End::Unknown => unknown += 1,
            }
        }
        Ok((committed, refused, unknown))
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..NODES * CLIENTS_PER_NODE).map(|seed| scope.spawn(move || client(seed))).collect();
        std::thread::sleep(load_time() / 2);
        stop.store(true, Ordering::Relaxed);
        let mut sum = (0, 0, 0);
        for thread in threads {
            let (c, r, u) = thread.join().map_err(|_| "a client panicked")?.map_err(|e| e.to_string())?;
            sum = (sum.0 + c, sum.1 + r, sum.2 + u);
        }
        Ok(sum)
    })
}

fn table(cluster: &Cluster, rows: u64, value: u64) -> Outcome {
    cluster.run(0, &["CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY, v BIGINT NOT NULL)"])?;
    let rows: Vec<String> = (0..rows).map(|id| format!("({id}, {value})")).collect();
    cluster.run(0, &[&format!("INSERT INTO d.t VALUES {}", rows.join(", "))])?;
    cluster.wait_until_equal("d.t", Duration::from_secs(10)).map(drop)
}

fn read(client: &mut Conn, id: u64) -> Result<i64, Error> {
    let value = client.query_first(format!("SELECT v FROM d.t WHERE id = {id}"))?;
    Ok(value.expect("every id has a row"))
}

fn write(client: &mut Conn, id: u64, value: i64) -> Result<(), Error> {
    client.query_drop(format!("UPDATE d.t SET v = {value} WHERE id = {id}"))
}

/// `BEGIN; SELECT v; UPDATE v = what was read + 1; COMMIT`.
pub fn counters() -> Outcome {
    let cluster = Cluster::start()?;
    table(&cluster, COUNTERS, 0)?;
    let (committed, refused, unknown) = on_all_nodes(&cluster, |client, draws| {
        let id = draws.below(COUNTERS);
        let transaction = |client: &mut Conn| {
            client.query_drop("BEGIN")?;
            let value = read(client, id)?;
            write(client, id, value + 1)?;
            client.query_drop("COMMIT")
        };
        ended(transaction(client))
    })?;
    cluster.wait_until_equal("d.t", Duration::from_secs(10))?;
    let sum: u64 = cluster.rows(1, "SELECT SUM(v) FROM d.t")?[0].parse().map_err(|e| format!("no sum: {e}"))?;
    println!("   {committed} committed, {refused} refused, {unknown} unknown; the sum is {sum}");
    if (committed..=committed + unknown).contains(&sum) && committed > 0 {
        Ok(())
    } else {
        Err(format!("{committed} increments were acknowledged, {unknown} are unknown, but the sum is {sum}"))
    }
}

/// Transfers on every node while others add up all accounts, by one statement and by one a row.
pub fn transfers() -> Outcome {
    let cluster = Cluster::start()?;
    table(&cluster, ACCOUNTS, START)?;
    let torn = std::sync::Mutex::new(None);
    let (committed, refused, unknown) = on_all_nodes(&cluster, |client, draws| {
        if draws.below(3) == 0 {
            let sum = match draws.below(2) {
                0 => client.query_first("SELECT SUM(v) FROM d.t")?.unwrap_or(0),
                _ => {
                    client.query_drop("BEGIN")?;
                    let sum = (0..ACCOUNTS).map(|id| read(client, id)).sum::<Result<i64, Error>>()?;
                    client.query_drop("COMMIT")?;
                    sum
                }
            };
            if sum != (ACCOUNTS * START) as i64 {
                *torn.lock().expect("nobody panics with it") = Some(sum);
            }
            return Ok(End::Refused);
        }
        let (from, to) = (draws.below(ACCOUNTS), draws.below(ACCOUNTS));
        let amount = draws.below(20) as i64;
        let transaction = |client: &mut Conn| {
            client.query_drop("BEGIN")?;
            if from != to {
                let (a, b) = (read(client, from)?, read(client, to)?);
                write(client, from, a - amount)?;
                write(client, to, b + amount)?;
            }
            client.query_drop("COMMIT")
        };
        ended(transaction(client))
    })?;
    println!("   {committed} committed, {refused} refused or only read, {unknown} unknown");
    if let Some(sum) = *torn.lock().expect("nobody panics with it") {
        return Err(format!("somebody saw the sum {sum}"));
    }
    cluster.wait_until_equal("d.t", Duration::from_secs(10))?;
    let sum = cluster.rows(2, "SELECT SUM(v) FROM d.t")?;
    if sum == [(ACCOUNTS * START).to_string()] && committed > 0 {
        Ok(())
    } else {
        Err(format!("the sum is {sum:?} in the end"))
    }
}

//! Database files that somebody edited and that are sound SQLite files: rows are compared with the other nodes' and put right.

use crate::process::{Daemon, Ports, VOTERS, free_port, homes, log, wait};
use mysql::prelude::Queryable;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Rows are compared all the time; and a busy machine is not a missing majority.
const EAGER: &str =
    "[verify]\ninterval_seconds = 1\nmax_rows_per_second = 0\n[replication]\nwrite_timeout_ms = 60000\n";
/// Rows of the largest table: more than are compared in one go.
const ROWS: u32 = 9000;

/// Rows are compared when somebody asks for it.
const ASKED: &str =
    "[verify]\ninterval_seconds = 0\nmax_rows_per_second = 0\n[replication]\nwrite_timeout_ms = 60000\n";

struct Cluster {
    _root: TempDir,
    homes: Vec<PathBuf>,
    admin: Vec<u16>,
    nodes: Vec<Option<Daemon>>,
    ports: Vec<Ports>,
}

impl Cluster {
    fn start<const N: usize>() -> Cluster {
        Cluster::start_with::<N>(EAGER)
    }

    fn start_with<const N: usize>(config: &str) -> Cluster {
        let (root, homes) = homes::<N>();
        let mut cluster =
            Cluster { _root: root, homes: homes.to_vec(), admin: Vec::new(), nodes: Vec::new(), ports: Vec::new() };
        for (n, home) in homes.iter().enumerate() {
            std::fs::write(home.join("m.toml"), config).expect("a file");
            let admin = free_port();
            let seeds = cluster.ports.first().map(|first| format!("127.0.0.1:{}", first.cluster));
            let (id, address) = ((n + 1).to_string(), format!("127.0.0.1:{admin}"));
            let mut flags = vec!["--node-id", &id, "--config", "m.toml", "--admin-addr", &address];
            if let Some(seeds) = &seeds {
                flags.extend(["--seeds", seeds]);
            }
            let node = Daemon::start(home, &flags);
            cluster.ports.push(node.ports());
            cluster.nodes.push(Some(node));
            cluster.admin.push(admin);
            let voters = (n + 1).to_string();
            wait("the vote", || cluster.all(|node| node.rows(VOTERS) == [voters.as_str()]).then_some(()));
        }
        cluster
    }

    fn node(&self, n: usize) -> &Daemon {
        self.nodes[n].as_ref().expect("it runs")
    }

    fn all(&self, check: impl Fn(&Daemon) -> bool) -> bool {
        self.nodes.iter().flatten().all(check)
    }

    fn stop(&mut self, n: usize) {
        assert!(self.nodes[n].take().expect("it runs").stop().success());
    }

    fn start_again(&mut self, n: usize) {
        let address = format!("127.0.0.1:{}", self.admin[n]);
        let flags = ["--config", "m.toml", "--admin-addr", &address];
        let mut node = Daemon::launch_on(self.ports[n], &self.homes[n], &flags);
        node.wait_until_it_answers(&self.homes[n]);
        self.nodes[n] = Some(node);
    }

    /// Runs SQLite's own SQL on a node's file, which may be in use.
    fn edit(&self, n: usize, sql: &str) {
        let file = rusqlite::Connection::open(self.homes[n].join("data/d.db")).expect("it opens");
        file.busy_timeout(Duration::from_secs(5)).expect("a timeout");
        file.execute_batch(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    fn are_equal(&self, query: &str) -> bool {
        let rows: Vec<Vec<String>> = self.nodes.iter().flatten().map(|node| node.rows(query)).collect();
        rows.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// Waits until everything is compared without anything left to say.
    fn compared(&self, n: usize, table: &str) -> String {
        let sql = format!(
            "SELECT CONCAT_WS(' ', compared_rows, mismatches, repaired, undecided, elsewhere, state) \
             FROM marmot.verification WHERE database_name = 'd' AND table_name = '{table}' AND compared_at IS NOT NULL"
        );
        wait("a comparison", || self.node(n).rows(&sql).pop())
    }
}

fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the admin address");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("a question");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn metrics(port: u16) -> BTreeMap<String, f64> {
    let answer = get(port, "/metrics");
    let lines = answer.lines().filter(|line| line.starts_with("marmot_verify_"));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, value)| (name.to_string(), value.replace("+Inf", "inf").parse().expect("a number")))
        .collect()
}

fn totals(cluster: &Cluster, name: &str) -> Vec<f64> {
    cluster.admin.iter().map(|port| metrics(*port)[name]).collect()
}

const TABLES: [&str; 4] = [
    "CREATE TABLE d.t (id INT PRIMARY KEY, u VARCHAR(40) UNIQUE, v INT)",
    "CREATE TABLE d.pair (a VARCHAR(20), b INT, v DOUBLE, PRIMARY KEY (a, b))",
    "CREATE TABLE d.without (v VARCHAR(20))",
    "CREATE TABLE d.flip (id INT PRIMARY KEY, v INT)",
];
/// Rows of `d.flip`, a third of them for each node.
const FLIPS: u32 = 90;

fn fill(cluster: &Cluster) {
    let node = cluster.node(0);
    node.run("CREATE DATABASE d");
    TABLES.iter().for_each(|table| node.run(table));
    for first in (1..=ROWS).step_by(1000) {
        let last = first + 999;
        node.run(&format!(
            "INSERT INTO d.t WITH RECURSIVE n (i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) \
             SELECT i, CONCAT('u', i), i FROM n",
        ));
    }
    node.run("INSERT INTO d.pair SELECT CONCAT('K', v % 7), v, v / 3 FROM d.t WHERE v < 500");
    node.run("INSERT INTO d.without SELECT u FROM d.t WHERE v < 100");
    node.run(&format!("INSERT INTO d.flip SELECT v, 0 FROM d.t WHERE v <= {FLIPS}"));
    wait("the data", || cluster.are_equal("CHECKSUM TABLE d.t, d.pair, d.without").then_some(()));
}

#[test]
fn rows_edited_on_one_of_three_nodes_are_put_right_and_counted() {
    let mut cluster = Cluster::start::<3>();
    fill(&cluster);
    let content = "CHECKSUM TABLE d.t, d.pair, d.without";
    let right = cluster.node(0).rows(content);

    // While it is stopped: changed, with its unique value; deleted; added; and two that exchanged their unique values.
    cluster.stop(2);
    cluster.edit(
        2,
        "UPDATE t SET u = 'other', v = -1 WHERE id = 77; DELETE FROM t WHERE id = 8345;
         INSERT INTO t VALUES(30000, 'too much', 1); UPDATE t SET u = 'x' WHERE id = 5; UPDATE t SET u = 'u5' WHERE id = 6;
         UPDATE t SET u = 'u6' WHERE id = 5; UPDATE pair SET v = v + 1 WHERE a = 'K3' AND b = 3",
    );
    cluster.start_again(2);
    assert_ne!(cluster.node(2).rows(content), right, "the edit is seen");
    wait("three equal nodes", || (cluster.node(2).rows(content) == right).then_some(()));
    wait("the counts", || (totals(&cluster, "marmot_verify_repaired_total") == [0.0, 0.0, 6.0]).then_some(()));
    assert_eq!(totals(&cluster, "marmot_verify_mismatches_total"), [0.0, 0.0, 6.0]);
    assert_eq!(totals(&cluster, "marmot_verify_undecided"), [0.0; 3]);
    assert!(log(&cluster.homes[2]).contains("and were replaced"), "{}", log(&cluster.homes[2]));
    assert!(!log(&cluster.homes[2]).contains("too much"), "no content of rows in logs");
    assert_eq!(cluster.node(2).rows("CHECK TABLE d.t"), ["d.t,check,status,OK"], "its indexes too");

    // While it runs.
    cluster.edit(1, "UPDATE without SET v = 'edited' WHERE v = 'u42'");
    wait("three equal nodes", || (cluster.node(1).rows(content) == right).then_some(()));
    wait("the count", || (totals(&cluster, "marmot_verify_repaired_total") == [0.0, 1.0, 6.0]).then_some(()));
    // What was repaired can be written, on every node.
    cluster.node(1).run("UPDATE d.t SET v = 0 WHERE id IN (5, 6, 77, 8345)");
    cluster.node(1).run("INSERT INTO d.t VALUES (30000, 'again', 1)");
    wait("equal nodes", || cluster.are_equal(content).then_some(()));
    assert_eq!(cluster.node(0).rows("SELECT COUNT(*), SUM(v = 0) FROM d.t"), ["9001,4"]);
    (0..3).for_each(|n| assert!(cluster.compared(n, "t").contains(" 0 0 "), "{}", cluster.compared(n, "t")));
}

#[test]
fn without_a_majority_nothing_is_changed_and_it_is_said() {
    let cluster = Cluster::start::<2>();
    fill(&cluster);
    let content = "CHECKSUM TABLE d.t";
    cluster.edit(1, "UPDATE t SET v = -1 WHERE id = 77");
    let edited = cluster.node(1).rows(content);
    let right = cluster.node(0).rows(content);
    for n in [0, 1] {
        wait("a verdict", || cluster.compared(n, "t").contains("9000 1 0 1 0 DIFFERENT").then_some(()));
        wait("the count", || (totals(&cluster, "marmot_verify_undecided")[n] == 1.0).then_some(()));
        let said = log(&cluster.homes[n]);
        assert!(said.contains("no majority of the voting members") && said.contains("move d.db"), "{said}");
        assert!(metrics(cluster.admin[n])["marmot_verify_age_seconds{database=\"d\"}"] < 60.0);
        let page = get(cluster.admin[n], "/status.json");
        assert!(page.contains("1 rows of d.t differ from another node's"), "{page}");
    }
    assert_eq!((cluster.node(0).rows(content), cluster.node(1).rows(content)), (right.clone(), edited));

    // As the log says: the wrong node's file goes, and is fetched.
    let mut cluster = cluster;
    cluster.stop(1);
    for file in ["d.db", "d.db-wal", "d.db-shm"] {
        // The log of writes may have been folded.
        let _ = std::fs::remove_file(cluster.homes[1].join("data").join(file));
    }
    cluster.start_again(1);
    assert_eq!(cluster.node(1).rows(content), right);
    for n in [0, 1] {
        wait("agreement", || cluster.compared(n, "t").contains("9000 0 0 0 0 OK").then_some(()));
    }
}

#[test]
fn nodes_that_are_right_are_never_found_to_differ_while_everybody_writes() {
    let cluster = Cluster::start::<3>();
    fill(&cluster);
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let stopped = Arc::new(stop);
    std::thread::scope(|scope| {
        for n in 0..3 {
            for (at, level) in ["ONE", "QUORUM", "ALL"].into_iter().enumerate() {
                let (ports, stopped, written) = (cluster.ports[n], stopped.clone(), &written);
                scope.spawn(move || write(ports, level, (n * 3 + at) as u64, &stopped, written));
            }
            let (ports, stopped) = (cluster.ports[n], stopped.clone());
            scope.spawn(move || flip(ports, n as u32, &stopped));
        }
        let (ports, stopping) = (cluster.ports[0], stopped.clone());
        scope.spawn(move || redefine(ports, &stopping));
        let since = Instant::now();
        let (mut compared, mut left_out) = (vec![0.0; 3], false);
        let unsettled = "SELECT COUNT(*) FROM marmot.verification WHERE state LIKE 'OK, but for %'";
        while since.elapsed() < Duration::from_secs(45) {
            std::thread::sleep(Duration::from_secs(1));
            compared = totals(&cluster, "marmot_verify_rows_total");
            left_out |= !cluster.all(|node| node.rows(unsettled) == ["0"]);
        }
        stopped.store(true, Ordering::Relaxed);
        assert!(left_out, "no row was seen that differed only because it had just been written");
        assert!(compared.iter().all(|rows| *rows > 10_000.0), "little was compared: {compared:?}");
    });
    assert!(written.load(Ordering::Relaxed) > 200, "little was written: {written:?}");
    assert_eq!(totals(&cluster, "marmot_verify_mismatches_total"), [0.0; 3], "a false alarm");
    assert_eq!(totals(&cluster, "marmot_verify_definitions"), [0.0; 3], "a false alarm, of definitions that changed");
    let differ = "SELECT COUNT(*) FROM marmot.verification WHERE mismatches + elsewhere + undecided > 0";
    assert!(cluster.all(|node| node.rows(differ) == ["0"]));
    for home in &cluster.homes {
        assert!(!log(home).contains("majority of the voting members"), "a false alarm: {}", log(home));
    }
    wait("equal nodes", || cluster.are_equal("CHECKSUM TABLE d.t, d.pair, d.without, d.flip, d.more").then_some(()));
    // And what is wrong is still found; which rows are left is chance.
    cluster.edit(2, "UPDATE t SET v = v + 1 WHERE id = (SELECT MAX(id) FROM t)");
    wait("the repair", || (totals(&cluster, "marmot_verify_repaired_total") == [0.0, 0.0, 1.0]).then_some(()));
}

/// Writes to the same rows as everybody, of all kinds, until told to stop. Conflicts are a part of it.
fn write(ports: Ports, level: &str, seed: u64, stop: &AtomicBool, written: &AtomicU64) {
    let mut client = ports.connect().expect("a login");
    client.query_drop(format!("SET marmot_write_consistency = '{level}'")).expect("a level");
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while !stop.load(Ordering::Relaxed) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (pick, id, other) = (state >> 60, (state >> 20) % 9_200, (state >> 8) % 9_200);
        let sql = match pick {
            0..=4 => format!("UPDATE d.t SET v = v + 1 WHERE id = {id}"),
            5..=6 => format!("DELETE FROM d.t WHERE id = {id}"),
            7..=8 => format!("INSERT INTO d.t VALUES ({id}, 'u{other}', 7)"),
            9 => format!("REPLACE INTO d.t VALUES ({id}, 'u{other}', 8)"),
            10 => format!("UPDATE d.t SET u = 'u{other}' WHERE id = {id}"),
            11..=12 => format!("UPDATE d.pair SET v = {id} WHERE a = 'k{}' AND b = {}", id % 7, id % 500),
            13 => format!("REPLACE INTO d.pair VALUES ('K{}', {}, 1)", id % 7, id % 500),
            14 => format!("INSERT INTO d.without VALUES ('{id}')"),
            _ => format!("DELETE FROM d.without WHERE v = '{id}'"),
        };
        // Conflicts, and values that are taken, are to be expected.
        if client.query_drop(sql).is_ok() {
            written.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Has one node's own rows go to and fro between two contents, until told to stop. On another node each is one write behind as
/// often as not, and of many some are so at every look: who compares them without leaving out what was just written takes them
/// for wrong, however often it looks.
fn flip(ports: Ports, n: u32, stop: &AtomicBool) {
    let mut client = ports.connect().expect("a login");
    client.query_drop("SET marmot_write_consistency = 'ONE'").expect("a level");
    let sql = format!("UPDATE d.flip SET v = 1 - v WHERE id % 3 = {n} AND RAND() < 0.5");
    while !stop.load(Ordering::Relaxed) {
        client.query_drop(&sql).expect("nobody else writes them");
    }
}

/// Changes definitions, until told to stop.
fn redefine(ports: Ports, stop: &AtomicBool) {
    let mut client = ports.connect().expect("a login");
    for turn in 0.. {
        let change = match turn % 4 {
            0 => "CREATE TABLE IF NOT EXISTS d.more (id INT PRIMARY KEY, v INT)",
            1 => "INSERT IGNORE INTO d.more SELECT id, v FROM d.t WHERE id < 1000",
            2 => "ALTER TABLE d.more ADD COLUMN w INT DEFAULT 5",
            _ => "ALTER TABLE d.more DROP COLUMN w",
        };
        // Whoever is in the way comes first.
        let _ = client.query_drop(change);
        // Definitions rest for longer than what is new is left alone.
        for _ in 0..if turn % 4 == 1 { 200 } else { 20 } {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Replaces a text in what a file's catalog says of its tables, wherever it is.
fn edit_catalog(file: &mut rusqlite::Connection, from: &str, to: &str) {
    assert_eq!(from.len(), to.len(), "what is around it counts bytes");
    let items = {
        let mut items = file.prepare("SELECT item, value FROM __marmot_catalog").expect("a catalog");
        let item = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?));
        items.query_map([], item).expect("items").collect::<Result<Vec<_>, _>>().expect("items")
    };
    let place = |value: &[u8]| value.windows(from.len()).position(|part| part == from.as_bytes());
    let found = items.into_iter().find_map(|(item, value)| place(&value).map(|at| (item, value, at)));
    let (item, mut value, at) = found.expect("the text");
    value[at..at + to.len()].copy_from_slice(to.as_bytes());
    let put = "UPDATE __marmot_catalog SET value = ?1 WHERE item = ?2";
    assert_eq!(file.execute(put, (value, item)).expect("it is put"), 1);
}

#[test]
fn a_definition_edited_on_one_of_three_nodes_is_said_and_left_alone() {
    let mut cluster = Cluster::start::<3>();
    let node = cluster.node(0);
    node.run("CREATE DATABASE d");
    node.run("CREATE TABLE d.t (id INT PRIMARY KEY, v INT COMMENT 'as it was made')");
    node.run("CREATE TABLE d.u (id INT PRIMARY KEY, v INT)");
    node.run("INSERT INTO d.t VALUES (1, 1)");
    let state = |cluster: &Cluster, n: usize, table: &str| {
        let sql = format!("SELECT state FROM marmot.verification WHERE database_name = 'd' AND table_name = '{table}'");
        cluster.node(n).rows(&sql).pop().unwrap_or_default()
    };
    let say = |cluster: &Cluster, n: usize, table: &str, what: &str| {
        wait(what, || state(cluster, n, table).contains(what).then_some(()));
    };
    let definitions = |cluster: &Cluster| totals(cluster, "marmot_verify_definitions");
    for n in 0..3 {
        ["t", "u"].iter().for_each(|table| say(&cluster, n, table, "OK"));
    }
    assert_eq!(definitions(&cluster), [0.0; 3]);

    // In SQLite's schema, while the node runs; and what the catalog says, while it does not.
    cluster.edit(1, "CREATE INDEX by_hand ON u(v)");
    cluster.stop(2);
    let mut file = rusqlite::Connection::open(cluster.homes[2].join("data/d.db")).expect("it opens");
    edit_catalog(&mut file, "as it was made", "as it was bent");
    drop(file);
    cluster.start_again(2);

    say(&cluster, 1, "u", "DIFFERENT DEFINITION: a majority has another one");
    say(&cluster, 2, "t", "DIFFERENT DEFINITION: a majority has another one");
    say(&cluster, 0, "u", "node 2 has another definition");
    say(&cluster, 0, "t", "node 3 has another definition");
    wait("the counts", || (definitions(&cluster) == [0.0, 1.0, 1.0]).then_some(()));
    for n in [1, 2] {
        let said = log(&cluster.homes[n]);
        assert!(said.contains("somebody edited a file") && said.contains("move d.db"), "{said}");
        let page = get(cluster.admin[n], "/status.json");
        assert!(page.contains("differs from another node's: the log says what to do"), "{page}");
    }
    assert!(!log(&cluster.homes[0]).contains("somebody edited a file"), "{}", log(&cluster.homes[0]));
    assert_eq!(totals(&cluster, "marmot_verify_mismatches_total"), [0.0; 3], "no row differs, nor is one touched");

    // Taken back the one, fetched anew the other, as the log says.
    cluster.edit(1, "DROP INDEX by_hand");
    cluster.stop(2);
    for file in ["d.db", "d.db-wal", "d.db-shm"] {
        // The log of writes may have been folded.
        let _ = std::fs::remove_file(cluster.homes[2].join("data").join(file));
    }
    cluster.start_again(2);
    wait("no counts", || (definitions(&cluster) == [0.0; 3]).then_some(()));
    for n in 0..3 {
        ["t", "u"].iter().for_each(|table| say(&cluster, n, table, "OK"));
    }
    assert_eq!(cluster.node(2).rows("SELECT * FROM d.t"), ["1,1"]);
}

#[test]
fn a_round_begins_when_it_is_asked_for() {
    let cluster = Cluster::start_with::<2>(ASKED);
    let node = cluster.node(0);
    node.run("CREATE DATABASE d");
    node.run("CREATE TABLE d.t (id INT PRIMARY KEY, u VARCHAR(40), v INT)");
    node.run("INSERT INTO d.t VALUES (1, 'one', 1), (2, 'two', 2)");
    wait("the data", || cluster.are_equal("CHECKSUM TABLE d.t").then_some(()));
    let rounds = "SELECT COUNT(*) FROM marmot.verification";
    assert!(cluster.all(|node| node.rows(rounds) == ["0"]), "nothing was compared by itself");
    node.run("ALTER CLUSTER VERIFY");
    assert_eq!(cluster.compared(0, "t"), "2 0 0 0 0 OK");
    assert_eq!(cluster.node(1).rows(rounds), ["0"], "on the node that was asked");
    cluster.edit(0, "UPDATE t SET v = 7 WHERE id = 2");
    wait("the next one", || {
        // As long as the row was written a moment ago, it is left out.
        node.run("ALTER CLUSTER VERIFY");
        cluster.compared(0, "t").contains("2 1 0 1 0 DIFFERENT").then_some(())
    });
    node.run("CREATE USER ann");
    let mut ann = node.connect_as("ann", "").expect("a login");
    let refused = ann.query_drop("ALTER CLUSTER VERIFY").expect_err("she has no right to").to_string();
    assert!(refused.contains("1227"), "{refused}");
}

#[test]
fn a_node_alone_says_why_nothing_is_compared() {
    let cluster = Cluster::start::<1>();
    cluster.node(0).run("CREATE DATABASE d");
    let states = "SELECT state FROM marmot.verification WHERE database_name = 'd'";
    let alone = "skipped: no other voting member is alive".to_string();
    wait("a reason", || cluster.node(0).rows(states).contains(&alone).then_some(()));
}

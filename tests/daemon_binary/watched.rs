//! What a node tells those who watch it: the admin address, the slow-query log, and the lines of one transaction on all nodes.

use crate::process::{Daemon, Ports, command, free_port, log, wait};
use mysql::prelude::Queryable;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

/// Silence is noticed soon.
const QUICK: &str = "[cluster]\ngossip_interval_ms = 100\nsuspect_timeout_ms = 300\ndead_timeout_ms = 600\n[logging]\nlevel = \"debug\"\n";

/// Status and body of a GET, with more header lines.
fn ask(port: u16, path: &str, more: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_string()))
}

pub fn get(port: u16, path: &str) -> (u16, String) {
    wait(path, || ask(port, path, ""))
}

/// Samples of the text format by name and labels. The format is checked on the way: each sample belongs to the family
/// announced above it, with HELP and TYPE.
pub fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    let (mut family, mut kind) = ("", "");
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, help] => {
                assert!(!help.trim().is_empty(), "{line}");
                family = name;
            }
            ["#", "TYPE", name, of] => {
                assert_eq!(name, family, "TYPE follows HELP");
                kind = of;
            }
            _ => {
                let (series, value) = line.rsplit_once(' ').expect("a value");
                let name = series.split('{').next().expect("a name");
                let base = match kind {
                    "histogram" => ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)),
                    "counter" | "gauge" => Some(name),
                    other => panic!("a family of type {other}"),
                };
                assert_eq!(base, Some(family), "{line}");
                assert!(series.len() == name.len() || series.ends_with('}'), "{line}");
                let value: f64 = value.replace("+Inf", "inf").parse().expect("a number");
                assert!(found.insert(series.to_string(), value).is_none(), "{series} is there twice");
            }
        }
    }
    found
}

/// What looks like a metric's name in a text.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("marmot_") || word.starts_with("process_")).map(str::to_string).collect()
}

#[test]
fn metrics_move_when_statements_run() {
    let home = tempfile::tempdir().expect("a directory");
    let admin = free_port();
    let daemon = Daemon::start(home.path(), &["--admin-addr", &format!("127.0.0.1:{admin}")]);
    let mut client = daemon.connect().expect("a login");
    let mut run = |sql: &str| client.query_drop(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    run("CREATE DATABASE d");
    run("CREATE TABLE d.t (id INT PRIMARY KEY, v INT)");
    let metrics = || samples(&get(admin, "/metrics").1);
    // The client that waited for an answer is gone.
    wait("one connection", || (metrics()["marmot_connections"] == 1.0).then_some(()));
    let before = metrics();
    (0..5).for_each(|id| run(&format!("INSERT INTO d.t VALUES ({id}, 0)")));
    ["SELECT * FROM d.t", "BEGIN", "UPDATE d.t SET v = 1"].iter().for_each(|sql| run(sql));
    let after = metrics();
    let gained = |series: &str| after[series] - before[series];
    assert_eq!(gained("marmot_statement_seconds_count{class=\"write\"}"), 6.0);
    assert_eq!(gained("marmot_statement_seconds_count{class=\"read\"}"), 1.0);
    assert_eq!(gained("marmot_commit_seconds_count"), 5.0);
    assert_eq!(gained("marmot_commit_phase_seconds_count{phase=\"apply\"}"), 5.0);
    assert!(gained("marmot_statement_seconds_sum{class=\"write\"}") > 0.0);
    assert!(gained("marmot_disk_sync_seconds_count{file=\"redo\"}") >= 1.0);
    assert!(gained("marmot_client_bytes_total{direction=\"sent\"}") > 0.0);
    assert_eq!(after["marmot_open_transactions"], 1.0);
    assert_eq!(after["marmot_connections"], 1.0);
    assert_eq!(after["marmot_ready"], 1.0);
    assert!(after["process_resident_memory_bytes"] > 1e6);
    let buckets: Vec<f64> =
        after.iter().filter(|(s, _)| s.starts_with("marmot_commit_seconds_bucket")).map(|(_, n)| *n).collect();
    assert!(buckets.len() > 10 && buckets.contains(&after["marmot_commit_seconds_count"]), "{buckets:?}");
    let page = get(admin, "/").1;
    assert!(page.contains("script.js") && get(admin, "/script.js").0 == 200 && get(admin, "/style.css").0 == 200);
    let picture = get(admin, "/status.json").1;
    assert!(picture.starts_with('{') && picture.contains("\"open_transactions\":1"), "{picture}");
    assert_eq!(get(admin, "/nothing").0, 404);
    assert_eq!(get(admin, "/healthz"), (200, "ok\n".to_string()));
}

#[test]
fn a_token_is_asked_for() {
    let home = tempfile::tempdir().expect("a directory");
    let admin = free_port();
    let mut with_token = command(home.path());
    with_token.env("MARMOT_ADMIN_TOKEN", "open sesame");
    let flags = ["--admin-addr", &format!("127.0.0.1:{admin}")];
    let mut daemon = Daemon::launch_through(with_token, home.path(), &flags);
    daemon.wait_until_it_answers(home.path());
    assert_eq!(get(admin, "/metrics").0, 401);
    assert_eq!(get(admin, "/").0, 401);
    assert_eq!(get(admin, "/healthz").0, 200);
    let with = |said: &str| ask(admin, "/metrics", &format!("Authorization: {said}\r\n")).map(|(status, _)| status);
    assert_eq!(with("Bearer open sesame"), Some(200));
    assert_eq!(with("Bearer open"), Some(401));
    assert!(!log(home.path()).contains("sesame"), "{}", log(home.path()));
}

struct Cluster {
    homes: Vec<tempfile::TempDir>,
    nodes: Vec<Option<Daemon>>,
    ports: Vec<Ports>,
    admin: Vec<u16>,
}

impl Cluster {
    fn start(size: usize) -> Cluster {
        let homes: Vec<_> = (0..size).map(|_| tempfile::tempdir().expect("a directory")).collect();
        let ports = homes.iter().map(|_| Ports { mysql: free_port(), cluster: free_port() }).collect();
        let admin = homes.iter().map(|_| free_port()).collect();
        let mut cluster = Cluster { nodes: homes.iter().map(|_| None).collect(), homes, ports, admin };
        for i in 0..size {
            std::fs::write(cluster.home(i).join("m.toml"), QUICK).expect("a file");
            cluster.launch(i);
        }
        (0..size).for_each(|i| cluster.wait_until_ready(i));
        let all = format!("marmot_alive_voters {size}\n");
        (0..size)
            .for_each(|i| wait("all to be seen", || get(cluster.admin[i], "/metrics").1.contains(&all).then_some(())));
        cluster
    }

    fn home(&self, i: usize) -> &Path {
        self.homes[i].path()
    }

    fn launch(&mut self, i: usize) {
        let seed = format!("127.0.0.1:{}", self.ports[0].cluster);
        let (id, admin) = ((i + 1).to_string(), format!("127.0.0.1:{}", self.admin[i]));
        let mut flags = vec!["--config", "m.toml", "--node-id", &id, "--admin-addr", &admin];
        if i > 0 {
            flags.extend(["--seeds", &seed]);
        }
        let mut node = Daemon::launch_on(self.ports[i], self.homes[i].path(), &flags);
        node.wait_until_it_answers(self.homes[i].path());
        self.nodes[i] = Some(node);
    }

    fn wait_until_ready(&self, i: usize) {
        wait("a node to be ready", || (get(self.admin[i], "/readyz").0 == 200).then_some(()));
    }

    fn node(&self, i: usize) -> &Daemon {
        self.nodes[i].as_ref().expect("it runs")
    }
}

#[test]
fn a_node_without_a_majority_is_not_ready() {
    let mut cluster = Cluster::start(3);
    for i in [1, 2] {
        cluster.nodes[i].take().expect("it runs").kill();
    }
    let (_, why) =
        wait("readiness to end", || Some(get(cluster.admin[0], "/readyz")).filter(|(status, _)| *status == 503));
    assert!(why.starts_with("no majority: 1 of 3 voting members are alive, 2 are needed"), "{why}");
    assert_eq!(get(cluster.admin[0], "/healthz").0, 200, "a restart would not help");
    let picture = get(cluster.admin[0], "/status.json").1;
    assert!(picture.contains("Not ready: no majority") && picture.contains("is away"), "{picture}");
    cluster.launch(1);
    cluster.wait_until_ready(0);
    cluster.wait_until_ready(1);
}

/// What the README says to watch, and what the dashboard and the rules in `examples/` ask for, is there.
#[test]
fn every_metric_that_is_written_of_exists() {
    let cluster = Cluster::start(2);
    let text = get(cluster.admin[0], "/metrics").1;
    let found = samples(&text);
    let mut exist: BTreeSet<String> = names(&text);
    exist.extend(found.keys().map(|series| series.split('{').next().expect("a name").to_string()));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let readme = read("README.md");
    let monitoring = readme.split("\n## ").find(|part| part.starts_with("Monitoring")).expect("a section");
    for (what, text, least) in [
        ("README.md", monitoring, 10),
        ("the dashboard", &read("examples/grafana/marmot.json"), 15),
        ("the rules", &read("examples/grafana/rules.yml"), 8),
    ] {
        let named = names(text);
        // Variables of SQL and names of tables are told apart by what they are followed by in none of these texts.
        let missing: Vec<_> = named.difference(&exist).collect();
        assert!(missing.is_empty(), "{what} names {missing:?}");
        assert!(named.len() >= least, "{what} names only {named:?}");
    }
    assert_eq!(found.keys().filter(|series| series.starts_with("marmot_peer_alive{")).count(), 1);
}

#[test]
fn the_lines_of_a_transaction_carry_its_id_on_every_node() {
    let cluster = Cluster::start(2);
    cluster.node(0).run("CREATE DATABASE d");
    cluster.node(0).run("CREATE TABLE d.t (id INT PRIMARY KEY)");
    cluster.node(0).run("INSERT INTO d.t VALUES (1)");
    let ends = "answers committed";
    let line = log(cluster.home(0)).lines().rfind(|l| l.contains(ends)).map(str::to_string).expect("a line");
    let id = line.rsplit(' ').next().expect("a word");
    assert!(id.starts_with("id=n1:"), "{line}");
    let lines = |i: usize| -> String {
        let of_it = |l: &&str| l.ends_with(id);
        log(cluster.home(i)).lines().filter(of_it).collect::<Vec<_>>().join("\n")
    };
    for said in ["says prepare to=n2", "applies", ends] {
        assert!(lines(0).contains(said), "{said}: {}", lines(0));
    }
    wait("the other to apply it", || lines(1).contains("applies").then_some(()));
    assert!(lines(1).contains("heard prepare from=n1"), "{}", lines(1));
}

#[test]
fn slow_statements_are_logged() {
    let home = tempfile::tempdir().expect("a directory");
    std::fs::write(home.path().join("m.toml"), "[logging]\nslow_query_log = true\nlong_query_time_ms = 50\n")
        .expect("a file");
    let daemon = Daemon::start(home.path(), &["--config", "m.toml"]);
    assert_eq!(daemon.rows("SELECT @@long_query_time, @@slow_query_log, @@global.long_query_time"), ["0.05,1,0.05"]);
    daemon.rows("SELECT SLEEP(0.1), 'open' AS password, 'sesame'");
    daemon.rows("SELECT 'quick'");
    let logged = log(home.path());
    let lines: Vec<&str> = logged.lines().filter(|line| line.contains("slow statement")).collect();
    assert_eq!(lines.len(), 1, "{logged}");
    assert!(
        lines[0].contains("SELECT SLEEP(0.1), 'open' AS password, '***'") && !logged.contains("sesame"),
        "{logged}"
    );
    assert_eq!(daemon.rows("SHOW GLOBAL STATUS LIKE 'Slow_queries'"), ["Slow_queries,1"]);
}

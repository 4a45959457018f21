//! Three nodes as processes of this machine, and clients of them.

use mysql::prelude::Queryable;
use mysql::{Conn, Error, OptsBuilder};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Nodes are numbered from 0 in here.
pub const NODES: usize = 3;

const ALIVE_VOTERS: &str = "SELECT COUNT(*) FROM marmot.cluster_nodes WHERE state = 'ALIVE' AND voter = 1";

/// A running cluster; dropped, its processes end.
pub struct Cluster {
    binary: PathBuf,
    directory: tempfile::TempDir,
    mysql_port: u16,
    cluster_port: u16,
    nodes: Vec<Option<Child>>,
}

fn port(variable: &str, default: u16) -> u16 {
    std::env::var(variable).ok().and_then(|p| p.parse().ok()).unwrap_or(default)
}

impl Cluster {
    /// Three nodes that see three voting members each.
    pub fn start() -> Result<Cluster, String> {
        let binary = PathBuf::from(std::env::var("MARMOT").map_err(|_| "MARMOT must name the binary to test")?);
        let mut cluster = Cluster {
            binary,
            directory: tempfile::tempdir().map_err(|e| e.to_string())?,
            mysql_port: port("ACCEPTANCE_MYSQL_PORT", 3610),
            cluster_port: port("ACCEPTANCE_CLUSTER_PORT", 8410),
            nodes: Vec::new(),
        };
        for node in 0..NODES {
            cluster.nodes.push(None);
            cluster.launch(node)?;
            cluster.wait_until_it_answers(node)?;
        }
        for node in 0..NODES {
            cluster.wait_for(node, ALIVE_VOTERS, "3", Duration::from_secs(60))?;
        }
        Ok(cluster)
    }

    pub fn port(&self, node: usize) -> u16 {
        self.mysql_port + node as u16
    }

    fn path(&self, node: usize, what: &str) -> PathBuf {
        self.directory.path().join(format!("node{node}{what}"))
    }

    /// Starts the node's process, without waiting for it.
    pub fn launch(&mut self, node: usize) -> Result<(), String> {
        let log = File::options().create(true).append(true).open(self.path(node, ".log")).map_err(|e| e.to_string())?;
        let mut command = Command::new(&self.binary);
        command.arg("--data-dir").arg(self.path(node, "")).arg("--pid-file").arg(self.path(node, ".pid"));
        command.args(["--mysql-port", &self.port(node).to_string()]);
        command.args(["--cluster-addr", &format!("127.0.0.1:{}", self.cluster_port + node as u16)]);
        if node > 0 {
            command.args(["--seeds", &format!("127.0.0.1:{}", self.cluster_port)]);
        }
        command.env_remove("MARMOT_CLUSTER_SECRET").env_remove("MARMOT_MYSQL_PASSWORD").stdin(Stdio::null());
        let errors = log.try_clone().map_err(|e| e.to_string())?;
        command.stdout(log).stderr(errors);
        let child = command.spawn().map_err(|e| format!("{} does not start: {e}", self.binary.display()))?;
        self.nodes[node] = Some(child);
        Ok(())
    }

    pub fn wait_until_it_answers(&mut self, node: usize) -> Result<(), String> {
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(60) {
            if self.connect(node).is_ok() {
                return Ok(());
            }
            if let Some(Ok(Some(status))) = self.nodes[node].as_mut().map(Child::try_wait) {
                return Err(format!("node {node} ended with {status}\n{}", self.log(node)));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("node {node} does not answer\n{}", self.log(node)))
    }

    fn signal(&self, node: usize, signal: Signal) -> Result<(), String> {
        let child = self.nodes[node].as_ref().ok_or(format!("node {node} does not run"))?;
        kill(Pid::from_raw(child.id() as i32), signal).map_err(|e| e.to_string())
    }

    /// `kill -9`.
    pub fn kill(&mut self, node: usize) -> Result<(), String> {
        self.signal(node, Signal::SIGKILL)?;
        let mut child = self.nodes[node].take().ok_or("it runs")?;
        child.wait().map(drop).map_err(|e| e.to_string())
    }

    /// The process stops in its tracks, its sockets stay open.
    pub fn freeze(&self, node: usize) -> Result<(), String> {
        self.signal(node, Signal::SIGSTOP)
    }

    pub fn thaw(&self, node: usize) -> Result<(), String> {
        self.signal(node, Signal::SIGCONT)
    }

    /// The end of what the node logged.
    pub fn log(&self, node: usize) -> String {
        let text = std::fs::read_to_string(self.path(node, ".log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        format!("-- node {node}\n{}", lines[lines.len().saturating_sub(15)..].join("\n"))
    }

    pub fn connect(&self, node: usize) -> Result<Conn, Error> {
        connect(self.port(node))
    }

    /// Runs statements without results on a node.
    pub fn run(&self, node: usize, statements: &[&str]) -> Result<(), String> {
        let mut client = self.connect(node).map_err(|e| format!("node {node}: {e}"))?;
        statements.iter().try_for_each(|sql| client.query_drop(sql).map_err(|e| format!("node {node}: {sql}: {e}")))
    }

    /// The rows of a query as text, from the node's own file.
    pub fn rows(&self, node: usize, sql: &str) -> Result<Vec<String>, String> {
        let mut client = self.connect(node).map_err(|e| format!("node {node}: {e}"))?;
        let rows: Vec<mysql::Row> = client.query(sql).map_err(|e| format!("node {node}: {sql}: {e}"))?;
        let cell = |value: mysql::Value| match value {
            mysql::Value::Bytes(text) => String::from_utf8_lossy(&text).into_owned(),
            other => other.as_sql(true),
        };
        Ok(rows.into_iter().map(|row| row.unwrap().into_iter().map(cell).collect::<Vec<_>>().join(",")).collect())
    }

    /// Waits until the query's only cell is `expected`.
    pub fn wait_for(&self, node: usize, sql: &str, expected: &str, limit: Duration) -> Result<(), String> {
        let since = Instant::now();
        loop {
            let found = self.rows(node, sql);
            if found.as_ref().is_ok_and(|rows| rows.len() == 1 && rows[0] == expected) {
                return Ok(());
            }
            if since.elapsed() > limit {
                return Err(format!(
                    "node {node}: {sql}: {found:?} after {limit:?}, not {expected}\n{}",
                    self.log(node)
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until all nodes have the same rows of `table`, and returns how many.
    pub fn wait_until_equal(&self, table: &str, limit: Duration) -> Result<usize, String> {
        let sql = format!("SELECT * FROM {table} ORDER BY 1, 2");
        let since = Instant::now();
        loop {
            let all = (0..NODES).map(|node| self.rows(node, &sql)).collect::<Result<Vec<_>, String>>();
            if let Ok(all) = &all
                && all.iter().all(|rows| *rows == all[0])
            {
                return Ok(all[0].len());
            }
            if since.elapsed() > limit {
                let logs: String = (0..NODES).map(|node| self.log(node) + "\n").collect();
                return Err(format!("{table} differs after {limit:?}: {}\n{logs}", difference(all)));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn difference(all: Result<Vec<Vec<String>>, String>) -> String {
    let all = match all {
        Ok(all) => all,
        Err(why) => return why,
    };
    let mut text = String::new();
    for (node, rows) in all.iter().enumerate() {
        let only: Vec<&String> = rows.iter().filter(|row| !all[0].contains(row)).take(3).collect();
        let lacks: Vec<&String> = all[0].iter().filter(|row| !rows.contains(row)).take(3).collect();
        text.push_str(&format!("node {node}: {} rows; beyond node 0: {only:?}; lacking: {lacks:?}. ", rows.len()));
    }
    text
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.nodes.iter_mut().flatten() {
            // A frozen process dies of SIGKILL too.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A client of the node at `port`. An answer that takes longer than half a minute is an error.
pub fn connect(port: u16) -> Result<Conn, Error> {
    let patience = Some(Duration::from_secs(30));
    let options = OptsBuilder::new()
        .ip_or_hostname(Some("127.0.0.1"))
        .tcp_port(port)
        .prefer_socket(false)
        .user(Some("root"))
        .tcp_connect_timeout(Some(Duration::from_secs(2)))
        .read_timeout(patience)
        .write_timeout(patience);
    Conn::new(options)
}

/// The error's code; `None` for what happened to the connection.
pub fn code(error: &Error) -> Option<u16> {
    match error {
        Error::MySqlError(e) => Some(e.code),
        _ => None,
    }
}

/// Whether the statement or transaction is to be run again: deadlock or lock wait time-out.
pub fn is_conflict(error: &Error) -> bool {
    matches!(code(error), Some(1213 | 1205))
}

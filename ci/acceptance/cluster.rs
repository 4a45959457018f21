//! Three nodes as processes of this machine, and clients of them.

use crate::server::Server;
use mysql::prelude::Queryable;
use mysql::{Conn, Error, OptsBuilder};
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
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
    nodes: Vec<Server>,
}

fn port(variable: &str, default: u16) -> u16 {
    std::env::var(variable).ok().and_then(|p| p.parse().ok()).unwrap_or(default)
}

/// The process of node `node`, which keeps all its files in `directory`.
fn server(binary: &Path, directory: &Path, node: usize, mysql_port: u16, cluster_port: u16) -> Server {
    let path = |what: &str| directory.join(format!("node{node}{what}")).into_os_string();
    let mut command: Vec<OsString> = vec![binary.into(), "--data-dir".into(), path(""), "--pid-file".into()];
    command.extend([path(".pid"), "--mysql-port".into(), (mysql_port + node as u16).to_string().into()]);
    command.extend(["--cluster-addr".into(), format!("127.0.0.1:{}", cluster_port + node as u16).into()]);
    if node > 0 {
        command.extend(["--seeds".into(), format!("127.0.0.1:{cluster_port}").into()]);
    }
    Server::new(format!("node {node}"), command, path(".log").into())
}

impl Cluster {
    /// Three nodes that see three voting members each.
    pub fn start() -> Result<Cluster, String> {
        let binary = PathBuf::from(std::env::var("MARMOT").map_err(|_| "MARMOT must name the binary to test")?);
        let directory = tempfile::tempdir().map_err(|e| e.to_string())?;
        let mysql_port = port("ACCEPTANCE_MYSQL_PORT", 3610);
        let cluster_port = port("ACCEPTANCE_CLUSTER_PORT", 8410);
        let server = |node| server(&binary, directory.path(), node, mysql_port, cluster_port);
        let nodes = (0..NODES).map(server).collect();
        let mut cluster = Cluster { binary, directory, mysql_port, cluster_port, nodes };
        for node in 0..NODES {
            cluster.launch(node)?;
            cluster.wait_until_it_answers(node)?;
        }
        for node in 0..NODES {
            cluster.wait_for(node, ALIVE_VOTERS, "3", Duration::from_secs(60))?;
        }
        Ok(cluster)
    }

    /// Starts one node more, without waiting for it, and returns its number.
    pub fn join(&mut self) -> Result<usize, String> {
        let node = self.nodes.len();
        self.nodes.push(server(&self.binary, self.directory.path(), node, self.mysql_port, self.cluster_port));
        self.launch(node)?;
        Ok(node)
    }

    /// How many nodes were started.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Memory of the node's process now and at most, in MB.
    pub fn memory(&self, node: usize) -> Result<(u64, u64), String> {
        self.nodes[node].memory()
    }

    pub fn port(&self, node: usize) -> u16 {
        self.mysql_port + node as u16
    }

    /// Starts the node's process, without waiting for it.
    pub fn launch(&mut self, node: usize) -> Result<(), String> {
        self.nodes[node].launch()
    }

    pub fn wait_until_it_answers(&mut self, node: usize) -> Result<(), String> {
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(60) {
            if self.connect(node).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.nodes[node].ended() {
                return Err(format!("node {node} ended with {status}\n{}", self.log(node)));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("node {node} does not answer\n{}", self.log(node)))
    }

    /// `kill -9`.
    pub fn kill(&mut self, node: usize) -> Result<(), String> {
        self.nodes[node].kill()
    }

    /// The process stops in its tracks, its sockets stay open.
    pub fn freeze(&self, node: usize) -> Result<(), String> {
        self.nodes[node].signal(Signal::SIGSTOP)
    }

    pub fn thaw(&self, node: usize) -> Result<(), String> {
        self.nodes[node].signal(Signal::SIGCONT)
    }

    /// The end of what the node logged.
    pub fn log(&self, node: usize) -> String {
        self.nodes[node].log()
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
            let all = (0..self.len()).map(|node| self.rows(node, &sql)).collect::<Result<Vec<_>, String>>();
            if let Ok(all) = &all
                && all.iter().all(|rows| *rows == all[0])
            {
                return Ok(all[0].len());
            }
            if since.elapsed() > limit {
                let logs: String = (0..self.len()).map(|node| self.log(node) + "\n").collect();
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

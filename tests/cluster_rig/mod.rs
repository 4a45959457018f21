//! Three whole nodes in this process, on real sockets and files, spoken to by a real client library.

use marmot::config::{Config, DataDir, HostPort};
use marmot::shell::spawn::here;
use marmot::shell::{Environment, Instance, Listeners, Simulation, SystemClock};
use marmot::types::NodeId;
use mysql::prelude::Queryable;
use mysql::{Conn, Error, OptsBuilder};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// How long nodes may take to find each other. Only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running cluster; its nodes and files go with it.
pub struct Cluster {
    instances: Vec<Instance>,
    clients: Vec<SocketAddr>,
    runtime: Option<Runtime>,
    _directory: tempfile::TempDir,
}

impl Cluster {
    /// `count` nodes, all of them voting members.
    pub fn start(count: usize) -> Cluster {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let runtime = Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("threads");
        let (mut instances, mut clients, mut seeds) = (Vec::new(), Vec::new(), Vec::new());
        for number in 1..=count {
            let cluster = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
            let mysql = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
            let at = cluster.local_addr().expect("it is bound");
            clients.push(mysql.local_addr().expect("it is bound"));
            let mut config = Config {
                node_id: Some(NodeId(number as u64)),
                data_dir: DataDir(directory.path().join(format!("node{number}"))),
                ..Config::default()
            };
            std::fs::create_dir(&*config.data_dir).expect("a folder in the temporary one");
            config.cluster.listen = HostPort::new("127.0.0.1", at.port());
            config.cluster.seeds = seeds.clone();
            seeds.push(config.cluster.listen.clone());
            let drawn = AtomicU64::new(number as u64);
            let listeners = Listeners { cluster, mysql, unix: None };
            let mut instance = runtime.block_on(async {
                let environment = Environment {
                    vfs: None,
                    clock: SystemClock::start(),
                    // Nonces and seeds: distinct is enough here.
                    random: Arc::new(move || drawn.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)),
                    cluster: here(),
                    clients: here(),
                    metrics: marmot::shell::Metrics::new(),
                    keys: marmot::shell::Keyring::of(&config.cluster),
                    spans: None,
                    simulation: Simulation::default(),
                };
                Instance::start(&config, environment, listeners).expect("an empty directory starts")
            });
            let ready = runtime.block_on(async {
                let waited = timeout(PATIENCE, instance.ready.wait_for(|ready| *ready)).await;
                waited.is_ok_and(|watched| watched.is_ok())
            });
            assert!(ready, "node {number} did not become a voting member");
            instances.push(instance);
        }
        Cluster { instances, clients, runtime: Some(runtime), _directory: directory }
    }

    /// A client of node `number`, counted from 1.
    pub fn connect(&self, number: usize) -> Client {
        let at = self.clients[number - 1];
        let options = OptsBuilder::new()
            .ip_or_hostname(Some("127.0.0.1"))
            .tcp_port(at.port())
            .prefer_socket(false)
            .user(Some("root"));
        Client { conn: Conn::new(options).expect("a login") }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        for instance in &self.instances {
            runtime.block_on(instance.stop());
        }
        for instance in &mut self.instances {
            // How a node ends is the daemon's test; here it only has to be over before its files go.
            let _ = runtime.block_on(async { timeout(PATIENCE, &mut instance.ended).await });
        }
        runtime.shutdown_timeout(Duration::from_secs(1));
    }
}

/// A client that says what it expects.
pub struct Client {
    conn: Conn,
}

impl Client {
    /// Statements that must succeed, without rows.
    pub fn run(&mut self, sql: &str) {
        self.conn.query_drop(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// The rows of a statement, cells between spaces, rows between commas.
    pub fn read(&mut self, sql: &str) -> String {
        let rows: Vec<mysql::Row> = self.conn.query(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
        let cell = |value: mysql::Value| match value {
            mysql::Value::NULL => "NULL".to_string(),
            other => mysql::from_value(other),
        };
        let rows = rows.into_iter().map(|row| row.unwrap().into_iter().map(cell).collect::<Vec<_>>().join(" "));
        rows.collect::<Vec<_>>().join(", ")
    }

    /// The error code of a statement that must fail.
    pub fn code(&mut self, sql: &str) -> u16 {
        match self.conn.query_drop(sql) {
            Err(Error::MySqlError(error)) => error.code,
            other => panic!("{sql}: {other:?}, not an error of the server"),
        }
    }
}

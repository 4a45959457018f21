//! The cluster under test: real processes, each on a host of its own, known to clients by its MySQL port alone.

use crate::network::{self, Links, MOST_HOSTS, Network};
use crate::server::Server;
use crate::session::{Address, Row, Session, Trouble};
use crate::{PATIENCE, galera};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SECRET: &str = "jepsen-jepsen-jepsen";
/// Room for data where the disk is to become full.
const SMALL_DISK: &str = "size=160m";
/// A node takes no more transactions when it has less room than this; so much is left on a disk that is only nearly full.
const TIGHT: u64 = 8 << 20;

/// What is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Target {
    /// The binary that MARMOT names.
    Marmot,
    /// MariaDB with Galera, as it is installed here.
    Galera,
}

/// How a cluster is made.
#[derive(Clone, Debug)]
pub struct Plan {
    pub target: Target,
    pub binary: PathBuf,
    pub nodes: usize,
    /// Where each node has a folder of its own.
    pub directory: PathBuf,
    /// Data directories are small disks.
    pub small_disks: bool,
    /// Wall clocks can be set: libfaketime, which the processes load.
    pub clocks: Option<PathBuf>,
    /// First port where hosts are only loopback addresses.
    pub port: u16,
}

/// One node, numbered from 0; its host is one more.
struct Node {
    server: Server,
    directory: PathBuf,
    /// Its identity in the cluster.
    id: u64,
    /// It may end by itself: somebody removed it.
    may_end: bool,
}

/// A running cluster; dropped, its processes end.
pub struct Cluster {
    plan: Plan,
    networked: bool,
    nodes: Vec<Node>,
    next_id: u64,
    /// What nodes did that they must not do whatever happens to them.
    pub incidents: Vec<String>,
}

impl Cluster {
    /// All nodes are up, and each sees all of them vote.
    pub fn start(plan: Plan, network: Option<&Network>) -> Result<Cluster, String> {
        if !(1..=MOST_HOSTS).contains(&plan.nodes) {
            return Err(format!("a cluster has 1 to {MOST_HOSTS} nodes"));
        }
        let mut cluster =
            Cluster { networked: network.is_some(), plan, nodes: Vec::new(), next_id: 1, incidents: Vec::new() };
        for node in 0..cluster.plan.nodes {
            let directory = cluster.plan.directory.join(format!("node{}", node + 1));
            std::fs::create_dir_all(directory.join("data")).map_err(|e| format!("{}: {e}", directory.display()))?;
            if cluster.plan.small_disks {
                let data = directory.join("data");
                mount(Some("marmot-jepsen"), &data, Some("tmpfs"), MsFlags::empty(), Some(SMALL_DISK))
                    .map_err(|e| format!("tmpfs on {}: {e}", data.display()))?;
            }
            cluster.set_clock_of(&directory, 0)?;
            let id = cluster.new_id();
            let server = cluster.server(node, &directory, id);
            cluster.nodes.push(Node { server, directory, id, may_end: false });
            cluster.launch(node)?;
            if cluster.plan.target == Target::Galera && node == 0 {
                galera::let_clients_in(&cluster.nodes[0].directory, Duration::from_secs(60))?;
            }
            cluster.wait_until_it_answers(node, Duration::from_secs(90))?;
        }
        for node in 0..cluster.plan.nodes {
            cluster.wait_for_members(node)?;
        }
        Ok(cluster)
    }

    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    pub fn target(&self) -> Target {
        self.plan.target
    }

    fn ip(&self, node: usize) -> Ipv4Addr {
        if self.networked { network::address(node + 1) } else { Ipv4Addr::LOCALHOST }
    }

    fn ports(&self, node: usize) -> (u16, u16) {
        if self.networked { (3306, 8081) } else { (self.plan.port + node as u16, self.plan.port + 10 + node as u16) }
    }

    /// Where clients of the node connect.
    pub fn address(&self, node: usize) -> Address {
        let password = if self.plan.target == Target::Marmot { SECRET } else { "" };
        Address { socket: SocketAddrV4::new(self.ip(node), self.ports(node).0), password: password.to_string() }
    }

    fn server(&self, node: usize, directory: &Path, id: u64) -> Server {
        let mut command: Vec<OsString> = Vec::new();
        if self.networked {
            command.extend(["ip", "netns", "exec", &network::namespace(node + 1)].map(Into::into));
        }
        let (mysql, peers) = self.ports(node);
        let name = format!("node {}", node + 1);
        if self.plan.target == Target::Galera {
            let others = (0..self.plan.nodes).map(|n| (self.ip(n), self.ports(n).1)).collect();
            command.extend(galera::command(directory, node, self.ip(node), mysql, others));
            return Server::new(name, command, directory.join("log"));
        }
        command.push(self.plan.binary.clone().into());
        let mut flag = |name: &str, value: String| command.extend([name.into(), value.into()]);
        flag("--data-dir", directory.join("data").display().to_string());
        flag("--pid-file", directory.join("pid").display().to_string());
        flag("--node-id", id.to_string());
        flag("--mysql-addr", format!("{}:{mysql}", self.ip(node)));
        flag("--cluster-addr", format!("{}:{peers}", self.ip(node)));
        // The first node of all begins the cluster; who comes back under a new identity joins like the others.
        if id > 1 {
            let others = (0..self.plan.nodes).filter(|other| *other != node);
            let seeds: Vec<String> = others.map(|n| format!("{}:{}", self.ip(n), self.ports(n).1)).collect();
            flag("--seeds", seeds.join(","));
        }
        let mut server = Server::new(name, command, directory.join("log"))
            .with("MARMOT_CLUSTER_SECRET", SECRET)
            .with("MARMOT_MYSQL_PASSWORD", SECRET);
        if let Some(library) = &self.plan.clocks {
            server = server
                .with("LD_PRELOAD", library)
                .with("FAKETIME_TIMESTAMP_FILE", directory.join("clock"))
                .with("FAKETIME_CACHE_DURATION", "1")
                .with("DONT_FAKE_MONOTONIC", "1")
                .with("FAKETIME_DONT_RESET", "1");
        }
        server
    }

    /// Starts the node's process, without waiting for it.
    pub fn launch(&mut self, node: usize) -> Result<(), String> {
        if self.plan.target == Target::Galera {
            galera::prepare(&self.nodes[node].directory)?;
        }
        self.nodes[node].server.launch()
    }

    pub fn wait_until_it_answers(&mut self, node: usize, limit: Duration) -> Result<(), String> {
        let since = Instant::now();
        let mut last = String::new();
        while since.elapsed() < limit {
            match self.ask(node, "SELECT 1") {
                Ok(_) => return Ok(()),
                Err(trouble) => last = trouble.text,
            }
            if let Some(status) = self.nodes[node].server.ended() {
                return Err(format!("node {} ended with {status}\n{}", node + 1, self.log(node)));
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        Err(format!("node {} does not answer for {limit:?}: {last}\n{}", node + 1, self.log(node)))
    }

    /// Waits until the node sees all members alive.
    fn wait_for_members(&self, node: usize) -> Result<(), String> {
        let sql = match self.plan.target {
            Target::Marmot => "SELECT COUNT(*) FROM marmot.cluster_nodes WHERE state = 'ALIVE' AND voter = 1",
            Target::Galera => {
                "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'wsrep_cluster_size'"
            }
        };
        let since = Instant::now();
        let expected = self.nodes.len().to_string();
        loop {
            let found = self.ask(node, sql);
            if found.as_ref().is_ok_and(|rows| rows.first().is_some_and(|row| row[0].as_ref() == Some(&expected))) {
                return Ok(());
            }
            if since.elapsed() > Duration::from_secs(60) {
                return Err(format!(
                    "node {} does not see {expected} members: {found:?}\n{}",
                    node + 1,
                    self.log(node)
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// A query on a connection of its own.
    pub fn ask(&self, node: usize, sql: &str) -> Result<Vec<Row>, Trouble> {
        Session::new(&self.address(node), &[], PATIENCE).rows(sql)
    }

    /// Statements without rows, each a transaction of its own.
    pub fn run(&self, node: usize, statements: &[String]) -> Result<(), String> {
        let mut session = Session::new(&self.address(node), &[], Duration::from_secs(60));
        statements.iter().try_for_each(|sql| match session.autocommit(sql) {
            Ok(_) => Ok(()),
            Err(trouble) => Err(format!("node {}: {sql}: {}", node + 1, trouble.text)),
        })
    }

    pub fn log(&self, node: usize) -> String {
        self.nodes[node].server.log()
    }

    pub fn is_up(&self, node: usize) -> bool {
        self.nodes[node].server.is_launched()
    }

    pub fn kill(&mut self, node: usize) -> Result<(), String> {
        self.nodes[node].server.kill()
    }

    /// `kill -9` of several at once: all get the signal before the first is waited for.
    pub fn kill_together(&mut self, nodes: &[usize]) -> Result<(), String> {
        nodes.iter().try_for_each(|node| self.nodes[*node].server.signal(Signal::SIGKILL))?;
        nodes.iter().try_for_each(|node| self.nodes[*node].server.kill())
    }

    pub fn freeze(&self, node: usize) -> Result<(), String> {
        self.nodes[node].server.signal(Signal::SIGSTOP)
    }

    pub fn thaw(&self, node: usize) -> Result<(), String> {
        self.nodes[node].server.signal(Signal::SIGCONT)
    }

    /// Notes the nodes whose processes ended by themselves.
    pub fn notice_deaths(&mut self) {
        for (number, node) in self.nodes.iter_mut().enumerate() {
            if let Some(status) = node.server.ended()
                && !node.may_end
            {
                let log = node.server.log();
                self.incidents.push(format!("node {} ended by itself with {status}\n{log}", number + 1));
            }
        }
    }

    /// Starts all that do not run and returns when all answer.
    pub fn start_all(&mut self) -> Result<(), String> {
        self.notice_deaths();
        for node in 0..self.nodes.len() {
            if !self.is_up(node) {
                self.launch(node)?;
            }
        }
        (0..self.nodes.len()).try_for_each(|node| self.wait_until_it_answers(node, Duration::from_secs(60)))
    }

    /// Sets the wall clock of a node's process off by so many milliseconds. It notices within a second.
    pub fn set_clock(&self, node: usize, offset_ms: i64) -> Result<(), String> {
        self.set_clock_of(&self.nodes[node].directory, offset_ms)
    }

    fn set_clock_of(&self, directory: &Path, offset_ms: i64) -> Result<(), String> {
        let text = format!(
            "{}{}.{:03}\n",
            if offset_ms < 0 { '-' } else { '+' },
            offset_ms.abs() / 1000,
            offset_ms.abs() % 1000
        );
        let fresh = directory.join("clock.new");
        std::fs::write(&fresh, text)
            .and_then(|()| std::fs::rename(&fresh, directory.join("clock")))
            .map_err(|e| e.to_string())
    }

    pub fn has_clocks(&self) -> bool {
        self.plan.clocks.is_some()
    }

    pub fn has_small_disks(&self) -> bool {
        self.plan.small_disks
    }

    /// Writes until little more fits on the node's disk, or nothing at all. Either way the node may not end.
    pub fn fill_disk(&mut self, node: usize, to_the_last_byte: bool) -> Result<(), String> {
        let data = self.nodes[node].directory.join("data");
        let failed = |e: &dyn std::fmt::Display| format!("filling the disk of node {}: {e}", node + 1);
        let mut file = std::fs::File::create(data.join("ballast")).map_err(|e| failed(&e))?;
        let room = || nix::sys::statvfs::statvfs(&data).map(|s| s.blocks_available() * s.fragment_size());
        for size in [1 << 20, 4096] {
            let zeros = vec![0; size];
            while to_the_last_byte || room().map_err(|e| failed(&e))? > TIGHT {
                if file.write_all(&zeros).is_err() {
                    break;
                }
            }
        }
        Ok(())
    }

    pub fn free_disk(&self, node: usize) -> Result<(), String> {
        match std::fs::remove_file(self.nodes[node].directory.join("data/ballast")) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e.to_string()),
            _ => Ok(()),
        }
    }

    /// Takes a node's vote away on another node, and waits for its process to end; what the cluster says if it refuses.
    pub fn remove(&mut self, node: usize, on: usize) -> Result<(), Trouble> {
        let sql = format!("ALTER CLUSTER REMOVE NODE {}", self.nodes[node].id);
        self.nodes[node].may_end = true;
        let mut session = Session::new(&self.address(on), &[], PATIENCE);
        if let Err(trouble) = session.autocommit(&sql)
            && !trouble.unknown
        {
            self.nodes[node].may_end = false;
            return Err(trouble);
        }
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(5) && self.nodes[node].server.ended().is_none() {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Whether no voter has the node's identity any more, as node `on` knows it.
    fn is_removed(&self, node: usize, on: usize) -> bool {
        let sql = format!("SELECT COUNT(*) FROM marmot.cluster_nodes WHERE voter = 1 AND id = {}", self.nodes[node].id);
        self.ask(on, &sql).is_ok_and(|rows| rows == [vec![Some("0".to_string())]])
    }

    /// A removed node comes back with an empty data directory and a new identity; returns when it votes. One that was not removed after all only
    /// starts again.
    pub fn rejoin(&mut self, node: usize, on: usize) -> Result<(), String> {
        let since = Instant::now();
        while !self.is_removed(node, on) {
            if since.elapsed() > Duration::from_secs(10) {
                self.nodes[node].may_end = false;
                return self.start_all();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        if self.is_up(node) {
            self.kill(node)?;
        }
        let id = self.new_id();
        let directory = self.nodes[node].directory.clone();
        let data = directory.join("data");
        let entries = std::fs::read_dir(&data).map_err(|e| e.to_string())?;
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) }
                .map_err(|e| e.to_string())?;
        }
        let server = self.server(node, &directory, id);
        self.nodes[node] = Node { server, directory, id, may_end: false };
        self.launch(node)?;
        self.wait_until_it_answers(node, Duration::from_secs(60))?;
        self.wait_for_members(node)
    }

    /// Removes the data; what was logged stays.
    pub fn discard_data(mut self) {
        let directories: Vec<PathBuf> = self.nodes.drain(..).map(|node| node.directory).collect();
        for directory in directories {
            let _ = umount2(&directory.join("data"), MntFlags::MNT_DETACH);
            let _ = std::fs::remove_dir_all(directory.join("data"));
        }
    }

    /// Lines of the logs that no node should ever write.
    pub fn panics(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (number, node) in self.nodes.iter().enumerate() {
            let text = std::fs::read(node.directory.join("log")).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let panics = text.lines().filter(|line| line.contains("panicked at"));
            found.extend(panics.map(|line| format!("node {}: {line}", number + 1)));
        }
        found
    }
}

/// The links of hosts, by the numbers of their nodes.
pub fn link(links: &Links, from: usize, to: usize, rule: network::Rule) {
    links.set(from + 1, to + 1, rule);
}

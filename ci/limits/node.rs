//! One node as a process, and what the operating system says of it.

use crate::setting;
use mysql::{Conn, OptsBuilder};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for a node to answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// A node, numbered from 0; dropped, its process ends.
pub struct Node {
    number: u16,
    directory: PathBuf,
    environment: Vec<(String, OsString)>,
    child: Option<Child>,
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Node {
    /// Its data and log are in `directory`. Nothing is started yet.
    pub fn new(number: u16, directory: &Path) -> Node {
        Node { number, directory: directory.join(format!("node{number}")), environment: Vec::new(), child: None }
    }

    pub fn with(mut self, variable: &str, value: impl Into<OsString>) -> Node {
        self.environment.push((variable.into(), value.into()));
        self
    }

    pub fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn port(&self) -> u16 {
        setting("LIMITS_PORT", 21_500) as u16 + self.number
    }

    /// Starts the process, and returns after how long it answered a statement.
    pub fn start(&mut self) -> Result<Duration, String> {
        let binary = std::env::var("MARMOT").map_err(|_| "MARMOT must name the binary to measure")?;
        std::fs::create_dir_all(&self.directory).map_err(text)?;
        let log = File::options().create(true).append(true).open(self.directory.join("log")).map_err(text)?;
        let config = self.directory.join("marmot.toml");
        std::fs::write(&config, "[mysql]\nmax_connections = 20000\n").map_err(text)?;
        let cluster = setting("LIMITS_PORT", 21_500) as u16 + 50;
        let mut command = Command::new(binary);
        command.arg("--config").arg(config).arg("--data-dir").arg(self.data());
        command.args(["--mysql-port", &self.port().to_string()]);
        command.args(["--cluster-addr", &format!("127.0.0.1:{}", cluster + self.number)]);
        if self.number > 0 {
            command.args(["--seeds", &format!("127.0.0.1:{cluster}")]);
        }
        command.env_remove("MARMOT_CLUSTER_SECRET").env_remove("MARMOT_MYSQL_PASSWORD");
        command.envs(self.environment.iter().cloned()).stdin(Stdio::null());
        command.stdout(log.try_clone().map_err(text)?).stderr(log);
        let since = Instant::now();
        self.child = Some(command.spawn().map_err(text)?);
        while since.elapsed() < PATIENCE {
            if let Ok(mut client) = self.connect()
                && mysql::prelude::Queryable::query_drop(&mut client, "SELECT 1").is_ok()
            {
                return Ok(since.elapsed());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Err(format!("node {} does not answer:\n{}", self.number, self.log()))
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    pub fn connect(&self) -> Result<Conn, mysql::Error> {
        let options = OptsBuilder::new().ip_or_hostname(Some("127.0.0.1")).tcp_port(self.port());
        let patience = Some(Duration::from_secs(60));
        Conn::new(options.prefer_socket(false).user(Some("root")).read_timeout(patience).write_timeout(patience))
    }

    fn pid(&self) -> Option<i32> {
        self.child.as_ref().and_then(|child| i32::try_from(child.id()).ok())
    }

    pub fn signal(&self, signal: Signal) -> Result<(), String> {
        kill(Pid::from_raw(self.pid().ok_or("it does not run")?), signal).map_err(text)
    }

    /// SIGTERM; returns when it has ended.
    pub fn stop(&mut self) -> Result<(), String> {
        self.signal(Signal::SIGTERM)?;
        let mut child = self.child.take().ok_or("it does not run")?;
        let status = child.wait().map_err(text)?;
        if status.success() { Ok(()) } else { Err(format!("it ended with {status}:\n{}", self.log())) }
    }

    fn proc(&self, file: &str) -> String {
        self.pid().and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok()).unwrap_or_default()
    }

    fn field(&self, file: &str, name: &str) -> u64 {
        let text = self.proc(file);
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim().trim_end_matches(" kB").trim().parse().unwrap_or(0)
    }

    /// Resident memory in kB.
    pub fn resident_kb(&self) -> u64 {
        self.field("status", "VmRSS:")
    }

    /// The most resident memory there was, in MB.
    pub fn peak_mb(&self) -> u64 {
        self.field("status", "VmHWM:") / 1024
    }

    /// What it has read since its start, from disk or cache, in kB.
    pub fn read_kb(&self) -> u64 {
        self.field("io", "rchar:") / 1024
    }

    /// Processor time since its start, in ms: fields 14 and 15 of proc_pid_stat(5), which are in hundredths of a second.
    pub fn processor_ms(&self) -> u64 {
        let stat = self.proc("stat");
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        10 * fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>()
    }

    pub fn descriptors(&self) -> usize {
        let pid = self.pid().unwrap_or(0);
        std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
    }

    /// "12 MB, 34 open files".
    pub fn sizes(&self) -> String {
        format!("{} MB resident, {} open files", self.resident_kb() / 1024, self.descriptors())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(child) = self.child.as_mut() {
            // A stopped process dies of SIGKILL too.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The latency that this share of them does not exceed.
pub fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

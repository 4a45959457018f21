//! A server process that is started, killed, frozen and started again.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

/// One server; dropped, its process ends.
pub struct Server {
    name: String,
    command: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    log: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// `command` is the program and its arguments; what it prints is added to `log`. Nothing is started yet.
    pub fn new(name: impl Into<String>, command: Vec<OsString>, log: PathBuf) -> Server {
        Server { name: name.into(), command, environment: Vec::new(), log, child: None }
    }

    /// Sets a variable of its environment.
    pub fn with(mut self, variable: impl Into<OsString>, value: impl Into<OsString>) -> Server {
        self.environment.push((variable.into(), value.into()));
        self
    }

    /// Starts the process, without waiting for it. Secrets of the environment are not handed down.
    pub fn launch(&mut self) -> Result<(), String> {
        let failed = |e: std::io::Error| format!("{} does not start: {e}", self.name);
        let log = File::options().create(true).append(true).open(&self.log).map_err(failed)?;
        let (program, arguments) = self.command.split_first().ok_or("there is no program to start")?;
        let mut command = Command::new(program);
        command.args(arguments).env_remove("MARMOT_CLUSTER_SECRET").env_remove("MARMOT_MYSQL_PASSWORD");
        command.envs(self.environment.iter().cloned()).stdin(Stdio::null());
        let errors = log.try_clone().map_err(failed)?;
        command.stdout(log).stderr(errors);
        self.child = Some(command.spawn().map_err(failed)?);
        Ok(())
    }

    pub fn is_launched(&self) -> bool {
        self.child.is_some()
    }

    pub fn signal(&self, signal: Signal) -> Result<(), String> {
        let child = self.child.as_ref().ok_or(format!("{} does not run", self.name))?;
        kill(Pid::from_raw(child.id() as i32), signal).map_err(|e| e.to_string())
    }

    /// `kill -9`; returns when the process is gone.
    pub fn kill(&mut self) -> Result<(), String> {
        self.signal(Signal::SIGKILL)?;
        let mut child = self.child.take().ok_or("it runs")?;
        child.wait().map(drop).map_err(|e| e.to_string())
    }

    /// How the process ended if it did so by itself; it counts as not launched then.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        self.child = None;
        Some(status)
    }

    /// Resident memory now and at most, in MB, as the kernel counts it.
    pub fn memory(&self) -> Result<(u64, u64), String> {
        let child = self.child.as_ref().ok_or(format!("{} does not run", self.name))?;
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).map_err(|e| e.to_string())?;
        let megabytes = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kb| kb / 1024)
        };
        megabytes("VmRSS").zip(megabytes("VmHWM")).ok_or("the kernel does not say".to_string())
    }

    /// The end of what it logged.
    pub fn log(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        format!("-- {}\n{}", self.name, lines[lines.len().saturating_sub(15)..].join("\n"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = self.child.as_mut() {
            // A frozen process dies of SIGKILL too.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

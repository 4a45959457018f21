//! Going to the background.

use super::logging::{self, LOG_FILE};
use super::readiness::{Readiness, read_answer};
use std::io::{self, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// How often a waiting parent says that it still waits.
const PROGRESS: Duration = Duration::from_secs(5);

/// Parent: starts this program again with the same arguments and `--detached`, and waits until it is ready, failed or
/// died. The error is a sentence that names the log. Recovery and joining take as long as they take: there is no
/// timeout, but a line every few seconds.
pub fn start_in_background(data_dir: &Path) -> Result<String, String> {
    let log = data_dir.join(LOG_FILE);
    let failed = |error: io::Error| format!("cannot start in the background: {error}");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(failed)?;
    let stderr = logging::open(&log).map_err(|error| format!("the log {}: {error}", log.display()))?;
    let mut child = Command::new(std::env::current_exe().map_err(failed)?)
        .args(std::env::args_os().skip(1))
        .arg("--detached")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .map_err(failed)?;
    let pid = child.id();
    let Some(pipe) = child.stdout.take() else {
        return Err("cannot start in the background: there is no pipe to the new process".to_string());
    };
    let (answer, answered) = channel();
    std::thread::spawn(move || answer.send(read_answer(BufReader::new(pipe))));
    loop {
        match answered.recv_timeout(PROGRESS) {
            Ok(Ok(text)) => return Ok(format!("process {pid} is ready: {text}")),
            Ok(Err(why)) => {
                // It is about to end; its exit status adds what it could not say (a signal, for instance).
                let status = child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
                return Err(format!("could not start: {why} ({status}; log: {})", log.display()));
            }
            Err(RecvTimeoutError::Timeout) => eprintln!("process {pid} is starting; log: {}", log.display()),
            Err(RecvTimeoutError::Disconnected) => return Err("the wait for the new process was cut off".to_string()),
        }
    }
}

/// Child: leaves the terminal and its process group, so that neither Ctrl-C nor closing the terminal reaches it, and
/// returns the way to the parent.
pub fn become_background() -> Result<Readiness, String> {
    nix::unistd::setsid().map_err(|error| format!("cannot leave the terminal: {error}"))?;
    Readiness::to_parent().map_err(|error| format!("cannot reach the parent process: {error}"))
}

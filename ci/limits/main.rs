//! The figures of the README's table of limits, measured: `ci/limits.sh` builds this and runs it. Not a part of CI, where
//! `tests/daemon_binary/` checks the same bounds with smaller numbers.
//!
//! `MARMOT` names the binary, `SLOW_SYNC` the library of `slow_sync.c`. How much is done is in the environment; see
//! `ci/limits.sh`. Ports: from `LIMITS_PORT` (21500) on, on loopback.
#![allow(clippy::disallowed_methods, reason = "real processes are watched in real time")]

mod connections;
mod node;
mod peers;
mod size;
mod tables;

use std::process::ExitCode;

/// What went wrong, as a sentence.
pub type Outcome = Result<(), String>;

/// A number of the environment.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn main() -> ExitCode {
    let all: [(&str, fn() -> Outcome); 5] = [
        ("connections", connections::run),
        ("tables", tables::run),
        ("size", size::run),
        ("slow-peer", peers::stopped),
        ("slow-disk", peers::slow_disk),
    ];
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|w| !all.iter().any(|(name, _)| name == *w)) {
        eprintln!("what is {unknown}? There are: {}", all.map(|(name, _)| name).join(" "));
        return ExitCode::from(2);
    }
    let mut failed = false;
    for (name, measure) in all.iter().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|w| w == name)) {
        println!("\n-- {name}");
        if let Err(why) = measure() {
            println!("FAILED: {why}");
            failed = true;
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

//! A process for each run.
//!
//! SQLite's generator, tokio's generator and lazily made statics are one per process, and what a run does must depend on
//! its seed alone, not on the runs before it. So this program starts itself again for each run, and several can go on
//! at the same time.

use crate::options::{Options, Wish};
use crate::run::{self, Outcome};
use std::process::{Command, Stdio};

/// Says what a child is to run.
const VARIABLE: &str = "SIM_RUN";

/// Runs it in a child.
///
/// # Errors
/// What the child said before it died: a panic, most likely.
pub fn run(wish: Wish) -> Result<Outcome, String> {
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut child = Command::new(this);
    child.env(VARIABLE, wish.to_string()).stdin(Stdio::null());
    if run::is_traced() {
        child.stderr(Stdio::inherit());
    }
    let output = child.output().map_err(|e| e.to_string())?;
    let outcome = hex_decode(String::from_utf8_lossy(&output.stdout).trim());
    match outcome.and_then(|bytes| postcard::from_bytes(&bytes).ok()) {
        Some(outcome) => Ok(outcome),
        None => Err(format!("the run ended with {}\n{}", output.status, String::from_utf8_lossy(&output.stderr))),
    }
}

/// If this process is such a child: runs, says how it went, and returns true.
pub fn is_child() -> bool {
    let Ok(wish) = std::env::var(VARIABLE) else { return false };
    let Some(wish) = Wish::parse(&wish) else {
        eprintln!("{VARIABLE} is set by this program for itself");
        std::process::exit(2);
    };
    let outcome = run::simulate(&Options::new(wish));
    let bytes = postcard::to_stdvec(&outcome).expect("an outcome is plain data");
    println!("{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    true
}

fn hex_decode(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

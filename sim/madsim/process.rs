//! A process for each run.
//!
//! SQLite's generator, tokio's generator and lazily made statics are one per process, and what a run does must depend on
//! its seed alone, not on the runs before it. So this program starts itself again for each run, and several can go on
//! at the same time.

use crate::options::{Options, Wish};
use crate::run::{self, Outcome};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Says what a child is to run.
const VARIABLE: &str = "SIM_RUN";

/// Runs that children made, and the processor time these took, in nanoseconds.
#[derive(Clone, Copy)]
struct Spent {
    runs: u64,
    nanos: u64,
    longest: u64,
}

static SPENT: Mutex<Spent> = Mutex::new(Spent { runs: 0, nanos: 0, longest: 0 });

/// Says what all runs so far took. A run is one seed run once.
pub fn report() {
    let Spent { runs, nanos, longest } = *SPENT.lock().unwrap_or_else(PoisonError::into_inner);
    if runs > 0 {
        println!(
            "{runs} runs, processor time {} ms each, {} ms the longest",
            nanos / runs / 1_000_000,
            longest / 1_000_000
        );
    }
}

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
    let said = String::from_utf8_lossy(&output.stdout);
    let answer = said.trim().split_once(' ').and_then(|(outcome, nanos)| Some((hex_decode(outcome)?, nanos)));
    match answer.and_then(|(bytes, nanos)| Some((postcard::from_bytes(&bytes).ok()?, nanos.parse::<u64>().ok()?))) {
        Some((outcome, nanos)) => {
            let mut spent = SPENT.lock().unwrap_or_else(PoisonError::into_inner);
            spent.runs += 1;
            spent.nanos += nanos;
            spent.longest = spent.longest.max(nanos);
            Ok(outcome)
        }
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
    println!("{} {}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), processor_time());
    true
}

/// Nanoseconds this process's only thread has run; 0 where the kernel does not say.
fn processor_time() -> u64 {
    let said = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    said.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
}

fn hex_decode(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

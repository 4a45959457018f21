//! Ctrl-C: what is under way ends early, and everything is cleaned up. A second one ends at once.

use crate::network;
use nix::sys::signal::{SigSet, Signal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

static IS_SET: AtomicBool = AtomicBool::new(false);

/// To be called before any other thread runs.
pub fn watch() -> Result<(), String> {
    let mut signals = SigSet::empty();
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().for_each(|signal| signals.add(signal));
    signals.thread_block().map_err(|e| e.to_string())?;
    std::thread::spawn(move || {
        while signals.wait().is_ok() {
            if IS_SET.swap(true, Ordering::Relaxed) {
                network::remove_namespaces();
                std::process::exit(130);
            }
            eprintln!("interrupted: cleaning up (once more: at once)");
        }
    });
    Ok(())
}

pub fn is_set() -> bool {
    IS_SET.load(Ordering::Relaxed)
}

/// Sleeps, at most until Ctrl-C.
pub fn sleep(span: Duration) {
    let since = Instant::now();
    while !is_set() {
        let left = span.saturating_sub(since.elapsed());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}

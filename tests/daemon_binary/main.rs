//! The built binary as a process: started with flags, spoken to by clients and (wrong) peers, ended by signals.
#![cfg(feature = "shell")]
#![allow(clippy::disallowed_methods, reason = "real processes are watched in real time")]

mod backup;
mod bucket;
mod growth;
mod import;
mod peers;
mod process;
mod removal;
mod snapshot;
mod start;

//! The built binary as a process: started with flags, spoken to by clients and (wrong) peers, ended by signals.
#![cfg(feature = "shell")]
#![allow(clippy::disallowed_methods, reason = "real processes are watched in real time")]

mod full_disk;
mod import;
mod limits;
mod peers;
mod process;
mod removal;
mod snapshot;
mod start;

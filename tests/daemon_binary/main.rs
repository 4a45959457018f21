//! The built binary as a process: started with flags, spoken to by clients and (wrong) peers, ended by signals.
#![cfg(feature = "shell")]
#![allow(clippy::disallowed_methods, reason = "real processes are watched in real time")]

mod accounts;
mod backup;
mod bucket;
mod certificates;
mod clients;
mod damage;
mod encryption;
mod full_disk;
mod growth;
mod http;
mod identity;
mod import;
mod lagging;
mod limits;
mod middleman;
mod peers;
mod process;
mod proxy;
mod removal;
mod retention;
mod reuse;
mod rotation;
mod slow;
mod snapshot;
mod start;
#[cfg(feature = "otlp")]
mod traced;
mod verification;
mod watched;

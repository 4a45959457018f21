//! The only place with sockets, threads and clocks: the driver that owns the core, links to peers, clients, the daemon.
//!
//! ```text
//!  clients ─▶ client ─▶ session ──calls──▶ ┌────────┐ ──tasks──▶ applier ─▶ database files
//!  peers ───▶ link::listen ──envelopes───▶ │ driver │ ◀─reports─┘
//!  peers ◀─── link::Links ◀──── effects ── │ (core) │ ── rounds ─▶ marmot.redo, marmot.db
//!                                          └────────┘
//! ```
//!
//! Those who watch ask `admin`, beside the driver, which reads what `metrics` counted on the way and asks the core for its status.
//!
//! Beside all that, `verify` holds the files against the other nodes'.
//!
//! The driver alone touches the core; everything else is messages with bounded queues. [`Instance`] is one running node:
//! the daemon ([`run`]) runs one on real sockets, the simulator several on simulated ones, from the same code.

#[cfg(not(madsim))]
mod admin;
mod antechamber;
mod applier;
#[cfg(not(madsim))]
mod backup;
mod checkpointer;
pub mod client;
mod clock;
mod cluster_tls;
#[cfg(not(madsim))]
mod command;
mod conflicts;
mod doors;
mod driver;
pub mod frame;
mod greeting;
#[cfg(not(madsim))]
mod import;
mod instance;
mod interference;
mod keep_alive;
mod keyring;
mod link;
mod log_limit;
#[cfg(not(madsim))]
mod members;
mod metrics;
#[cfg(all(not(madsim), feature = "otlp"))]
mod otlp;
mod participation;
mod peer_stream;
mod pem;
mod phases;
#[cfg(not(madsim))]
mod reload;
#[cfg(not(madsim))]
mod repair;
#[cfg(not(madsim))]
mod serve;
mod snapshot;
mod spans;
pub mod spawn;
mod trace;
mod verify;

pub use clock::SystemClock;
#[cfg(not(madsim))]
pub use command::command;
pub use instance::{Closed, Environment, Instance, Listeners, Simulation};
pub use interference::{Fate, Interference};
pub use keyring::Keyring;
pub use metrics::Metrics;
#[cfg(not(madsim))]
pub use serve::run;
pub use spans::SpanQueue;

//! The only place with sockets, threads and clocks: the driver that owns the core, links to peers, clients, the daemon.
//!
//! ```text
//!  clients ─▶ client ─▶ session ──calls──▶ ┌────────┐ ──tasks──▶ applier ─▶ database files
//!  peers ───▶ link::listen ──envelopes───▶ │ driver │ ◀─reports─┘
//!  peers ◀─── link::Links ◀──── effects ── │ (core) │ ── rounds ─▶ marmot.redo, marmot.db
//!                                          └────────┘
//! ```
//!
//! The driver alone touches the core; everything else is messages with bounded queues. [`Instance`] is one running node:
//! the daemon ([`run`]) runs one on real sockets, the simulator several on simulated ones, from the same code.

mod applier;
#[cfg(not(madsim))]
mod backup;
mod checkpointer;
pub mod client;
mod clock;
#[cfg(not(madsim))]
mod command;
mod conflicts;
mod driver;
pub mod frame;
#[cfg(not(madsim))]
mod import;
mod instance;
mod interference;
mod link;
#[cfg(not(madsim))]
mod members;
#[cfg(not(madsim))]
mod serve;
mod snapshot;
pub mod spawn;

pub use clock::SystemClock;
#[cfg(not(madsim))]
pub use command::command;
pub use instance::{Closed, Environment, Instance, Listeners, Simulation};
pub use interference::{Fate, Interference};
#[cfg(not(madsim))]
pub use serve::run;

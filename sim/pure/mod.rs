//! The pure simulator: many nodes on memory storage in one event loop over virtual time.
//!
//! A seed is drawn into [`Options`]: machines, network, faults, clients and what they do. A run has two phases: *safety*
//! with faults on, then everything heals and *liveness* must follow. Checks watch all the time (`check`, `files`,
//! `history`), the first broken promise ends the run. Equal seeds give equal traces.
//!
//! ```text
//!   options ── world ──┬── machine: node (the real core) + disk + files + clock
//!                      ├── network, fault
//!                      ├── client, operator ── workload
//!                      └── history, check, trace, marks ── report
//! ```

mod check;
mod client;
mod clock;
mod dice;
mod disk;
mod fault;
mod files;
mod history;
mod leaver;
mod machine;
mod marks;
mod message;
mod network;
mod operator;
mod options;
mod planted;
mod report;
mod round;
mod run;
mod snapshot;
mod tables;
mod trace;
mod workload;
mod world;

pub use history::{Severity, Violation};
pub use marks::{Mark, Marks};
pub use message::Kind;
pub use options::Options;
pub use planted::{Hunt, expected, hunt, options_for};
pub use report::{commit, write_failure};
pub use run::{Nursery, Verdict};
pub use trace::Detail;
pub use workload::Family;

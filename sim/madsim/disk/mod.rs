//! The disk of one simulated machine, as a SQLite VFS. It outlives every kill and restart of its node.
//!
//! ```text
//!  SQLite ── xWrite ──▶ view   what every handle reads                    Content
//!            xSync ───▶ durable   what is left when the power fails
//!            crash ───▶ view = durable + (if torn) some of the rest; every open handle is dead from now on
//! ```
//!
//! Handles that were open when the machine stopped get errors and never reach the content again: the simulator ends a
//! node by dropping its tasks, and the destructors of their connections must not save what a real power cut would lose.
//! Randomness and time come from the seed and the simulator, never from the operating system.
//!
//! Not simulated: bit rot, a directory whose entries need a sync of their own (any later sync makes a new or deleted
//! name durable, as on ext4 and xfs), slowness.

mod content;
mod locks;
pub mod tests;
mod vfs;

pub use content::{Counts, Failure, Loss};
pub use vfs::{Disk, seed_sqlite};

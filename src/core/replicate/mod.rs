//! Anti-entropy: progress reports, the stable watermark, delta sync, and what the log may forget.
//!
//! Nodes gossip how far they are ([`progress`]); one that lacks positions pulls them, in an order that respects
//! causality, from a peer that has them ([`sync`]). What every voter has applied, and nothing in flight can still
//! commit below, is stable: stamps and readers at or below that watermark are forgotten, and records after their
//! retention.

pub(crate) mod conflicts;
mod founding;
pub mod lag;
pub mod progress;
mod renewal;
mod settling;
mod snapshot;
pub mod sync;

pub use conflicts::{ConflictRow, LoggedConflict};
pub use founding::{Legacy, found};
pub(crate) use renewal::Kept;
pub use renewal::{OlderThanItself, Unfit, renew};
pub use settling::Settling;
pub use snapshot::adopt_snapshot;

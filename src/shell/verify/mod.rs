//! Holding this node's files against the others', row by row, while everybody writes; and putting right what is wrong.
//!
//! ```text
//!  verifier (pass)                                   voter (answer)
//!    │  t1: applied up to what is recorded; snapshot     │
//!    │── Range { table, version, keys } ────────────────▶│  t1, snapshot of its own
//!    │◀─ Sums { a digest for each bucket } ──────────────│                     equal: the next range
//!    │── Buckets { those that differ } ─────────────────▶│
//!    │◀─ Marks { key and digest of each row } ───────────│
//!    │── Settle { the rows that differ } ───────────────▶│  t4: which of them are settled
//!    │◀─ Settled ────────────────────────────────────────│
//!    │  t4: which of them are settled here               │
//!    ⋮  until everything recorded at the first look is settled on both
//!    │── Look { the rows that differ still } ───────────▶│  the second look: the same two contents, settled on both
//!    ⋮  the same of every other voter: what a majority of the voting members has
//!    │  with the applier stopped: t4 once more, then the majority's rows take the place of this node's
//! ```
//!
//! # Why a difference is one
//!
//! Nodes apply the same transactions at different moments and in different orders, so most differences are none. A row is
//! *settled* on a node if no write to it above the node's horizon is recorded there ([`Settling`](crate::core::Settling)), asked
//! at `t4`, after the snapshot. Less than the core's grace period passes between `t1` and the last `t4`; the other node's `t1` and
//! `t4` lie between this node's. Then a row that is settled on both shows the same writes on both:
//!
//! 1. *On one node.* The horizon at `t4` was a watermark before `t1`, for it lags by the grace period. Whatever is below a
//!    watermark is recorded by every voter. So a write that was recorded after `t1` lies above the horizon, and the row is not
//!    settled. All writes to a settled row were recorded before `t1`, and the snapshot shows them, for it was taken when the
//!    files were applied up to there. They are those at or below the horizon, for the others would unsettle it.
//! 2. *On two.* Take a write between the two horizons. The higher horizon was a watermark before the other node's `t4`, so the
//!    other had recorded it by then, above its own horizon: there the row is not settled.
//!
//! What a transaction does besides its write set: a merge may take a row from the file because another now owns one of its
//! unique values. The core's evictions have a key state. Those that the applier finds out have none; while there was one in a
//! table lately, rows of it that only one of two nodes has are left alone. A schema change above the horizon leaves the whole
//! table alone. A second look is taken only when both horizons have passed everything of the first.
//!
//! # What is put right
//!
//! A row of this node that is not as a majority of the voting members has it, settled there too. Each node puts right its own.
//! Without a majority nothing is touched: nobody knows who is right. Stamps do not tell, for they are forgotten below the horizon,
//! and what somebody edits by hand has none.
//!
//! # Definitions
//!
//! They belong to the version of a schema, which both sides of a comparison name: at one version they are the same, or somebody
//! edited a file. A table of which they are not is said to have another definition, by the same majority as rows, and its rows
//! are left alone until somebody has seen to it (`definition`). Views and stored programs are not compared.

mod answer;
mod book;
mod compare;
mod definition;
mod local;
mod look;
mod pass;
mod peer;
mod verdict;

pub(super) use answer::Answers;
pub(super) use book::Book;
pub(super) use local::Local;

use self::pass::Verifier;
use crate::config::Config;
use crate::shell::greeting::Credentials;
use crate::shell::metrics::Metrics;
use crate::shell::spawn::dedicated;
use crate::sqlite::{KeyCells, RowDigest, RowMark};
use crate::types::{DatabaseName, Hlc, NodeId, Span, TableId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::watch;

/// Rows of a range at most; the other side looks at twice as many.
const RANGE: usize = 8192;
/// Buckets that the rows of a range fall into, by their keys.
const BUCKETS: usize = 256;
/// Rows named in one question at most.
const NAMED: usize = 64;
/// Definitions in one answer at most.
const DEFINED: usize = 4096;
/// Bytes of marks in one answer, about.
const MARKS_BYTES: usize = 512 << 10;
/// Bytes of a row at most: more than a client can send.
const IMAGE_BYTES: u64 = 1 << 30;

/// Both sides of it on one node.
pub(super) struct Verification {
    pub answers: Arc<Answers>,
    verifier: Verifier,
    stop: watch::Receiver<bool>,
}

impl Verification {
    /// What `config` wants of `node`.
    pub fn new(
        local: Local,
        credentials: Credentials,
        metrics: Arc<Metrics>,
        book: Arc<Book>,
        config: &Config,
        node: NodeId,
        stop: watch::Receiver<bool>,
    ) -> Verification {
        let answers = Answers::new(local.clone(), stop.clone());
        let (interval, rows_per_second) = (config.verify.interval, config.verify.rows_per_second);
        let interval = (interval > Span::ZERO).then_some(interval);
        // Not all nodes begin at the same time: Fibonacci hashing (Knuth, The Art of Computer Programming, section 6.4).
        let spread = node.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let offset = interval.map_or(Span::ZERO, |interval| Span(spread % interval.0));
        let verifier = Verifier { local, credentials, metrics, book, interval, rows_per_second, offset };
        Verification { answers, verifier, stop }
    }

    /// Begins to compare, on a thread of its own. Not in the simulator: its nodes share a thread, and what asks the driver while the
    /// applier stands still cannot leave it to the driver.
    pub fn start(self) {
        if cfg!(madsim) {
            return;
        }
        if let Err(error) = dedicated("verifier", self.verifier.run(self.stop)) {
            tracing::warn!(%error, "no thread to compare this node's rows with the others'");
        }
    }
}

/// What a verifier asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Ask {
    /// The sums of the rows above `after` and up to `until`, of a snapshot that is kept for what follows.
    Range { table: Place, after: Option<KeyCells>, until: Option<KeyCells> },
    /// The marks of the rows in some buckets of that range.
    Buckets(Vec<u32>),
    /// The digests of single rows, of a new snapshot that is kept.
    Look { table: Place, keys: Vec<KeyCells> },
    /// Which rows are settled, by their encoded keys. Without rows the snapshot is given up.
    Settle { database: DatabaseName, table: TableId, rows: Vec<Vec<u8>> },
    /// One row of the snapshot, whole.
    Image(KeyCells),
    /// The definitions of the first tables above `after`. Since version 7 ([`COMPARED_DEFINITIONS`]). The snapshot is given up.
    ///
    /// [`COMPARED_DEFINITIONS`]: crate::types::Versions::COMPARED_DEFINITIONS
    Definitions { database: DatabaseName, version: u64, after: Option<TableId> },
}

/// A table as of one version of its database's schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    database: DatabaseName,
    version: u64,
    table: TableId,
}

/// What it is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Answer {
    /// Not now; the text says why.
    Refused(String),
    /// `until` is where it stopped, if it has more rows than it looks at.
    Sums {
        until: Option<KeyCells>,
        rows: u64,
        sums: Vec<u128>,
    },
    /// The rows of the first `buckets` of those asked for.
    Marks {
        buckets: u32,
        marks: Vec<(KeyCells, RowDigest)>,
    },
    Looked(Vec<Option<RowDigest>>),
    Settled(Settled),
    /// The next bytes of a row, and whether they are the last.
    Piece {
        bytes: Vec<u8>,
        last: bool,
    },
    /// Ascending by table; fewer than [`DEFINED`] are the last ones.
    Definitions(Vec<(TableId, RowDigest)>),
}

/// What one node says of some rows: see [`Settling`](crate::core::Settling).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Settled {
    clock: Hlc,
    horizon: Hlc,
    is_redefined: bool,
    /// A row gave way to another in this table lately.
    gave_way: bool,
    unsettled: Vec<bool>,
}

/// The marks by bucket, in the order they came.
fn buckets(marks: &[RowMark]) -> Vec<Vec<&RowMark>> {
    let mut buckets = vec![Vec::new(); BUCKETS];
    for mark in marks {
        buckets[compare::bucket(&mark.key)].push(mark);
    }
    buckets
}

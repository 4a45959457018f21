//! The nouns every layer speaks: accounts' names, ids, time, stamps, version vectors, values, rows, write sets, levels and limits.
//!
//! This module imports nothing of Marmot. All types are plain data, ordered, hashable where useful and serialisable
//! with `serde`, so that a message, a log record and a test can hold them alike.

mod account;
pub(crate) mod bytes;
mod clock;
mod collation;
mod id;
mod level;
mod limits;
mod row;
mod stamp;
mod value;
mod vector;
mod version;

pub use account::AccountName;
pub use clock::{Mono, Now, Span, Wall};
pub use collation::CollationRules;
pub use id::{ClientId, DatabaseName, Epoch, NodeId, Sequence, Slot, TableId, TxnId};
pub use level::{AutoIdMode, ReadLevel, WriteLevel};
pub use limits::Limits;
pub use row::{
    ApplySeq, ColumnId, ColumnSet, Ddl, IndexId, Key, KeyAccess, Mode, RowChange, RowImage, RowKey, RowOp, Snapshot,
    TableChanges, UniqueValue, WriteSet,
};
pub use stamp::{Hlc, Stamp};
pub use value::{Real, Value};
pub use vector::VersionVector;
pub use version::Versions;

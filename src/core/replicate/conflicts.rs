//! The conflict log: values that an automatic merge discarded. Every node derives the same entries from the same
//! records.

use crate::types::{RowImage, RowKey, Stamp, TxnId};
use serde::{Deserialize, Serialize};

/// One entry of [`Table::Conflict`](crate::core::Table::Conflict).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConflictRow {
    /// The stamp of the transaction that met the other.
    pub stamp: Stamp,
    pub row: RowKey,
    pub winner: TxnId,
    pub loser: TxnId,
    /// The losing row as its writer left it (for a lost delete: as it was before), in the column order of its table.
    pub image: Option<RowImage>,
}

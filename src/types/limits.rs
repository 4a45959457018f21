//! Bounds that hold everywhere. Each names what happens at the bound.

use serde::{Deserialize, Serialize};

/// Size and count limits of one node. The relations between them are checked when a node starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Largest write set in bytes; a larger transaction is refused (MySQL 1197).
    pub write_set_bytes: usize,
    /// Largest peer frame in bytes; a larger one closes the link.
    pub frame_bytes: usize,
    /// Transactions coordinated here at one time; more are refused (MySQL 1040-class, retry is safe).
    pub coordinated: usize,
    /// Key states kept in memory; beyond it the oldest are spilled to storage.
    pub key_states: usize,
    /// Records sent in answer to one sync request.
    pub sync_records: usize,
    /// Bytes sent in answer to one sync request.
    pub sync_bytes: usize,
    /// Log entries between two checkpoints: about as many are read again after a restart, and kept beyond their time.
    pub checkpoint_entries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            write_set_bytes: 256 << 20,
            frame_bytes: 288 << 20,
            coordinated: 4096,
            key_states: 1 << 20,
            sync_records: 512,
            sync_bytes: 8 << 20,
            checkpoint_entries: 512,
        }
    }
}

//! What the core asks of durable storage: a few ordered tables of bytes, read and written inside one *round*.
//!
//! The driver begins a round, lets the core `step` through a batch of inputs, and commits the round with one disk
//! sync; nothing the core emitted leaves the node before that commit returned. The core can therefore neither commit
//! nor roll back: half a round can never become durable.

use super::Fatal;
use serde::{Serialize, de::DeserializeOwned};

/// The ordered tables of a node's own state. Keys compare as bytes; the core encodes numbers big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Single values: identity, clock mark, epoch and members, next sequence, applied position.
    Meta,
    /// By `TxnId`: the write set and what a Prepare said of it. Written once.
    Record,
    /// By `TxnId`: promised ballot and accepted outcome of an undecided transaction.
    Ballot,
    /// By `TxnId`: the outcome of a decided transaction and, if committed, its place in the apply order.
    Outcome,
    /// By `ApplySeq`: the `TxnId` applied there. The log in this node's order; redone from here after a crash.
    Order,
    /// By [`crate::types::Key`]: key states pushed out of memory while a slow peer holds the watermark back.
    KeyState,
    /// By time, losing `TxnId` and `RowKey`: values a merge discarded, for `marmot.conflicts`.
    Conflict,
    /// By losing `TxnId` and `RowKey`: the key in `Conflict`.
    ConflictIndex,
}

impl Table {
    pub const ALL: [Table; 8] = [
        Table::Meta,
        Table::Record,
        Table::Ballot,
        Table::Outcome,
        Table::Order,
        Table::KeyState,
        Table::Conflict,
        Table::ConflictIndex,
    ];

    /// The table's name on disk.
    pub fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Record => "record",
            Table::Ballot => "ballot",
            Table::Outcome => "outcome",
            Table::Order => "apply_order",
            Table::KeyState => "key_state",
            Table::Conflict => "conflict",
            Table::ConflictIndex => "conflict_index",
        }
    }
}

/// One round of access to durable storage. Reads see the round's own writes.
///
/// An `Err` is [`Fatal`]: storage that cannot be read or written ends the process; a restart recovers from what the
/// last commit made durable.
pub trait Storage {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Fatal>;
    /// Inserts or replaces.
    fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), Fatal>;
    /// Removes if present.
    fn delete(&mut self, table: Table, key: &[u8]) -> Result<(), Fatal>;
    /// Up to `limit` entries with `key >= from`, ascending.
    fn scan(&self, table: Table, from: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, Fatal>;
    /// Up to `limit` entries with `key <= from`, descending.
    fn scan_back(&self, table: Table, from: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, Fatal>;
    /// Whether there is room for more user data. When not, new transactions are refused (never half done) while
    /// outcomes of old ones are still recorded.
    fn has_room(&self) -> bool {
        true
    }
}

/// Bytes that most values fit in, so that encoding them allocates once.
const USUAL: usize = 256;

/// Encodes for storage. Cannot fail for the core's own types.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let room = Vec::with_capacity(USUAL);
    postcard::to_extend(value, room).expect("core types have no unserialisable state")
}

/// Decodes what [`encode`] wrote; anything else on disk is corruption.
pub fn decode<T: DeserializeOwned>(table: Table, bytes: &[u8]) -> Result<T, Fatal> {
    postcard::from_bytes(bytes).map_err(|e| Fatal::CorruptStorage(format!("{}: {e}", table.name())))
}

/// Reads and decodes.
pub fn load<T: DeserializeOwned>(store: &dyn Storage, table: Table, key: &[u8]) -> Result<Option<T>, Fatal> {
    store.get(table, key)?.map(|bytes| decode(table, &bytes)).transpose()
}

/// Encodes and writes.
pub fn save<T: Serialize + ?Sized>(store: &mut dyn Storage, table: Table, key: &[u8], value: &T) -> Result<(), Fatal> {
    store.put(table, key, &encode(value))
}

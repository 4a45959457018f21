//! Identities. All are newtypes: a node is never mistaken for a table.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A node's identity for as long as its disk lives. Chosen once, persisted, never reused: a node that lost its disk
/// comes back under a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

/// A member's small number (0..=63), given on admission; the node part of `compact` AUTO_INCREMENT ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot(pub u8);

/// A place in one node's log: 1, 2, 3, … without gaps.
pub type Sequence = u64;

/// The position of a transaction in its coordinator's log, and so its identity. Every attempt has its own.
///
/// **Invariant**: persisted before the first Prepare that names it leaves the node; never reused, also not after a
/// restart (DESIGN rule *fresh identity*).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TxnId {
    pub origin: NodeId,
    pub sequence: Sequence,
}

impl fmt::Display for TxnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.origin, self.sequence)
    }
}

/// A table's identity, given by the CREATE that made it: that transaction's id and the table's place within it.
/// A dropped and re-created table is another table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableId {
    /// High bits: where; see [`TableId::new`]. Unique per cluster for all time.
    pub creator: NodeId,
    /// A number that `creator` never gives twice (its hybrid clock when the CREATE was translated).
    pub number: u64,
}

impl TableId {
    /// The id for a table created by `creator` under `number`; the caller guarantees that the pair is fresh.
    pub fn new(creator: NodeId, number: u64) -> Self {
        TableId { creator, number }
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}.{}", self.creator.0, self.number)
    }
}

/// The generation of the voting member list. Every transaction is decided by the members of its own epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u64);

/// A database by name (MySQL: schema). Lower layers treat it as opaque.
pub type DatabaseName = std::sync::Arc<str>;

/// A client of one node, numbered by the shell: the address of replies. Meaningless to other nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientId(pub u64);

//! Identities. All are newtypes: a node is never mistaken for a table.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A node's identity for as long as its disk lives. Chosen once, persisted, never reused: a node that lost its disk
/// comes back under a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u64);

impl NodeId {
    /// Identities are below this bit; with it set, a `NodeId` names the node's *ONE log* as an origin.
    const ONE_LOG: u64 = 1 << 63;

    /// A node has two logs: one of QUORUM and ALL transactions, whose origin is the node's own id, and one of ONE
    /// transactions, whose origin is this. They are numbered apart, because a read barrier must wait for the first
    /// and must not wait for the second (a ONE record of a lost node may never come).
    pub const fn one_log(self) -> NodeId {
        NodeId(self.0 | Self::ONE_LOG)
    }
    /// Whether this origin is a ONE log.
    pub const fn is_one_log(self) -> bool {
        self.0 & Self::ONE_LOG != 0
    }
    /// The node behind an origin.
    pub const fn node(self) -> NodeId {
        NodeId(self.0 & !Self::ONE_LOG)
    }
    /// Whether this can be a node's identity: not zero, and below the ONE-log bit.
    pub const fn is_valid(self) -> bool {
        self.0 != 0 && !self.is_one_log()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}{}", self.node().0, if self.is_one_log() { "/one" } else { "" })
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

impl TxnId {
    /// The place in storage: big-endian, so that byte order is log order per origin.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.origin.0.to_be_bytes());
        bytes[8..].copy_from_slice(&self.sequence.to_be_bytes());
        bytes
    }
    /// Reverses [`TxnId::to_bytes`]; `None` if the length is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Option<TxnId> {
        let bytes: [u8; 16] = bytes.try_into().ok()?;
        let (origin, sequence) = bytes.split_at(8);
        Some(TxnId {
            origin: NodeId(u64::from_be_bytes(origin.try_into().ok()?)),
            sequence: u64::from_be_bytes(sequence.try_into().ok()?),
        })
    }
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

//! Errors of the core, in three families that never mix (see STYLE in the README): [`Fatal`] stops the process,
//! [`Refusal`] goes to a client, [`PeerFault`] drops a peer's message.

use crate::types::{Epoch, NodeId, Sequence, Stamp, TxnId, Versions};
use serde::{Deserialize, Serialize};

/// The node must stop (but see [`Fatal::DiskFull`]); a restart recovers from what is durable. Never caused by input from clients or peers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fatal {
    #[error("storage failed: {0}")]
    Storage(String),
    /// Nothing more fits on the disk. The one error that the shell outlives: what it was to write it writes again later,
    /// and until then nothing that rests on it leaves the node.
    #[error("storage failed: disk full")]
    DiskFull,
    #[error("storage is corrupt: {0}; restore this node from a healthy one under a new identity")]
    CorruptStorage(String),
    #[error("invariant broken: {0}")]
    Invariant(String),
    #[error("two different outcomes for transaction {txn}: {one} and {other}")]
    Disagreement { txn: TxnId, one: String, other: String },
    /// No living member's log reaches back to what this node lacks: it goes on with a snapshot.
    #[error("no member's log reaches back to {origin}:{sequence}, which this node lacks: it needs a snapshot")]
    NeedsSnapshot { origin: NodeId, sequence: Sequence },
    /// A newcomer has a ONE write that came from a removed node to it alone: it begins again with a snapshot.
    #[error("{0} is of a removed node, and no member's: this newcomer needs another snapshot")]
    Orphaned(TxnId),
    /// A database file cannot be what this node wrote.
    #[error("damaged data: {0}")]
    Damaged(String),
    /// Others remember more of what this node said than it does itself.
    #[error(
        "this data directory is older than what its node told others: an old copy may have forgotten promises, so it must not \
         take part. Remove node {id} on another one (ALTER CLUSTER REMOVE NODE), and start it with an empty directory, the \
         seeds and a new id. What was written at level ONE and never replicated can be read from the old files with any \
         SQLite tool", id = .id.0
    )]
    Outdated { id: NodeId },
    /// A node with nothing on its disk has the id of one that is a member, or was.
    #[error(
        "this directory is new, but node {id} is known to the cluster: a node that lost its disk comes back under a new id. \
         Remove it on another node (ALTER CLUSTER REMOVE NODE {id}), unless that was done, and start this one with an \
         empty directory and another --node-id, or with none", id = .id.0
    )]
    IdTaken { id: NodeId },
    /// Nobody takes anything from this node any more, and it hears of nothing new.
    #[error(
        "this node was removed from its cluster (epoch {}); to come back, start it with an empty data directory and the \
         seeds: it joins under a new identity. Its files stay readable with any SQLite tool", .0.0
    )]
    Removed(Epoch),
    #[error("the cluster speaks version {spoken} by now, this program understands {understood}: start a newer one")]
    Version { spoken: u8, understood: Versions },
}

/// Why a request was not done. Unless a variant says otherwise, nothing changed and a retry is safe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// Another transaction committed (or is about to commit) a key this one read its snapshot of. Re-execute.
    /// `begin` is the precedence stamp to send with the next attempt. MySQL 1213.
    #[error("conflict with a concurrent transaction")]
    Conflict { begin: Stamp },
    /// Fewer than a quorum of voters answered in time and the transaction was aborted everywhere.
    #[error("no quorum: {answered} of {voters} voting members answered")]
    NoQuorum { answered: usize, voters: usize },
    /// The transaction may or may not commit; nobody can tell yet. **Not** safe to retry blindly.
    #[error("outcome of transaction {txn} is unknown")]
    UnknownOutcome { txn: TxnId },
    /// A key stayed held by another transaction for longer than the lock wait timeout. MySQL 1205.
    #[error("lock wait timeout")]
    LockWaitTimeout,
    /// Too many transactions are in progress here.
    #[error("too many transactions in progress")]
    Overloaded,
    #[error("write set of {size} bytes exceeds {limit}")]
    TooLarge { size: usize, limit: usize },
    /// This node is not (or no longer) a voting member, or has not finished joining.
    #[error("this node is not a voting member yet")]
    NotVoter,
    /// A node that knows it was removed serves no writes.
    #[error("this node was removed from the cluster in epoch {0:?}")]
    Removed(Epoch),
    /// The snapshot is older than what this node remembers; begin again.
    #[error("the transaction's snapshot is too old")]
    SnapshotTooOld,
    #[error("disk full")]
    DiskFull,
    /// This node's clock is further from its peers' than `max_clock_offset`.
    #[error("clock of this node differs from the cluster by {offset_ms} ms")]
    ClockOffset { offset_ms: u64 },
    /// A membership change that makes no sense now; the text says why.
    #[error("{0}")]
    Membership(String),
    #[error("shutting down")]
    ShuttingDown,
    /// The locked schema transaction is gone (aborted by timeout or recovery).
    #[error("the schema lock was lost")]
    LockLost,
}

/// Bad input from a peer: dropped and counted. `step` turns it into a notice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerFault {
    #[error("{from}: clock is {ahead_ms} ms ahead")]
    ClockAhead { from: NodeId, ahead_ms: u64 },
    #[error("{from}: not a member of epoch {epoch:?}")]
    NotMember { from: NodeId, epoch: Epoch },
    #[error("{from}: its disk is older than what it said; nothing is taken from it")]
    Forgetful { from: NodeId },
    #[error("{from}: {what}")]
    Malformed { from: NodeId, what: String },
}

impl PeerFault {
    /// Who sent it, or says so.
    pub fn sender(&self) -> NodeId {
        match self {
            PeerFault::ClockAhead { from, .. }
            | PeerFault::NotMember { from, .. }
            | PeerFault::Forgetful { from }
            | PeerFault::Malformed { from, .. } => *from,
        }
    }
}

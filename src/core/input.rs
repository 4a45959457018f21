//! What can happen to a node. Plain data: a run is a list of `(Now, Input)`.

use super::message::Envelope;
use crate::types::{
    ApplySeq, AutoIdMode, ClientId, DatabaseName, NodeId, ReadLevel, RowImage, RowKey, Snapshot, Span, Stamp, TxnId,
    WriteLevel, WriteSet,
};
use std::sync::Arc;

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Time passed. Early, late and repeated ticks are harmless.
    Tick,
    /// A peer's message arrived whole and authenticated.
    Message(Envelope),
    /// A client of this node asks.
    Request(ClientId, Request),
    /// A client is gone: what it waits for is no longer waited for; its schema lock is given up.
    ClientGone(ClientId),
    /// The applier made everything up to `ApplySeq` visible in the database files. Reported in order.
    Applied(ApplySeq),
    /// The applier's work up to here is durable in the database files: the redo log below it is no longer needed.
    Synced(ApplySeq),
    /// While applying `winner`, whose unique value it had, the applier removed a row: its image goes to the conflict log.
    Evicted { winner: TxnId, row: RowKey, image: RowImage },
    /// The oldest snapshot an open transaction still needs moved (`None`: no transaction is open). Key states newer
    /// than it are kept, so that a long transaction can still be validated.
    OldestSnapshot(Option<Snapshot>),
    /// This node is to stop for good: others shall take its vote. See `Node::has_left`.
    Leave,
    /// SIGTERM: refuse new work, finish what runs.
    Drain,
}

/// What a client can ask. Every request gets exactly one [`super::Response`], unless the client is gone first.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Commit a write set executed on `snapshot`.
    Commit {
        write_set: Arc<WriteSet>,
        snapshot: Snapshot,
        level: WriteLevel,
        /// The precedence stamp of the first attempt, from [`super::Refusal::Conflict`].
        begin: Option<Stamp>,
        /// How long a key may be held by others before the request is refused (`innodb_lock_wait_timeout`).
        lock_wait: Span,
    },
    /// Take `Schema` of each database in `Write` on a quorum, all at once, and bring this node up to date with everything committed under
    /// the old schema. Answered by `SchemaLocked`; finished by `CommitLocked` or `AbortLocked`.
    LockSchema {
        databases: Vec<DatabaseName>,
        /// As for a commit. A lock that is refused as the youngest is in the end the oldest: it then waits for who holds a
        /// key, and nobody overtakes it.
        begin: Option<Stamp>,
        lock_wait: Span,
    },
    /// Commit the schema change executed after `SchemaLocked`.
    CommitLocked {
        txn: TxnId,
        write_set: Arc<WriteSet>,
    },
    AbortLocked {
        txn: TxnId,
    },
    /// Wait until everything acknowledged before now is applied here.
    Barrier(ReadLevel),
    /// Lease `count` fresh AUTO_INCREMENT ids.
    AutoIds {
        mode: AutoIdMode,
        count: u32,
    },
    /// Change the voting member list by one node.
    Member(MemberChange),
    /// A snapshot of the cluster for `marmot.cluster_nodes`.
    ClusterStatus,
    /// The transactions that are not over, for `marmot.transactions` and `marmot.intents`.
    OpenTransactions,
}

/// One change of the voting member list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberChange {
    /// Make a joined non-voter a voter. The node itself asks for it, by a message; a client that does is refused.
    Admit(NodeId),
    /// Take a node's vote, for good.
    Remove(NodeId),
    /// Speak a newer version, which every voter understands.
    Speak(u8),
}

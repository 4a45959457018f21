//! What a node wants done. The shell does effects in order, and only after the round that produced them is durable.

use super::{fault::Refusal, message::Message, open::OpenTransaction, status::NodeStatus};
use crate::types::{ApplySeq, ClientId, NodeId, RowImage, RowKey, RowOp, Sequence, Stamp, TxnId, Wall, WriteSet};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A peer's cluster address, `host:port`. The core never resolves it.
pub type Address = Arc<str>;

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Send, best effort: the protocol survives loss, delay, duplication and reordering. The driver adds the envelope.
    Send { to: Destination, message: Message },
    /// Answer a client.
    Reply(ClientId, Response),
    /// Apply a committed transaction to the database files, strictly in `seq` order, then report `Applied`.
    Apply(ApplyTask),
    /// Something a person running the node wants in the log.
    Notice(Notice),
    /// A value readers outside the core may use from now on.
    Publish(Published),
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Destination {
    /// A node, at the address the core last learned for it.
    Node { id: NodeId, address: Address },
    /// Whoever listens there: a seed whose identity is not known yet.
    Address(Address),
}

/// A committed transaction in this node's apply order.
#[derive(Clone, Debug, PartialEq)]
pub struct ApplyTask {
    pub seq: ApplySeq,
    pub txn: TxnId,
    pub stamp: Stamp,
    pub write_set: Arc<WriteSet>,
    /// Where the merged result differs from the write set: `(table index, row index, what to do instead)`, ascending.
    /// Empty whenever no concurrent ONE write was involved.
    pub amendments: Vec<(usize, usize, RowOp)>,
    /// Rows, besides those of the write set, that lost a unique value to it: removed before it is applied.
    pub evictions: Vec<Eviction>,
    /// The write set was merged, not validated: a row found in the way of one of its unique values is removed and
    /// its image handed to the conflict log, rather than treated as a broken invariant.
    pub may_evict: bool,
}

/// A row that must give way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eviction {
    pub row: RowKey,
    /// Its last image known to the core, in the column order of `columns`.
    pub image: RowImage,
    pub columns: Arc<[crate::types::ColumnId]>,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Response {
    /// Durable at the level asked for and applied here.
    Committed {
        txn: TxnId,
        stamp: Stamp,
    },
    /// The schema is locked and this node is current: execute, then `CommitLocked`.
    SchemaLocked {
        txn: TxnId,
    },
    BarrierDone,
    /// `count` ids from `first`, consecutive.
    AutoIds {
        first: u64,
        count: u32,
    },
    MemberChanged,
    ClusterStatus(Box<NodeStatus>),
    OpenTransactions(Vec<OpenTransaction>),
    Refused(Refusal),
}

/// What the shell shares with sessions through atomics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The stable watermark rose.
    Watermark(crate::types::Hlc),
}

/// One line for the log, as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    PeerUp(NodeId, Address),
    /// It was silent for too long: a connection to it that still seems to be one is of no use.
    PeerDown(NodeId, Address),
    PeerFault(super::fault::PeerFault),
    /// This node started or finished joining.
    Joining(String),
    EpochChanged {
        epoch: crate::types::Epoch,
        voters: Vec<NodeId>,
    },
    Recovering {
        txn: TxnId,
        ballot: u64,
    },
    Conflict {
        table: crate::types::TableId,
        winner: TxnId,
        loser: TxnId,
    },
    /// Records of `origin` up to `sequence` are gone from every reachable log: a snapshot is needed.
    NeedsSnapshot {
        origin: NodeId,
        sequence: Sequence,
    },
    /// A ONE write of a removed node is here, where there is no vote yet, and not with the members: a snapshot without it
    /// is needed.
    Orphaned {
        txn: TxnId,
    },
    ClockAhead {
        peer: NodeId,
        ahead_ms: u64,
    },
    /// This node's wall clock differs from those of a majority by more than `max_clock_offset`, and is taken for another;
    /// or no longer (then both are nearly the same).
    WallClock {
        shows: Wall,
        taken_for: Wall,
    },
    Stopped(String),
}

/// Effects of one or more steps, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    list: Vec<Effect>,
}

impl Effects {
    pub fn new() -> Self {
        Self::default()
    }
    pub fn push(&mut self, effect: Effect) {
        self.list.push(effect);
    }
    pub fn reply(&mut self, client: ClientId, response: Response) {
        self.push(Effect::Reply(client, response));
    }
    pub fn notice(&mut self, notice: Notice) {
        self.push(Effect::Notice(notice));
    }
    /// Takes out, in order, what need not wait for the round to be durable: Prepares, and the acknowledgement of
    /// commits, which are applied and so were durable in a round before. Only for a round that wrote nothing to
    /// `Table::Meta`; see [`Message::may_precede_its_round`].
    pub fn take_early(&mut self) -> Vec<Effect> {
        let is_early = |e: &Effect| match e {
            Effect::Send { message, .. } => message.may_precede_its_round(),
            Effect::Reply(_, response) => matches!(response, Response::Committed { .. }),
            Effect::Apply(_) | Effect::Publish(_) | Effect::Notice(_) => false,
        };
        if !self.list.iter().any(is_early) {
            return Vec::new();
        }
        let (early, rest) = std::mem::take(&mut self.list).into_iter().partition(is_early);
        self.list = rest;
        early
    }
    /// Whether somebody waits for one of these, so that the round should be made durable now. If not, the next round
    /// can take this one along. `own` is this node: its clients wait for what they committed to be applied.
    pub fn are_urgent(&self, own: NodeId) -> bool {
        self.list.iter().any(|e| match e {
            Effect::Send { message, .. } => !message.can_wait(),
            Effect::Reply(..) => true,
            Effect::Apply(task) => task.txn.origin.node() == own,
            Effect::Publish(_) | Effect::Notice(_) => false,
        })
    }
    pub fn drain(&mut self) -> std::vec::Drain<'_, Effect> {
        self.list.drain(..)
    }
    pub fn len(&self) -> usize {
        self.list.len()
    }
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
    pub fn iter(&self) -> std::slice::Iter<'_, Effect> {
        self.list.iter()
    }
}

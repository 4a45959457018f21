//! Everything one node says to another. Each variant says who sends it, when, what the receiver does, and what happens
//! if it is lost, duplicated or late. All may be lost, duplicated, delayed and reordered at any time.

use crate::core::effect::Address;
use crate::core::replicate::ConflictRow;
use crate::types::{Epoch, Hlc, NodeId, Sequence, Slot, Stamp, TxnId, VersionVector, Wall, WriteLevel, WriteSet};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A message with what every message carries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    pub from: NodeId,
    /// Where answers go.
    pub from_address: Address,
    /// The sender's clock when it sent. The receiver's clock merges here, at one place; a stamp too far ahead is not
    /// merged and is reported.
    pub clock: Hlc,
    /// The sender's wall clock then, as it shows, for whoever wonders whether their own is right.
    pub wall: Wall,
    pub life: Life,
    pub message: Message,
}

/// One life of a node, from its start to its end; later ones were born later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// The clock mark that its disk had, above everything said in earlier lives; zero in the first.
    pub born: Hlc,
    /// The first reading of its clock.
    pub first: Hlc,
    /// Random: two lives that begin from copies of one disk have all else in common.
    pub nonce: u64,
}

/// A ballot of one transaction's decision. Ballot zero belongs to the coordinator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ballot {
    pub round: u64,
    pub node: NodeId,
}

impl Ballot {
    /// The coordinator's own.
    pub const ZERO: Ballot = Ballot { round: 0, node: NodeId(0) };
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Abort,
    Commit {
        stamp: Stamp,
        /// Applied only after all of these, besides the record's own dependencies. Used by membership changes
        /// (DESIGN rule 19); empty otherwise.
        after: VersionVector,
    },
}

/// The voting member list and who else belongs to the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub epoch: Epoch,
    pub voters: BTreeMap<NodeId, Member>,
    /// Nodes that lost their membership for good.
    pub removed: std::collections::BTreeSet<NodeId>,
    /// The stamp of the change that made this list.
    pub stamp: Stamp,
    /// The version that all voters understand and that is spoken therefore. It only rises.
    pub version: u8,
}

/// One voting member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub address: Address,
    pub slot: Slot,
}

impl Membership {
    /// The number of members that is a majority.
    pub fn quorum(&self) -> usize {
        self.voters.len() / 2 + 1
    }
    pub fn is_voter(&self, node: NodeId) -> bool {
        self.voters.contains_key(&node)
    }
}

/// What a transaction is, apart from its outcome: recorded by every participant before it answers a Prepare, and
/// shipped whole by anti-entropy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub txn: TxnId,
    /// Precedence: the clock of the first attempt. Lower wins.
    pub begin: Stamp,
    pub epoch: Epoch,
    /// Who decides: the voters of `epoch`.
    pub voters: Arc<[NodeId]>,
    pub level: WriteLevel,
    /// Applied only after all of these: what the snapshot saw.
    pub dependencies: VersionVector,
    pub body: Body,
}

/// The work of a transaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Body {
    Write(Arc<WriteSet>),
    /// A change of the voting member list: the whole new list.
    Members(Arc<Membership>),
    /// For the conflict log: what merges on one node discarded. In ONE logs only; it changes no row and holds no key.
    Conflicts(Arc<[ConflictRow]>),
}

/// What the coordinator knew of one written or locked key, as of the snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// The merge stamp; `Stamp::NONE` means "not above the snapshot's watermark".
    pub stamp: Stamp,
    /// The stamp of the last QUORUM or ALL commit.
    pub quorum: Stamp,
}

/// The part of a Prepare that is judged and then forgotten.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The coordinator's watermark at the snapshot.
    pub watermark: Hlc,
    /// For each of the write set's accesses, in order.
    pub bases: Vec<Base>,
    /// Take the intents only: what the bases are is not judged yet (a schema change locks first, looks afterwards).
    pub lock_only: bool,
    /// A member accepts only if it applied all of these (membership changes, rule 18 and 22).
    pub must_hold: VersionVector,
    /// For a membership change: the stamp of the member list it replaces.
    pub members_base: Stamp,
    /// A member that accepts the Prepare may, in the same durable write, accept Commit at this reading.
    pub fast: Option<Hlc>,
}

/// Why a member does not accept a Prepare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reject {
    /// Another undecided transaction holds a conflicting intent. `queued`: the Prepare is kept and will be judged
    /// again when that one ends; otherwise the holder is older and the coordinator should give way. A schema lock may
    /// meet somebody whose turn it is: `by` is then of that origin, and no position.
    Held { by: TxnId, holder_begin: Stamp, queued: bool },
    /// A key changed since the snapshot.
    Stale { stamp: Stamp },
    /// This member dropped key states above the snapshot's watermark, or lacks ONE records the snapshot saw and is
    /// pulling them.
    Behind { horizon: Hlc },
    /// Another member list is in force here.
    Epoch { current: Epoch },
    /// No room or shutting down.
    Unavailable,
    /// The coordinator's clock is too far ahead: what it proposes would be refused, so it shall not hold keys here.
    ClockAhead { ahead_ms: u64 },
}

/// A transaction as anti-entropy ships it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shipped {
    pub record: Arc<Record>,
    pub stamp: Stamp,
    pub after: VersionVector,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// SWIM, as foca encodes it. Loss and duplication are foca's to handle.
    Swim(#[serde(with = "crate::types::bytes")] Arc<[u8]>),

    /// Coordinator → every voter, and again until enough answered. The member judges it, durably records the record
    /// and its intents, and answers `Prepared`; or answers `Rejected`. A duplicate is answered with the recorded
    /// clock. One whose position is already covered is answered with `Decided`.
    Prepare { record: Arc<Record>, claim: Arc<Claim> },
    /// Participant → coordinator, after the record is durable. `clock` bounds the commit stamp from below. `fast`: it
    /// also accepted Commit at the reading that the claim named; the acceptances of all voters are the decision. Lost:
    /// the Prepare is repeated.
    Prepared { txn: TxnId, clock: Hlc, lock_only: bool, fast: bool, holds: VersionVector },
    /// Participant → coordinator: nothing was recorded. Lost: the Prepare is repeated.
    Rejected { txn: TxnId, lock_only: bool, reason: Reject },

    /// Proposer → every voter of the transaction's epoch. Accepted, durably, unless a higher ballot was promised.
    Accept { txn: TxnId, ballot: Ballot, outcome: Outcome, voters: Arc<[NodeId]> },
    /// Acceptor → proposer, after the acceptance is durable. A quorum of these *is* the decision.
    Accepted { txn: TxnId, ballot: Ballot },
    /// Acceptor → proposer: a higher ballot was promised. The proposer gives way and waits.
    Refused { txn: TxnId, promised: Ballot },

    /// Recoverer → every voter of the transaction's epoch, after its own promise is durable.
    Recover { txn: TxnId, ballot: Ballot },
    /// Acceptor → recoverer, after the promise is durable; with what it accepted before, if anything, and the reading
    /// at which it accepted Commit along with the Prepare.
    Promise { txn: TxnId, ballot: Ballot, accepted: Option<(Ballot, Outcome)>, fast: Option<Hlc> },

    /// Anyone who knows → anyone who should: the outcome is chosen. A receiver without the record pulls it. Lost:
    /// found out by `Inquire`, recovery or sync.
    Decided { txn: TxnId, outcome: Outcome },
    /// Holder of an intent → its coordinator, when nothing was heard for a while. Answered by `Decided` or `Working`.
    Inquire { txn: TxnId },
    /// Coordinator → holder: the transaction is still being worked on; do not recover it yet.
    Working { txn: TxnId },

    /// Everyone → everyone, periodically: gossip of progress. Missing one costs time only.
    Report(Report),
    /// A node that lacks positions → a peer that has them. Answered by `SyncRecords`; unanswered: asked elsewhere.
    SyncRequest { vector: VersionVector, epoch: Epoch },
    /// Committed transactions in an order that respects causality, and positions known to be empty. Applying one
    /// twice is harmless.
    SyncRecords { epoch: Epoch, commits: Vec<Shipped>, aborted: Vec<AbortedRange>, more: bool },
    /// The asked peer's log does not reach back far enough: the position of `origin` before `first_kept` is dropped and the
    /// asker lacks it. It needs a file snapshot.
    SyncTooOld { origin: NodeId, first_kept: Sequence },

    /// Reader → members: what is decided or in flight with you? (Read barrier.)
    Barrier { id: u64, epoch: Epoch },
    /// Member → reader.
    BarrierState { id: u64, epoch: Epoch, holds: VersionVector, live: Vec<TxnId> },

    /// A new node → a seed: let me in as a non-voter. Repeated until answered.
    Join { address: Address },
    /// Member → joiner: the cluster's identity, the member list and what it must catch up to.
    Welcome { cluster: u64, membership: Arc<Membership>, vector: VersionVector },
    /// A caught-up non-voter → a voter: admit me. Repeated until the member list says so.
    AdmitMe { vector: VersionVector, epoch: Epoch },

    /// A node that leaves on purpose: peers need not wait for the failure detector.
    Leaving,

    /// Anyone → a node that began `life` with a disk that has forgotten what was heard of it up to `known`; or, without
    /// that, that asks to join under the id of one who is a member, or was. It stops. Lost: sent again at its next message.
    Outdated { life: Life, known: Option<Hlc> },

    /// A voter that is to stop for good → another voter: take my vote. `own` is all it ever committed; the receiver pulls
    /// what it lacks of that first. Repeated until enough members say, by a `Report` of a newer epoch, that it is done.
    RemoveMe { own: VersionVector, epoch: Epoch },

    /// What only the next version says: nothing. The proof that gates work; see `tests/upgrade.rs`.
    #[cfg(feature = "next-version")]
    Novelty,
}

impl Message {
    /// Whether it may leave before the round that produced it is durable, if that round wrote nothing to
    /// [`Table::Meta`](crate::core::Table::Meta). What a coordinator proposes rests on its position and on the clock
    /// alone, which are durable ahead of use: should the round be lost, a restart knows the position for one that it
    /// may have used, and asks the voters how it ended.
    pub fn may_precede_its_round(&self) -> bool {
        match self {
            Message::Prepare { .. } => true,
            Message::Accept { ballot, .. } => *ballot == Ballot::ZERO,
            _ => false,
        }
    }

    /// Whether it may wait a little for company: no client is answered by it.
    pub fn can_wait(&self) -> bool {
        matches!(self, Message::Decided { .. })
    }
}

/// Positions `first..=last` of `origin` that hold no transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbortedRange {
    pub origin: NodeId,
    pub first: Sequence,
    pub last: Sequence,
}

/// A node's progress, taken atomically.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub epoch: Epoch,
    /// No transaction this node takes part in can still commit at or below this.
    pub low: Hlc,
    /// What this node has applied (or knows to be empty).
    pub vector: VersionVector,
    /// The stable watermark it knows.
    pub watermark: Hlc,
    /// No record that is still to come anywhere depends for its merge on what lies at or below this.
    pub settled: Hlc,
    /// The newest version that this node understands.
    pub newest: u8,
}

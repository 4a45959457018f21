//! What this node did for a transaction, and when, as spans that those of other nodes join without a word between them: trace
//! and span ids follow from the transaction's id (OpenTelemetry's terms).
//!
//! ```text
//!  statement                       session: from the statement to the answer of the core
//!  └─ commit                       coordinator: from the request to its answer
//!     ├─ prepare                   until the outcome is decided or, in two rounds, proposed
//!     │  └─ participant prepare    every other member: from the message to its answer; the disk sync is between
//!     ├─ accept                    the second round, if there is one
//!     │  └─ participant accept
//!     ├─ apply                     until it is visible in the files
//!     └─ participant apply         every other node: from the decision to the rows
//! ```
//!
//! A span is made when it is over, of times that the driver reads anyway, so that nothing is allocated or locked on a commit's
//! way for what is not sampled; spans that `tracing` enters and leaves could not lie between two rounds. Finished ones wait in
//! a bounded queue; what it has no room for is dropped and counted.

use super::metrics::{Counter, Metrics};
use crate::session::StatementSpans;
use crate::types::{Mono, NodeId, TxnId};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Finished spans that may wait to be sent.
const QUEUE: usize = 4096;
/// All of [`SpanQueue::least`]'s unit: the random part of a trace id has 56 bits (W3C Trace Context, level 2).
const RANDOM: u64 = 1 << 56;

/// What a span is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Its class, as `marmot_statement_seconds` has it, and the client's connection.
    Statement {
        class: &'static str,
        connection: u64,
    },
    Commit,
    Prepare,
    Accept,
    Apply,
    ParticipantPrepare,
    ParticipantAccept,
    ParticipantApply,
}

impl Step {
    pub fn name(self) -> &'static str {
        match self {
            Step::Statement { .. } => "statement",
            Step::Commit => "commit",
            Step::Prepare => "prepare",
            Step::Accept => "accept",
            Step::Apply => "apply",
            Step::ParticipantPrepare => "participant prepare",
            Step::ParticipantAccept => "participant accept",
            Step::ParticipantApply => "participant apply",
        }
    }

    /// The step that this one is part of, on the coordinator; `None`: it is the whole.
    fn parent(self) -> Option<Step> {
        match self {
            Step::Statement { .. } => None,
            Step::Commit => Some(Step::Statement { class: "", connection: 0 }),
            Step::Prepare | Step::Accept | Step::Apply | Step::ParticipantApply => Some(Step::Commit),
            Step::ParticipantPrepare => Some(Step::Prepare),
            Step::ParticipantAccept => Some(Step::Accept),
        }
    }

    /// Whether the parent is on another node.
    pub fn is_of_participant(self) -> bool {
        matches!(self, Step::ParticipantPrepare | Step::ParticipantAccept | Step::ParticipantApply)
    }
}

/// A step that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    pub txn: TxnId,
    /// Where it happened.
    pub node: NodeId,
    pub step: Step,
    pub from: Mono,
    pub to: Mono,
    /// What went wrong, if anything.
    pub failure: Option<&'static str>,
}

impl Finished {
    /// The same on every node.
    pub fn trace_id(&self) -> [u8; 16] {
        trace_id(self.txn)
    }

    pub fn span_id(&self) -> [u8; 8] {
        span_id(self.txn, self.node, self.step)
    }

    /// The span that it is part of. A commit that failed has no statement: that may have gone on with another transaction.
    pub fn parent_id(&self) -> Option<[u8; 8]> {
        let parent = self.step.parent().filter(|_| self.step != Step::Commit || self.failure.is_none());
        parent.map(|parent| span_id(self.txn, self.txn.origin.node(), parent))
    }
}

fn trace_id(txn: TxnId) -> [u8; 16] {
    first(digest(b"trace", txn, b""))
}

fn span_id(txn: TxnId, node: NodeId, step: Step) -> [u8; 8] {
    let mut of = node.0.to_be_bytes().to_vec();
    of.extend_from_slice(step.name().as_bytes());
    first(digest(b"span", txn, &of))
}

fn first<const N: usize>(digest: [u8; 32]) -> [u8; N] {
    std::array::from_fn(|at| digest[at])
}

/// Not a secret: a hash, so that all of an id is as good as random, which is what samplers go by.
fn digest(what: &[u8], txn: TxnId, more: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(what).chain_update(txn.to_bytes()).chain_update(more).finalize().into()
}

/// Where finished spans wait. Clones share it.
#[derive(Clone)]
pub struct SpanQueue {
    queue: SyncSender<Finished>,
    /// A trace is sampled from here on.
    least: u64,
    dropped: Counter,
}

impl SpanQueue {
    /// A queue and its other end. Of a million transactions `sampled_millionths` are followed, on every node the same ones.
    pub fn new(sampled_millionths: u32, metrics: &Metrics) -> (SpanQueue, Receiver<Finished>) {
        let (queue, finished) = sync_channel(QUEUE);
        let followed = u128::from(RANDOM) * u128::from(sampled_millionths.min(1_000_000)) / 1_000_000;
        let least = RANDOM - u64::try_from(followed).unwrap_or(RANDOM);
        (SpanQueue { queue, least, dropped: metrics.spans_dropped.clone() }, finished)
    }

    /// For what happens on `node`.
    pub fn of(&self, node: NodeId) -> Arc<Spans> {
        Arc::new(Spans { queue: self.clone(), node })
    }
}

/// Takes the spans of one node.
pub struct Spans {
    queue: SpanQueue,
    node: NodeId,
}

impl Spans {
    /// Whether the transaction is followed: the same on every node that samples alike.
    pub fn follows(&self, txn: TxnId) -> bool {
        let [_, _, _, _, _, _, _, _, random @ ..] = trace_id(txn);
        u64::from_be_bytes(random) % RANDOM >= self.queue.least
    }

    /// A step is over. Never waits.
    pub fn ended(&self, txn: TxnId, step: Step, from: Mono, to: Mono, failure: Option<&'static str>) {
        if !self.follows(txn) {
            return;
        }
        if self.queue.queue.try_send(Finished { txn, node: self.node, step, from, to, failure }).is_err() {
            self.queue.dropped.inc();
        }
    }
}

impl StatementSpans for Spans {
    fn committed(&self, txn: TxnId, class: &'static str, connection: u64, from: Mono, to: Mono) {
        self.ended(txn, Step::Statement { class, connection }, from, to, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn txn(origin: u64, sequence: u64) -> TxnId {
        TxnId { origin: NodeId(origin), sequence }
    }

    fn finished(node: u64, step: Step) -> Finished {
        Finished { txn: txn(1, 5), node: NodeId(node), step, from: Mono(0), to: Mono(1), failure: None }
    }

    #[test]
    fn nodes_agree_on_the_tree_without_a_word() {
        let (commit, prepare) = (finished(1, Step::Commit), finished(1, Step::Prepare));
        let statement = finished(1, Step::Statement { class: "write", connection: 7 });
        assert_eq!((statement.parent_id(), commit.parent_id()), (None, Some(statement.span_id())));
        assert_eq!(prepare.parent_id(), Some(commit.span_id()));
        let votes = [2, 3].map(|node| finished(node, Step::ParticipantPrepare));
        assert!(votes.iter().all(|vote| vote.parent_id() == Some(prepare.span_id())));
        assert_ne!(votes[0].span_id(), votes[1].span_id());
        assert!(votes.iter().all(|vote| vote.trace_id() == statement.trace_id()));
        assert_ne!(trace_id(txn(1, 5)), trace_id(txn(5, 1)));
        assert_eq!(Finished { failure: Some("aborted"), ..commit }.parent_id(), None);
    }

    #[test]
    fn sampling_follows_the_share_asked_for_the_same_everywhere() {
        let metrics = Metrics::new();
        let spans = |millionths| SpanQueue::new(millionths, &metrics).0.of(NodeId(1));
        let count = |millionths| (0..4000).filter(|n| spans(millionths).follows(txn(9, *n))).count();
        assert_eq!((count(0), count(1_000_000)), (0, 4000));
        let tenth = count(100_000);
        assert!((320..480).contains(&tenth), "{tenth} of 4000");
    }

    #[test]
    fn what_has_no_room_is_counted_and_nobody_waits() {
        let metrics = Metrics::new();
        let (queue, finished) = SpanQueue::new(1_000_000, &metrics);
        let spans = queue.of(NodeId(1));
        (0..QUEUE as u64 + 3).for_each(|n| spans.ended(txn(1, n), Step::Commit, Mono(0), Mono(1), None));
        assert_eq!((finished.try_iter().count(), metrics.spans_dropped.get()), (QUEUE, 3));
    }
}

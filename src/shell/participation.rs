//! How long this node takes over the transactions that others coordinate, as spans: see [`spans`](super::spans).

use super::spans::{Spans, Step};
use crate::core::message::{Ballot, Message, Outcome};
use crate::core::{Effect, Input};
use crate::types::{ApplySeq, Mono, NodeId, Span, TxnId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// More are not followed at a time.
const FOLLOWED: usize = 1 << 14;
/// What was not answered after this long will not be.
const FORGOTTEN: Span = Span::from_secs(60);

/// What was heard and not answered yet.
pub struct Participation {
    spans: Arc<Spans>,
    own: NodeId,
    heard: BTreeMap<(TxnId, Step), Mono>,
    applying: VecDeque<(ApplySeq, TxnId, Mono)>,
}

impl Participation {
    pub fn new(own: NodeId, spans: Arc<Spans>) -> Participation {
        Participation { spans, own, heard: BTreeMap::new(), applying: VecDeque::new() }
    }

    /// The node is about to handle `input`.
    pub fn heard(&mut self, now: Mono, input: &Input) {
        let Input::Message(envelope) = input else { return };
        match &envelope.message {
            Message::Prepare { record, claim } if !claim.lock_only => {
                self.begin(now, record.txn, Step::ParticipantPrepare)
            }
            // Those of who takes a dead coordinator's part belong to no span of it.
            Message::Accept { txn, ballot: Ballot::ZERO, .. } => self.begin(now, *txn, Step::ParticipantAccept),
            Message::Decided { txn, outcome: Outcome::Commit { .. } } => self.begin(now, *txn, Step::ParticipantApply),
            Message::Decided { txn, outcome: Outcome::Abort } => {
                let steps = [Step::ParticipantPrepare, Step::ParticipantAccept];
                for step in steps {
                    self.heard.remove(&(*txn, step));
                }
            }
            _ => {}
        }
    }

    /// A message that comes again begins nothing anew.
    fn begin(&mut self, now: Mono, txn: TxnId, step: Step) {
        if txn.origin.node() == self.own || !self.spans.follows(txn) {
            return;
        }
        if self.heard.len() >= FOLLOWED {
            self.heard.retain(|_, since| now.since(*since) < FORGOTTEN);
        }
        if self.heard.len() < FOLLOWED {
            self.heard.entry((txn, step)).or_insert(now);
        }
    }

    /// The node does something.
    pub fn on_effect(&mut self, now: Mono, effect: &Effect) {
        match effect {
            Effect::Send { message, .. } => match message {
                Message::Prepared { txn, lock_only: false, .. } => self.end(now, *txn, Step::ParticipantPrepare, None),
                Message::Rejected { txn, lock_only: false, .. } => {
                    self.end(now, *txn, Step::ParticipantPrepare, Some("rejected"))
                }
                Message::Accepted { txn, .. } => self.end(now, *txn, Step::ParticipantAccept, None),
                Message::Refused { txn, .. } => self.end(now, *txn, Step::ParticipantAccept, Some("refused")),
                _ => {}
            },
            Effect::Apply(task) if task.txn.origin.node() != self.own && self.spans.follows(task.txn) => {
                let since = self.heard.remove(&(task.txn, Step::ParticipantApply)).unwrap_or(now);
                self.applying.push_back((task.seq, task.txn, since));
            }
            Effect::Apply(_) | Effect::Reply(..) | Effect::Notice(_) | Effect::Publish(_) => {}
        }
    }

    fn end(&mut self, now: Mono, txn: TxnId, step: Step, failure: Option<&'static str>) {
        let Some(since) = self.heard.remove(&(txn, step)) else { return };
        self.spans.ended(txn, step, since, now, failure);
    }

    /// Everything up to `seq` is in the files.
    pub fn applied(&mut self, now: Mono, seq: ApplySeq) {
        while let Some((_, txn, since)) = self.applying.pop_front_if(|(at, ..)| *at <= seq) {
            self.spans.ended(txn, Step::ParticipantApply, since, now, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::message::{Envelope, Life, Reject};
    use crate::core::{ApplyTask, Destination};
    use crate::shell::metrics::Metrics;
    use crate::shell::spans::SpanQueue;
    use crate::types::{Hlc, Stamp, VersionVector, Wall, WriteSet};

    const OWN: NodeId = NodeId(2);
    const OTHER: NodeId = NodeId(1);

    fn heard(message: Message) -> Input {
        let (from_address, life) = ("a:1".into(), Life::default());
        Input::Message(Envelope { from: OTHER, from_address, clock: Hlc(0), wall: Wall(0), life, message })
    }

    fn says(message: Message) -> Effect {
        Effect::Send { to: Destination::Node { id: OTHER, address: "a:1".into() }, message }
    }

    fn accept(txn: TxnId) -> Message {
        let outcome = Outcome::Commit { stamp: Stamp::NONE, after: VersionVector::new() };
        Message::Accept { txn, ballot: Ballot::ZERO, outcome, voters: Arc::from([]) }
    }

    fn decided(txn: TxnId) -> Message {
        Message::Decided { txn, outcome: Outcome::Commit { stamp: Stamp::NONE, after: VersionVector::new() } }
    }

    fn apply(txn: TxnId, seq: ApplySeq) -> Effect {
        let write_set = Arc::new(WriteSet::default());
        let (amendments, evictions) = Default::default();
        Effect::Apply(ApplyTask { seq, txn, stamp: Stamp::NONE, write_set, amendments, evictions, may_evict: false })
    }

    #[test]
    fn what_is_heard_begins_and_what_is_said_ends() {
        let (queue, finished) = SpanQueue::new(1_000_000, &Metrics::new());
        let mut participation = Participation::new(OWN, queue.of(OWN));
        let txn = TxnId { origin: OTHER, sequence: 7 };
        let own = TxnId { origin: OWN, sequence: 7 };
        participation.heard(Mono(1), &heard(accept(txn)));
        participation.heard(Mono(2), &heard(accept(txn)));
        participation.heard(Mono(2), &heard(accept(own)));
        participation.on_effect(Mono(5), &says(Message::Accepted { txn, ballot: Ballot::ZERO }));
        participation.on_effect(Mono(6), &says(Message::Accepted { txn, ballot: Ballot::ZERO }));
        participation.heard(Mono(7), &heard(decided(txn)));
        participation.on_effect(Mono(8), &apply(txn, 4));
        participation.on_effect(Mono(8), &apply(own, 5));
        participation.applied(Mono(9), 3);
        participation.applied(Mono(12), 5);
        let seen: Vec<_> = finished.try_iter().map(|s| (s.txn, s.node, s.step, s.from.0, s.to.0)).collect();
        let expected = [(Step::ParticipantAccept, 1, 5), (Step::ParticipantApply, 7, 12)];
        assert_eq!(seen, expected.map(|(step, from, to)| (txn, OWN, step, from, to)));
    }

    #[test]
    fn refusals_are_failures_and_nothing_is_kept_of_what_was_aborted() {
        let (queue, finished) = SpanQueue::new(1_000_000, &Metrics::new());
        let mut participation = Participation::new(OWN, queue.of(OWN));
        let of = |sequence| TxnId { origin: OTHER, sequence };
        participation.begin(Mono(1), of(1), Step::ParticipantPrepare);
        let reason = Reject::ClockAhead { ahead_ms: 1 };
        participation.on_effect(Mono(2), &says(Message::Rejected { txn: of(1), lock_only: false, reason }));
        participation.begin(Mono(3), of(2), Step::ParticipantPrepare);
        participation.heard(Mono(4), &heard(Message::Decided { txn: of(2), outcome: Outcome::Abort }));
        assert_eq!(finished.try_iter().map(|s| s.failure).collect::<Vec<_>>(), [Some("rejected")]);
        assert!(participation.heard.is_empty());
        // What is never answered makes room for others after a while.
        (0..FOLLOWED as u64 + 1).for_each(|n| participation.begin(Mono(5), of(n + 10), Step::ParticipantAccept));
        assert_eq!(participation.heard.len(), FOLLOWED);
        participation.begin(Mono(5).after(FORGOTTEN), of(9), Step::ParticipantAccept);
        assert_eq!(participation.heard.len(), 1);
    }
}

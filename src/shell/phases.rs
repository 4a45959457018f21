//! How long the commits that this node coordinates stay in each phase, seen from outside the core: by what it is asked, says
//! and answers.
//!
//! ```text
//!  request ─▶ Prepare sent ─────▶ Accept sent ───▶ Apply ─────▶ Applied ─▶ answer
//!             │ prepare          │ accept         │ apply      │
//!             │ prepare, in one round ───────────▶│            │
//!  │ commit ──────────────────────────────────────────────────────────────▶│
//! ```

use super::metrics::{Metrics, observe};
use super::spans::{Spans, Step};
use crate::core::message::{Ballot, Message, Outcome};
use crate::core::{Effect, Request, Response};
use crate::types::{ApplySeq, ClientId, Mono, NodeId, TxnId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// More are not followed: those whose end this node does not learn would gather.
const FOLLOWED: usize = 1 << 16;

/// The commits under way.
pub struct Phases {
    metrics: Arc<Metrics>,
    own: NodeId,
    asked: BTreeMap<ClientId, Mono>,
    under_way: BTreeMap<TxnId, UnderWay>,
    applying: VecDeque<(ApplySeq, TxnId, Mono)>,
    /// Where they are told to, if anybody wants to see single ones.
    spans: Option<Arc<Spans>>,
}

struct UnderWay {
    prepare: Mono,
    accept: Option<Mono>,
}

impl Phases {
    pub fn new(own: NodeId, metrics: Arc<Metrics>, spans: Option<Arc<Spans>>) -> Phases {
        let (asked, under_way, applying) = Default::default();
        Phases { metrics, own, asked, under_way, applying, spans }
    }

    fn ended(&self, txn: TxnId, step: Step, from: Mono, to: Mono) {
        let phase = match step {
            Step::Commit => &self.metrics.commit,
            Step::Prepare => &self.metrics.prepare,
            Step::Accept => &self.metrics.accept,
            _ => &self.metrics.apply,
        };
        observe(phase, to.since(from));
        self.tell(txn, step, from, to, None);
    }

    fn tell(&self, txn: TxnId, step: Step, from: Mono, to: Mono, failure: Option<&'static str>) {
        if let Some(spans) = &self.spans {
            spans.ended(txn, step, from, to, failure);
        }
    }

    /// A session asks.
    pub fn asked(&mut self, now: Mono, client: ClientId, request: &Request) {
        if matches!(request, Request::Commit { .. } | Request::CommitLocked { .. }) {
            self.asked.insert(client, now);
        }
    }

    /// A session is gone.
    pub fn gone(&mut self, client: ClientId) {
        self.asked.remove(&client);
    }

    /// The node does something.
    pub fn on_effect(&mut self, now: Mono, effect: &Effect) {
        match effect {
            Effect::Send { message, .. } => self.on_send(now, message),
            Effect::Apply(task) if task.txn.origin.node() == self.own => {
                if let Some(c) = self.under_way.remove(&task.txn) {
                    match c.accept {
                        None => self.ended(task.txn, Step::Prepare, c.prepare, now),
                        Some(accept) => self.ended(task.txn, Step::Accept, accept, now),
                    }
                }
                self.applying.push_back((task.seq, task.txn, now));
            }
            Effect::Reply(client, response) => {
                let asked = self.asked.remove(client);
                if let (Some(asked), Response::Committed { txn, .. }) = (asked, response) {
                    self.ended(*txn, Step::Commit, asked, now);
                }
            }
            Effect::Apply(_) | Effect::Notice(_) | Effect::Publish(_) => {}
        }
    }

    fn on_send(&mut self, now: Mono, message: &Message) {
        match message {
            Message::Prepare { record, claim } if record.txn.origin == self.own && !claim.lock_only => {
                if self.under_way.len() < FOLLOWED {
                    self.under_way.entry(record.txn).or_insert(UnderWay { prepare: now, accept: None });
                }
            }
            Message::Accept { txn, ballot: Ballot::ZERO, outcome: Outcome::Commit { .. }, .. } => {
                if let Some(c) = self.under_way.get_mut(txn).filter(|c| c.accept.is_none()) {
                    c.accept = Some(now);
                    let prepare = c.prepare;
                    self.ended(*txn, Step::Prepare, prepare, now);
                }
            }
            Message::Decided { txn, outcome: Outcome::Abort } => {
                if let Some(c) = self.under_way.remove(txn) {
                    let (step, since) = c.accept.map_or((Step::Prepare, c.prepare), |accept| (Step::Accept, accept));
                    self.tell(*txn, step, since, now, Some("aborted"));
                    self.tell(*txn, Step::Commit, c.prepare, now, Some("aborted"));
                }
            }
            _ => {}
        }
    }

    /// Everything up to `seq` is in the files.
    pub fn applied(&mut self, now: Mono, seq: ApplySeq) {
        while let Some((_, txn, since)) = self.applying.pop_front_if(|(at, ..)| *at <= seq) {
            self.ended(txn, Step::Apply, since, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::message::{Body, Claim, Record};
    use crate::core::{ApplyTask, Destination};
    use crate::types::{Snapshot, Span, Stamp, VersionVector, WriteLevel, WriteSet};

    const OWN: NodeId = NodeId(1);

    fn send(message: Message) -> Effect {
        Effect::Send { to: Destination::Node { id: NodeId(2), address: "a:1".into() }, message }
    }

    fn prepare(txn: TxnId) -> Effect {
        let record = Record {
            txn,
            begin: Stamp::NONE,
            epoch: Default::default(),
            voters: Arc::from([]),
            level: WriteLevel::Quorum,
            dependencies: VersionVector::new(),
            body: Body::Write(Arc::new(WriteSet::default())),
        };
        send(Message::Prepare { record: Arc::new(record), claim: Arc::new(Claim::default()) })
    }

    fn apply(txn: TxnId, seq: ApplySeq) -> Effect {
        Effect::Apply(ApplyTask {
            seq,
            txn,
            stamp: Stamp::NONE,
            write_set: Arc::new(WriteSet::default()),
            amendments: Vec::new(),
            evictions: Vec::new(),
            may_evict: false,
        })
    }

    fn at(seconds: u64) -> Mono {
        Mono(seconds * 1_000_000_000)
    }

    /// Count and sum of each histogram: commit, prepare, accept, apply.
    fn seen(metrics: &Metrics) -> [(u64, f64); 4] {
        [&metrics.commit, &metrics.prepare, &metrics.accept, &metrics.apply]
            .map(|h| (h.get_sample_count(), h.get_sample_sum()))
    }

    #[test]
    fn each_phase_is_timed_once() {
        let metrics = Metrics::new();
        let mut phases = Phases::new(OWN, metrics.clone(), None);
        let txn = TxnId { origin: OWN, sequence: 1 };
        let commit = Request::Commit {
            write_set: Arc::new(WriteSet::default()),
            snapshot: Snapshot::default(),
            level: WriteLevel::Quorum,
            begin: None,
            lock_wait: Span::ZERO,
        };
        let client = ClientId(7);
        phases.asked(at(0), client, &commit);
        // To two peers, and once more to one of them.
        [1, 1, 2].iter().for_each(|s| phases.on_effect(at(*s), &prepare(txn)));
        let outcome = Outcome::Commit { stamp: Stamp::NONE, after: VersionVector::new() };
        let accept = send(Message::Accept { txn, ballot: Ballot::ZERO, outcome, voters: Arc::from([]) });
        [4, 5].iter().for_each(|s| phases.on_effect(at(*s), &accept));
        phases.on_effect(at(9), &apply(txn, 3));
        phases.applied(at(10), 2);
        phases.applied(at(14), 3);
        phases.on_effect(at(15), &Effect::Reply(client, Response::Committed { txn, stamp: Stamp::NONE }));
        assert_eq!(seen(&metrics), [(1, 15.0), (1, 3.0), (1, 5.0), (1, 5.0)]);
    }

    #[test]
    fn one_round_has_no_second_and_an_abort_leaves_nothing() {
        let metrics = Metrics::new();
        let mut phases = Phases::new(OWN, metrics.clone(), None);
        let (one, aborted) = (TxnId { origin: OWN, sequence: 1 }, TxnId { origin: OWN, sequence: 2 });
        phases.on_effect(at(1), &prepare(one));
        phases.on_effect(at(1), &prepare(aborted));
        phases.on_effect(at(1), &prepare(TxnId { origin: NodeId(2), sequence: 1 }));
        phases.on_effect(at(3), &apply(one, 1));
        phases.on_effect(at(4), &send(Message::Decided { txn: aborted, outcome: Outcome::Abort }));
        phases.applied(at(4), 1);
        assert_eq!(seen(&metrics), [(0, 0.0), (1, 2.0), (0, 0.0), (1, 1.0)]);
        assert!(phases.under_way.is_empty() && phases.applying.is_empty());
    }
}

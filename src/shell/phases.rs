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
    applying: VecDeque<(ApplySeq, Mono)>,
}

struct UnderWay {
    prepare: Mono,
    accept: Option<Mono>,
    /// From the first Prepare to the outcome, for whoever collects spans.
    _span: tracing::Span,
}

impl Phases {
    pub fn new(own: NodeId, metrics: Arc<Metrics>) -> Phases {
        let (asked, under_way, applying) = Default::default();
        Phases { metrics, own, asked, under_way, applying }
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
                        None => observe(&self.metrics.prepare, now.since(c.prepare)),
                        Some(accept) => observe(&self.metrics.accept, now.since(accept)),
                    }
                }
                self.applying.push_back((task.seq, now));
            }
            Effect::Reply(client, response) => {
                let asked = self.asked.remove(client);
                if let (Some(asked), Response::Committed { .. }) = (asked, response) {
                    observe(&self.metrics.commit, now.since(asked));
                }
            }
            Effect::Apply(_) | Effect::Notice(_) | Effect::Publish(_) => {}
        }
    }

    fn on_send(&mut self, now: Mono, message: &Message) {
        match message {
            Message::Prepare { record, claim } if record.txn.origin == self.own && !claim.lock_only => {
                if self.under_way.len() < FOLLOWED {
                    let start = || UnderWay { prepare: now, accept: None, _span: super::trace::commit(record.txn) };
                    self.under_way.entry(record.txn).or_insert_with(start);
                }
            }
            Message::Accept { txn, ballot: Ballot::ZERO, outcome: Outcome::Commit { .. }, .. } => {
                if let Some(c) = self.under_way.get_mut(txn).filter(|c| c.accept.is_none()) {
                    observe(&self.metrics.prepare, now.since(c.prepare));
                    c.accept = Some(now);
                }
            }
            Message::Decided { txn, outcome: Outcome::Abort } => drop(self.under_way.remove(txn)),
            _ => {}
        }
    }

    /// Everything up to `seq` is in the files.
    pub fn applied(&mut self, now: Mono, seq: ApplySeq) {
        while let Some((_, since)) = self.applying.pop_front_if(|(at, _)| *at <= seq) {
            observe(&self.metrics.apply, now.since(since));
        }
    }
}

//! The transactions that are not over, as this node knows them: for `marmot.transactions` and `marmot.intents`.

use super::message::{Body, Record};
use super::node::Node;
use super::txn::coordinator::Phase;
use crate::types::{ClientId, Key, Mode, NodeId, Span, Stamp, TxnId, WriteSet};
use std::fmt;

/// Transactions told of at most, and keys of all of them together: an answer stays small whatever is going on.
const TRANSACTIONS: usize = 1000;
const KEYS: usize = 10_000;

/// Where a transaction stands here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OpenState {
    /// Waits, without a position yet, for the transaction that holds one of its keys.
    Parked(TxnId),
    /// Coordinated here; see [`Phase`].
    Coordinated(Phase),
    /// Another node's: its intents are held here, its outcome is not known.
    Prepared,
    /// Another node's: waits here for a younger one that holds one of its keys.
    Queued(TxnId),
    /// Only a vote of it is kept here.
    Voted,
    /// Committed, but something it builds on is not here yet.
    Decided,
}

impl fmt::Display for OpenState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OpenState::Parked(_) => "PARKED",
            OpenState::Coordinated(Phase::Locking) => "LOCKING",
            OpenState::Coordinated(Phase::Barrier) => "CATCHING UP",
            OpenState::Coordinated(Phase::Locked) => "LOCKED",
            OpenState::Coordinated(Phase::Preparing) => "PREPARING",
            OpenState::Coordinated(Phase::Proposed) => "PROPOSED",
            OpenState::Coordinated(Phase::Applying) => "APPLYING",
            OpenState::Prepared => "PREPARED",
            OpenState::Queued(_) => "QUEUED",
            OpenState::Voted => "VOTED",
            OpenState::Decided => "DECIDED",
        })
    }
}

/// One transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenTransaction {
    /// `None`: it has no position yet.
    pub txn: Option<TxnId>,
    pub coordinator: NodeId,
    pub state: OpenState,
    /// Who waits for it, if it is a client of this node.
    pub client: Option<ClientId>,
    /// Since its first attempt began, by this node's clock; `None` if nothing but its position is known.
    pub age: Option<Span>,
    /// Its intents are held here.
    pub holds: bool,
    pub key_count: usize,
    /// The first of them, if there are too many.
    pub keys: Vec<(Key, Mode)>,
}

impl OpenTransaction {
    /// The one it waits for.
    pub fn waits_for(&self) -> Option<TxnId> {
        match self.state {
            OpenState::Parked(by) | OpenState::Queued(by) => Some(by),
            _ => None,
        }
    }
}

fn first_keys(write_set: &WriteSet) -> Vec<(Key, Mode)> {
    write_set.accesses().take(KEYS).map(|access| (access.key, access.mode)).collect()
}

impl Node {
    /// Transactions that are not over, coordinated ones first; at most a thousand.
    pub fn open_transactions(&self) -> Vec<OpenTransaction> {
        let holds = |txn: &TxnId| self.live.get(txn).is_some_and(|l| l.prepared.is_some());
        let own = self.coordinating.iter().map(|(txn, c)| OpenTransaction {
            client: c.client,
            holds: holds(txn),
            ..self.described(OpenState::Coordinated(c.phase), *txn, Some(&c.record))
        });
        let parked = self.parked.iter().map(|p| OpenTransaction {
            txn: None,
            coordinator: self.id,
            state: OpenState::Parked(p.blocked_by),
            client: Some(p.request.client),
            age: self.age(p.request.begin),
            holds: false,
            key_count: p.request.write_set.access_count(),
            keys: first_keys(&p.request.write_set),
        });
        let others = self.live.iter().filter(|(txn, _)| !self.coordinating.contains_key(txn)).map(|(txn, live)| {
            let state = match (&live.decided, live.prepared) {
                (Some(_), _) => OpenState::Decided,
                (None, Some(_)) => OpenState::Prepared,
                (None, None) => OpenState::Voted,
            };
            OpenTransaction { holds: holds(txn), ..self.described(state, *txn, live.record.as_deref()) }
        });
        let queued = self.waiting.iter().filter(|w| !self.coordinating.contains_key(&w.record.txn));
        let queued = queued.map(|w| self.described(OpenState::Queued(w.blocked_by), w.record.txn, Some(&w.record)));
        let mut left = KEYS;
        let all = own.chain(parked).chain(others).chain(queued).take(TRANSACTIONS).map(|mut open| {
            open.keys.truncate(left);
            left -= open.keys.len();
            open
        });
        all.collect()
    }

    fn described(&self, state: OpenState, txn: TxnId, record: Option<&Record>) -> OpenTransaction {
        let (key_count, keys) = match record.map(|r| &r.body) {
            Some(Body::Write(write_set)) => (write_set.access_count(), first_keys(write_set)),
            Some(Body::Members(_)) => (1, vec![(Key::Members, Mode::Write)]),
            Some(Body::Conflicts(_)) | None => (0, Vec::new()),
        };
        OpenTransaction {
            txn: Some(txn),
            coordinator: txn.origin.node(),
            state,
            client: None,
            age: record.and_then(|r| self.age(r.begin)),
            holds: false,
            key_count,
            keys,
        }
    }

    fn age(&self, begin: Stamp) -> Option<Span> {
        Some(Span::from_millis(self.now.wall.0.saturating_sub(begin.hlc.millis())))
    }
}

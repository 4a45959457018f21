//! Transactions whose outcome is not yet recorded here, and the keys they hold.

use crate::core::fault::Fatal;
use crate::core::message::{Ballot, Body, Claim, Outcome, Record};
use crate::core::storage::{Storage, Table, save};
use crate::types::{Hlc, Key, Mode, Mono, NodeId, Stamp, TxnId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An undecided transaction, or one decided but waiting for what it depends on.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// Absent if this node was only asked to accept, or only heard the outcome.
    pub record: Option<Arc<Record>>,
    /// The clock answered to its Prepare: its intents are held here.
    pub prepared: Option<Hlc>,
    /// Only the intents were taken so far (a schema change that looks before it writes).
    pub lock_only: bool,
    pub promised: Ballot,
    pub accepted: Option<(Ballot, Outcome)>,
    /// The reading at which Commit was accepted along with the Prepare, below every ballot.
    pub fast: Option<Hlc>,
    /// Who decides, as far as known.
    pub voters: Option<Arc<[NodeId]>>,
    pub decided: Option<Outcome>,
    /// When its coordinator last gave a sign of working on it.
    pub heard: Mono,
    /// When this node last asked the coordinator.
    pub inquired: Option<Mono>,
}

/// What of a [`Live`] survives a crash: written before the answer that depends on it leaves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    pub prepared: Option<Hlc>,
    pub lock_only: bool,
    pub promised: Ballot,
    pub accepted: Option<(Ballot, Outcome)>,
    pub fast: Option<Hlc>,
    pub voters: Option<Arc<[NodeId]>>,
}

impl Live {
    pub fn vote(&self) -> Vote {
        Vote {
            prepared: self.prepared,
            lock_only: self.lock_only,
            promised: self.promised,
            accepted: self.accepted.clone(),
            fast: self.fast,
            voters: self.voters.clone(),
        }
    }

    pub fn from_vote(vote: Vote, record: Option<Arc<Record>>, now: Mono) -> Live {
        Live {
            record,
            prepared: vote.prepared,
            lock_only: vote.lock_only,
            promised: vote.promised,
            accepted: vote.accepted,
            fast: vote.fast,
            voters: vote.voters,
            heard: now,
            ..Live::default()
        }
    }

    pub fn save_vote(&self, store: &mut dyn Storage, txn: TxnId) -> Result<(), Fatal> {
        save(store, Table::Ballot, &txn.to_bytes(), &self.vote())
    }

    /// Precedence; a transaction known only by its position comes last.
    pub fn begin(&self) -> Stamp {
        self.record.as_ref().map_or(Stamp { hlc: Hlc::MAX, node: NodeId(0) }, |r| r.begin)
    }

    pub fn changes_members(&self) -> bool {
        self.record.as_ref().is_some_and(|r| matches!(r.body, Body::Members(_)))
    }
}

/// Which undecided transactions hold which keys.
#[derive(Debug, Default)]
pub struct Intents {
    holders: BTreeMap<Key, Vec<(TxnId, Mode)>>,
    /// The membership change held here, which excludes every other transaction.
    pub members: Option<TxnId>,
    /// Transactions with intents.
    pub count: usize,
}

impl Intents {
    pub fn take(&mut self, record: &Record) {
        self.count += 1;
        match &record.body {
            Body::Conflicts(_) => {}
            Body::Members(_) => self.members = Some(record.txn),
            Body::Write(write_set) => {
                for access in write_set.accesses() {
                    let holders = self.holders.entry(access.key).or_default();
                    match holders.iter_mut().find(|(t, _)| *t == record.txn) {
                        Some((_, mode)) => *mode = (*mode).max(access.mode),
                        None => holders.push((record.txn, access.mode)),
                    }
                }
            }
        }
    }

    pub fn release(&mut self, record: &Record) {
        self.count = self.count.saturating_sub(1);
        match &record.body {
            Body::Conflicts(_) => {}
            Body::Members(_) => self.members = None,
            Body::Write(write_set) => {
                for access in write_set.accesses() {
                    if let Some(holders) = self.holders.get_mut(&access.key) {
                        holders.retain(|(t, _)| *t != record.txn);
                        if holders.is_empty() {
                            self.holders.remove(&access.key);
                        }
                    }
                }
            }
        }
    }

    /// A transaction, other than `except`, that holds `key` in a mode that excludes `mode`.
    pub fn conflict(&self, key: &Key, mode: Mode, except: TxnId) -> Option<TxnId> {
        let holders = self.holders.get(key)?;
        holders.iter().find(|(t, m)| *t != except && (*m == Mode::Write || mode == Mode::Write)).map(|(t, _)| *t)
    }

    /// Whether `except` is the only one with intents here.
    pub fn any_but(&self, live: &BTreeMap<TxnId, Live>, except: TxnId) -> Option<TxnId> {
        live.iter().find(|(t, l)| **t != except && l.prepared.is_some()).map(|(t, _)| *t)
    }
}

/// A Prepare that could not be judged yet because a younger transaction holds a key: judged again when that ends.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub record: Arc<Record>,
    pub claim: Arc<Claim>,
    pub blocked_by: TxnId,
}

/// The turn of a transaction that was sent back because a schema changed: until it is back, no younger change of these
/// schemas is locked. Who makes one change after the other asks for the next lock sooner than a statement is planned
/// anew.
#[derive(Debug)]
struct Turn {
    schemas: BTreeSet<Key>,
    until: Mono,
}

/// Waiting Prepares, and the turns of who will ask again, by precedence.
#[derive(Debug, Default)]
pub struct WaitingList {
    entries: BTreeMap<(Stamp, TxnId), Waiting>,
    turns: BTreeMap<Stamp, Turn>,
}

impl WaitingList {
    pub fn insert(&mut self, waiting: Waiting) {
        self.entries.insert((waiting.record.begin, waiting.record.txn), waiting);
    }
    pub fn remove(&mut self, begin: Stamp, txn: TxnId) -> Option<Waiting> {
        self.entries.remove(&(begin, txn))
    }
    /// Forgets a transaction that ended.
    pub fn remove_txn(&mut self, txn: TxnId) {
        self.entries.retain(|(_, t), _| *t != txn);
    }
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    pub fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.entries.values()
    }
    /// Takes out those that waited for `txn`, oldest first.
    pub fn unblocked_by(&mut self, txn: TxnId) -> Vec<Waiting> {
        let ready: Vec<_> = self.entries.iter().filter(|(_, w)| w.blocked_by == txn).map(|(k, _)| *k).collect();
        ready.into_iter().filter_map(|k| self.entries.remove(&k)).collect()
    }
    /// Keeps the turn of a transaction that reads `schemas` until it is taken, for as long as it may take to be back.
    pub fn keep_turn(&mut self, begin: Stamp, schemas: BTreeSet<Key>, now: Mono, until: Mono) {
        self.turns.retain(|_, turn| turn.until > now);
        self.turns.insert(begin, Turn { schemas, until });
    }
    /// It is back, and has its place.
    pub fn take_turn(&mut self, begin: Stamp) {
        self.turns.remove(&begin);
    }
    /// The oldest transaction whose turn comes before that of a change of `schemas` with precedence `begin`.
    pub fn turn_before(&self, begin: Stamp, schemas: &BTreeSet<Key>, now: Mono) -> Option<Stamp> {
        let mut older = self.turns.range(..begin);
        older.find(|(_, turn)| turn.until > now && !turn.schemas.is_disjoint(schemas)).map(|(begin, _)| *begin)
    }
    /// Keeps only those for which `keep` holds.
    pub fn retain(&mut self, keep: impl Fn(&Waiting) -> bool) {
        self.entries.retain(|_, w| keep(w));
    }
    /// A waiting transaction older than `begin` that will want `key` in a mode that excludes `mode`. A younger one
    /// must not overtake it, else it starves.
    pub fn older_wanting(&self, key: &Key, mode: Mode, begin: Stamp, except: TxnId) -> Option<(TxnId, Stamp)> {
        let older = self.entries.range(..(begin, TxnId::default()));
        for ((their_begin, txn), waiting) in older {
            if *txn == except {
                continue;
            }
            let wants = match &waiting.record.body {
                Body::Conflicts(_) => false,
                Body::Members(_) => true,
                Body::Write(write_set) => {
                    write_set.accesses().any(|a| a.key == *key && (a.mode == Mode::Write || mode == Mode::Write))
                }
            };
            if wants {
                return Some((*txn, *their_begin));
            }
        }
        None
    }
}

//! One round instead of two: Commit is accepted along with the Prepare (Fast Paxos, Lamport 2006, with all voters as the
//! fast quorum and the coordinator as the only learner).
//!
//! ```text
//!  coordinator: Prepare(record, commit at S?) ─▶ voters ─ Prepared(accepted at S) ─▶ all of them: THIS is the commit
//! ```
//!
//! The coordinator offers this while every voter was heard a moment ago: what it offers it cannot take back alone, so if
//! the majority is lost while it waits, the outcome is unknown until there is one again. A member that accepts the Prepare also accepts
//! Commit at `S`, in the same durable write, below every ballot: if it promised nobody anything, and if it has not yet
//! reported that nothing commits at or below `S` any more (the watermark rests on that).
//!
//! If one is slow or refuses, the coordinator goes on as usual at ballot zero: with Commit if a quorum prepared, with Abort
//! otherwise. It cannot just abort: those that accepted could be a quorum, and look to a recoverer as if all had. From
//! then on it does not count acceptances along with the Prepare any more, so there is one proposal that can win.
//!
//! *Recovery*: a quorum promises. An outcome accepted at a ballot comes first, as ever. If there is none, and all who
//! promised accepted along with the Prepare, then all voters may have, and the coordinator may have seen it: Commit at
//! `S`. If one of them did not, it never will, and nobody saw all: Abort.

use super::coordinator::{Coordination, Phase};
use crate::core::fault::{Fatal, Refusal};
use crate::core::message::{Ballot, Body, Claim, Outcome, Record};
use crate::core::node::{Io, Node};
use crate::core::planted::Bug;
use crate::types::{Hlc, Mono, NodeId, Span, Stamp, TxnId, VersionVector, WriteLevel};
use std::collections::{BTreeMap, BTreeSet};

/// Whether one round is tried.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fast {
    /// Not before: somebody is slow.
    again_at: Mono,
    /// So many in a row had to go on in two rounds.
    missed: u32,
}

/// So many in a row, and one round is not tried for a while.
const MISSED_MAX: u32 = 3;

/// What those who promised say together.
pub(super) fn fast_outcome(txn: TxnId, promised: &BTreeSet<NodeId>, fast: &BTreeMap<NodeId, Hlc>) -> Outcome {
    match fast.values().next() {
        Some(hlc) if promised.iter().all(|node| fast.contains_key(node)) => commit_at(txn, *hlc),
        _ => Outcome::Abort,
    }
}

fn commit_at(txn: TxnId, hlc: Hlc) -> Outcome {
    Outcome::Commit { stamp: Stamp { hlc, node: txn.origin }, after: VersionVector::new() }
}

impl Node {
    /// The reading at which the voters may accept Commit along with the Prepare of `record`; `None`: in two rounds.
    pub(super) fn fast_stamp(&mut self, record: &Record) -> Option<Hlc> {
        let Body::Write(write_set) = &record.body else { return None };
        let patience = self.config.timing.fast_patience;
        if patience.0 == 0 || write_set.ddl.is_some() || record.voters.len() < 2 || self.fast.again_at > self.now.mono {
            return None;
        }
        let heard = |v: &NodeId| {
            let peer = self.peers.get(*v)?;
            Some(peer.alive && self.now.mono.since(peer.heard) < self.soon())
        };
        let all = record.voters.iter().all(|v| *v == self.id || heard(v).unwrap_or(false));
        all.then(|| self.clock.tick(self.now.wall))
    }

    /// Whether this member, which accepts the Prepare, accepts Commit along with it.
    pub(super) fn accepts_along(&self, record: &Record, claim: &Claim) -> Option<Hlc> {
        let planted = self.config.planted;
        let stamp = claim.fast?;
        let live = self.live.get(&record.txn);
        let promised = live.is_some_and(|l| l.promised > Ballot::ZERO || l.accepted.is_some());
        let settled = stamp <= self.progress.reported;
        let refused = claim.lock_only
            || (promised && !planted.has(Bug::FastAfterPromise))
            || (settled && !planted.has(Bug::FastBelowReport));
        (!refused).then_some(stamp)
    }

    /// A voter prepared. All accepted along: decided. A quorum prepared: the rest is waited for a little, unless one of
    /// them did not accept. Returns whether to go on in two rounds.
    pub(super) fn fast_prepared(&mut self, io: &mut Io<'_>, txn: TxnId) -> Result<bool, Fatal> {
        let now = self.now.mono;
        let patience = self.config.timing.fast_patience;
        let Some(c) = self.coordinating.get_mut(&txn) else { return Ok(false) };
        let Some(hlc) = c.claim.fast else { return Ok(true) };
        let enough = match self.config.planted.has(Bug::FastByMajority) {
            true => c.quorum(),
            false => c.record.voters.len(),
        };
        if c.fast.len() >= enough {
            c.proposal = Some(commit_at(txn, hlc));
            c.accepted = c.fast.clone();
            self.ended.in_one_round += 1;
            self.fast.missed = 0;
            self.chosen(io, txn)?;
            self.answer_applied(io, txn);
            return Ok(false);
        }
        if c.prepared.len() < c.needed() {
            return Ok(false);
        }
        let until = *c.others_until.get_or_insert(now.after(patience));
        Ok(c.prepared.len() > c.fast.len() || until <= now)
    }

    /// The stamp to propose, if all who prepared accepted it along.
    pub(super) fn fast_proposal(&self, txn: TxnId) -> Option<Hlc> {
        let c = self.coordinating.get(&txn)?;
        c.claim.fast.filter(|_| c.prepared == c.fast)
    }

    /// Goes on in two rounds where one was waited for long enough.
    pub(super) fn tick_fast(&mut self, io: &mut Io<'_>) -> Result<(), Fatal> {
        let now = self.now.mono;
        let late = |c: &Coordination| c.phase == Phase::Preparing && c.others_until.is_some_and(|until| until <= now);
        let late: Vec<TxnId> = self.coordinating.iter().filter(|(_, c)| late(c)).map(|(t, _)| *t).collect();
        for txn in late {
            self.fast.missed += 1;
            if self.fast.missed >= MISSED_MAX {
                self.fast = Fast { again_at: now.after(self.config.timing.retransmit), missed: 0 };
            }
            self.propose(io, txn)?;
        }
        Ok(())
    }

    /// Proposes Abort at ballot zero, for a transaction that others may have accepted along with its Prepare.
    pub(super) fn propose_abort(&mut self, io: &mut Io<'_>, txn: TxnId, reason: Refusal) {
        let deadline = self.now.mono.after(self.fast_margin());
        let Some(c) = self.coordinating.get_mut(&txn) else { return };
        c.reason = Some(reason);
        c.phase = Phase::Proposed;
        c.deadline = c.deadline.max(deadline);
        c.proposal = Some(Outcome::Abort);
        self.resend(io, txn);
    }

    /// The part of the write timeout kept for an Abort to become certain.
    pub(super) fn fast_margin(&self) -> Span {
        let timing = &self.config.timing;
        Span(timing.retransmit.times(2).0.min(timing.write_timeout.0 / 4))
    }
}

impl Coordination {
    /// How many must have prepared before Commit may be proposed.
    pub(super) fn needed(&self) -> usize {
        match self.record.level {
            WriteLevel::All => self.record.voters.len(),
            WriteLevel::One | WriteLevel::Quorum => self.quorum(),
        }
    }
}

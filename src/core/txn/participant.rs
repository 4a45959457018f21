//! A voting member's side of the commit: judging a Prepare, holding intents, answering.

use super::live::{Live, Waiting};
use crate::core::fault::Fatal;
use crate::core::message::{Body, Claim, Message, Outcome, Record, Reject};
use crate::core::node::{Io, Node};
use crate::core::planted::Bug;
use crate::core::storage::{Table, save};
use crate::types::{Hlc, Key, Mode, NodeId, Stamp, TxnId};
use std::sync::Arc;

/// How a Prepare is judged.
pub(crate) enum Verdict {
    Accept,
    Reject(Reject),
    /// Held by a younger transaction: wait for it.
    Wait(TxnId),
}

impl Node {
    pub(crate) fn on_prepare(
        &mut self,
        io: &mut Io<'_>,
        from: NodeId,
        record: Arc<Record>,
        claim: Arc<Claim>,
    ) -> Result<(), Fatal> {
        let txn = record.txn;
        if self.log.vector.contains(txn) && !self.config.planted.has(Bug::NoCover) {
            return self.tell_outcome(io, from, txn);
        }
        if let Some(live) = self.live.get(&txn) {
            if let Some(outcome) = &live.decided {
                let outcome = outcome.clone();
                self.send(io, from, Message::Decided { txn, outcome });
                return Ok(());
            }
            if live.prepared.is_some() && live.lock_only == claim.lock_only {
                return self.answer_prepared(io, from, txn);
            }
        }
        self.waiting.remove(record.begin, txn);
        self.judge_and_answer(io, from, record, claim)
    }

    fn judge_and_answer(
        &mut self,
        io: &mut Io<'_>,
        from: NodeId,
        record: Arc<Record>,
        claim: Arc<Claim>,
    ) -> Result<(), Fatal> {
        let txn = record.txn;
        let lock_only = claim.lock_only;
        match self.judge(io, &record, &claim)? {
            Verdict::Accept => {
                self.record_intents(io, record, &claim)?;
                self.answer_prepared(io, from, txn)
            }
            Verdict::Reject(reason) => {
                if matches!(reason, Reject::Behind { .. })
                    || matches!(&reason, Reject::Epoch { current } if *current < record.epoch)
                {
                    self.sync.want(self.now.mono, from);
                }
                self.send(io, from, Message::Rejected { txn, lock_only, reason });
                Ok(())
            }
            Verdict::Wait(by) => {
                let holder_begin = self.live.get(&by).map_or(Stamp::NONE, Live::begin);
                self.waiting.insert(Waiting { record, claim, blocked_by: by });
                let reason = Reject::Held { by, holder_begin, queued: true };
                self.send(io, from, Message::Rejected { txn, lock_only, reason });
                Ok(())
            }
        }
    }

    /// Whether this member can promise that `record` commits as far as it is concerned.
    pub(crate) fn judge(&self, io: &Io<'_>, record: &Record, claim: &Claim) -> Result<Verdict, Fatal> {
        let planted = self.config.planted;
        let epoch = self.membership.epoch;
        if record.epoch != epoch && !planted.has(Bug::EpochNotChecked) {
            return Ok(Verdict::Reject(Reject::Epoch { current: epoch }));
        }
        if !self.is_voter() {
            return Ok(Verdict::Reject(Reject::Unavailable));
        }
        if !io.store.has_room() && record.txn.origin != self.id {
            return Ok(Verdict::Reject(Reject::Unavailable));
        }
        let horizon = self.keys.horizon();
        if !claim.lock_only && claim.watermark < horizon {
            return Ok(Verdict::Reject(Reject::Behind { horizon }));
        }
        if let Body::Members(_) = &record.body {
            return Ok(self.judge_members(record, claim));
        }
        if !planted.has(Bug::OneDependenciesIgnored) && !self.log.vector.covers(&record.dependencies.one_part()) {
            return Ok(Verdict::Reject(Reject::Behind { horizon }));
        }
        if let Some(by) = self.conflicting(record) {
            return Ok(self.held(record, by));
        }
        if claim.lock_only
            && let Body::Write(lock) = &record.body
            && let Some(begin) = self.turn_before(record.begin, lock)
        {
            let by = TxnId { origin: begin.node, sequence: u64::MAX };
            return Ok(Verdict::Reject(Reject::Held { by, holder_begin: begin, queued: false }));
        }
        if claim.lock_only || planted.has(Bug::BaseNotChecked) {
            return Ok(Verdict::Accept);
        }
        match self.stale(io, record, claim)? {
            Some(stamp) => Ok(Verdict::Reject(Reject::Stale { stamp })),
            None => Ok(Verdict::Accept),
        }
    }

    fn judge_members(&self, record: &Record, claim: &Claim) -> Verdict {
        if claim.members_base != self.membership.stamp {
            return Verdict::Reject(Reject::Stale { stamp: self.membership.stamp });
        }
        if !self.log.vector.covers(&claim.must_hold) {
            return Verdict::Reject(Reject::Behind { horizon: self.keys.horizon() });
        }
        match self.intents.any_but(&self.live, record.txn) {
            Some(by) => self.held(record, by),
            None => Verdict::Accept,
        }
    }

    /// `by` is in the way: wait for it if it is younger, give way if it is older.
    fn held(&self, record: &Record, by: TxnId) -> Verdict {
        let holder_begin = self.live.get(&by).map_or(Stamp::NONE, Live::begin);
        if (record.begin, record.txn) < (holder_begin, by) {
            Verdict::Wait(by)
        } else {
            Verdict::Reject(Reject::Held { by, holder_begin, queued: false })
        }
    }

    /// An undecided transaction here, or an older one waiting, that excludes `record`.
    pub(crate) fn conflicting(&self, record: &Record) -> Option<TxnId> {
        let planted = self.config.planted;
        if let Some(members) = self.intents.members
            && members != record.txn
        {
            return Some(members);
        }
        let Body::Write(write_set) = &record.body else {
            return self.intents.any_but(&self.live, record.txn);
        };
        if planted.has(Bug::IntentsNotChecked) {
            return None;
        }
        for access in write_set.accesses() {
            if self.ignores(&access.key) {
                continue;
            }
            if let Some(by) = self.intents.conflict(&access.key, access.mode, record.txn) {
                return Some(by);
            }
            if !self.waiting.is_empty()
                && let Some((by, _)) = self.waiting.older_wanting(&access.key, access.mode, record.begin, record.txn)
            {
                return Some(by);
            }
        }
        None
    }

    fn ignores(&self, key: &Key) -> bool {
        match key {
            Key::Unique(..) => self.config.planted.has(Bug::UniqueNotAnIntent),
            Key::Schema(_) => self.config.planted.has(Bug::SchemaNotHeld),
            Key::Row(_) | Key::Members => false,
        }
    }

    /// The stamp of a key that changed since the coordinator's snapshot, if any did.
    fn stale(&self, io: &Io<'_>, record: &Record, claim: &Claim) -> Result<Option<Stamp>, Fatal> {
        let planted = self.config.planted;
        let Body::Write(write_set) = &record.body else { return Ok(None) };
        let floor = Stamp { hlc: claim.watermark, node: NodeId(u64::MAX) };
        for (i, access) in write_set.accesses().enumerate() {
            if self.ignores(&access.key) {
                continue;
            }
            let Some(state) = self.keys.get(io.store, &access.key)? else { continue };
            let base = claim.bases.get(i).copied().unwrap_or_default();
            if state.stamp > base.stamp.max(floor) {
                return Ok(Some(state.stamp));
            }
            if !planted.has(Bug::OneStampOnly) && state.quorum > base.quorum.max(floor) {
                return Ok(Some(state.quorum));
            }
            if access.mode == Mode::Write
                && let Some(stamp) = state.readers.unseen(&record.dependencies)
            {
                return Ok(Some(stamp));
            }
        }
        Ok(None)
    }

    fn record_intents(&mut self, io: &mut Io<'_>, record: Arc<Record>, claim: &Claim) -> Result<(), Fatal> {
        let txn = record.txn;
        let clock = self.clock.tick(self.now.wall);
        let fast = self.accepts_along(&record, claim);
        let mono = self.now.mono;
        // What it depends on exists somewhere: positions that only a lost node knew to be empty are recovered here.
        self.sync.hear(&record.dependencies, record.epoch);
        if !self.log.vector.covers(&record.dependencies) {
            self.need_from(txn.origin.node());
        }
        let live = self.live.entry(txn).or_default();
        if let Some(earlier) = &live.record
            && live.prepared.is_some()
        {
            self.intents.release(earlier);
        }
        self.intents.take(&record);
        // A second Prepare of the same transaction keeps the first clock: it bounds the watermark from above.
        let bound = fast.map_or(clock, |stamp| clock.min(stamp.previous()));
        live.prepared = Some(live.prepared.unwrap_or(bound));
        live.fast = live.fast.or(fast);
        live.lock_only = claim.lock_only;
        live.voters = Some(record.voters.clone());
        live.record = Some(record.clone());
        live.heard = mono;
        if !self.config.planted.has(Bug::VoteNotDurable) {
            save(io.store, Table::Record, &txn.to_bytes(), &*record)?;
            live.save_vote(io.store, txn)?;
        }
        Ok(())
    }

    fn answer_prepared(&mut self, io: &mut Io<'_>, to: NodeId, txn: TxnId) -> Result<(), Fatal> {
        let Some(live) = self.live.get_mut(&txn) else { return Ok(()) };
        live.heard = self.now.mono;
        let (lock_only, fast) = (live.lock_only, live.fast.is_some());
        let holds = if live.changes_members() { self.log.vector.quorum_part() } else { Default::default() };
        // The stamp must be above every clock reading this member gave since; the current one is.
        let clock: Hlc = self.clock.tick(self.now.wall);
        self.send(io, to, Message::Prepared { txn, clock, lock_only, fast, holds });
        Ok(())
    }

    /// Judges again the Prepares that waited for `txn`.
    pub(crate) fn judge_unblocked(&mut self, io: &mut Io<'_>, txn: TxnId) -> Result<(), Fatal> {
        for waiting in self.waiting.unblocked_by(txn) {
            if self.log.vector.contains(waiting.record.txn) {
                continue;
            }
            let from = waiting.record.txn.origin;
            self.judge_and_answer(io, from, waiting.record, waiting.claim)?;
        }
        Ok(())
    }

    /// Answers a question about a position whose outcome is recorded here.
    pub(crate) fn tell_outcome(&mut self, io: &mut Io<'_>, to: NodeId, txn: TxnId) -> Result<(), Fatal> {
        // A position no longer in the log was applied by every voter: whoever asks is a late duplicate.
        if let Some(recorded) = self.log.outcome(io.store, txn)? {
            self.send(io, to, Message::Decided { txn, outcome: recorded.outcome });
        }
        Ok(())
    }

    /// A holder asks what became of a transaction this node coordinates.
    pub(crate) fn on_inquire(&mut self, io: &mut Io<'_>, from: NodeId, txn: TxnId) -> Result<(), Fatal> {
        if self.log.vector.contains(txn) {
            return self.tell_outcome(io, from, txn);
        }
        if self.is_at_work(txn) {
            self.send(io, from, Message::Working { txn });
        } else if let Some(Live { decided: Some(outcome), .. }) = self.live.get(&txn) {
            let outcome: Outcome = outcome.clone();
            self.send(io, from, Message::Decided { txn, outcome });
        }
        // Otherwise it is an orphan of an earlier life: recovery ends it.
        Ok(())
    }

    pub(crate) fn on_working(&mut self, txn: TxnId) {
        if let Some(live) = self.live.get_mut(&txn) {
            live.heard = self.now.mono;
        }
    }
}

//! From a decision to its place in the apply order; and what waits for that.

use super::live::Live;
use crate::core::effect::{ApplyTask, Effect};
use crate::core::fault::Fatal;
use crate::core::log::Entry;
use crate::core::merge::merge;
use crate::core::message::{AbortedRange, Body, Message, Outcome, Record};
use crate::core::node::{Io, Node};
use crate::core::planted::Bug;
use crate::core::replicate::ConflictRow;
use crate::core::replicate::conflicts::log_conflicts;
use crate::core::storage::{Table, save};
use crate::types::{NodeId, RowImage, RowKey, Stamp, TxnId, VersionVector, WriteSet};
use std::sync::Arc;

impl Node {
    /// The outcome of `txn` is chosen: record it, now if it is an abort, as soon as everything it depends on is
    /// recorded if it is a commit.
    pub(crate) fn decide(&mut self, io: &mut Io<'_>, txn: TxnId, outcome: Outcome) -> Result<(), Fatal> {
        if self.log.vector.contains(txn) {
            return Ok(());
        }
        self.recovering.remove(&txn);
        match outcome {
            Outcome::Abort => {
                if let Some(Outcome::Commit { stamp, .. }) = self.live.get(&txn).and_then(|l| l.decided.as_ref()) {
                    let one = format!("commit at {stamp}");
                    return Err(Fatal::Disagreement { txn, one, other: "abort".into() });
                }
                self.record_abort(io, txn)
            }
            Outcome::Commit { stamp, ref after } => {
                self.clock.observe(stamp.hlc);
                let live = self.live.entry(txn).or_default();
                // Like what a record depends on: one of these may be an abort that only a node knows which is removed
                // by this very change. Without the record the epoch is not known: it comes with both.
                if let Some(record) = &live.record {
                    self.sync.hear(after, record.epoch);
                }
                if let Some(Outcome::Commit { stamp: earlier, .. }) = &live.decided
                    && *earlier != stamp
                {
                    return Err(Fatal::Disagreement { txn, one: earlier.to_string(), other: stamp.to_string() });
                }
                live.decided = Some(outcome);
                live.heard = self.now.mono;
                if self.config.planted.has(Bug::ReleasedBeforeApplied)
                    && let (Some(record), Some(_)) = (live.record.clone(), live.prepared.take())
                {
                    self.intents.release(&record);
                }
                self.undelivered.insert(txn);
                self.sync.heard.insert(txn);
                self.schedule_ready(io)
            }
        }
    }

    /// Ends `txn` as an abort here. The caller has made sure that no other outcome is possible.
    fn record_abort(&mut self, io: &mut Io<'_>, txn: TxnId) -> Result<(), Fatal> {
        self.log.abort(io.store, txn)?;
        self.sync.heard.insert(txn);
        self.undelivered.remove(&txn);
        self.waiting.remove_txn(txn);
        let live = self.live.remove(&txn);
        if let Some(live) = live
            && let (Some(record), Some(_)) = (&live.record, live.prepared)
        {
            self.intents.release(record);
        }
        self.coordinated_abort(io, txn);
        self.judge_unblocked(io, txn)?;
        self.wake_parked(io, txn, None)?;
        self.schedule_ready(io)
    }

    /// Gives places to decided commits whose dependencies are all recorded, until none is left that can.
    pub(crate) fn schedule_ready(&mut self, io: &mut Io<'_>) -> Result<(), Fatal> {
        loop {
            let ready = self.undelivered.iter().find_map(|txn| {
                let live = self.live.get(txn)?;
                // With the intents only, the write set is still to come, by anti-entropy.
                let record = live.record.as_ref().filter(|_| !live.lock_only)?;
                let Some(Outcome::Commit { stamp, after }) = &live.decided else { return None };
                let causal = self.config.planted.has(Bug::NotCausal)
                    || (self.log.vector.covers(&record.dependencies) && self.log.vector.covers(after));
                causal.then(|| (record.clone(), *stamp, after.clone()))
            });
            let Some((record, stamp, after)) = ready else { return Ok(()) };
            self.schedule(io, record, stamp, after)?;
        }
    }

    /// Gives a commit its place: from here on it is durable in the log, its stamps are in the key states, its intents
    /// are free, and the applier has it to do.
    pub(crate) fn schedule(
        &mut self,
        io: &mut Io<'_>,
        record: Arc<Record>,
        stamp: Stamp,
        after: VersionVector,
    ) -> Result<(), Fatal> {
        let txn = record.txn;
        let seq = self.log.next_seq();
        let merged = merge(&mut self.keys, io.store, &record, stamp, seq, self.config.planted)?;
        let entry = Entry {
            txn,
            committed: true,
            amendments: merged.amendments.clone(),
            evictions: merged.evictions.iter().map(Into::into).collect(),
            may_evict: merged.may_evict,
        };
        let placed = self.log.commit(io.store, &entry, stamp, after)?;
        assert_eq!(placed, seq, "the merge was made for this place");
        self.undelivered.remove(&txn);
        self.waiting.remove_txn(txn);
        if let Some(live) = self.live.remove(&txn)
            && let (Some(held), Some(_)) = (&live.record, live.prepared)
        {
            self.intents.release(held);
        }
        if !merged.conflicts.is_empty() {
            self.note_conflicts(io, merged.conflicts);
        }
        let write_set = match &record.body {
            Body::Write(write_set) => write_set.clone(),
            Body::Members(_) => Arc::new(WriteSet::default()),
            Body::Conflicts(conflicts) => {
                log_conflicts(io.store, stamp, conflicts)?;
                Arc::new(WriteSet::default())
            }
        };
        io.out.push(Effect::Apply(ApplyTask {
            seq,
            txn,
            stamp,
            write_set,
            amendments: merged.amendments,
            evictions: merged.evictions,
            may_evict: merged.may_evict,
        }));
        self.coordinated_commit(io, txn, seq, stamp);
        if let Body::Members(list) = &record.body {
            self.install_members(io, list, stamp, txn)?;
        }
        self.judge_unblocked(io, txn)?;
        self.wake_parked(io, txn, Some(seq))
    }

    /// The applier removed a row that was in the way of a unique value, or that has no place any more. Nobody knows who
    /// wrote it: its versions sank below the watermark.
    pub(crate) fn on_evicted(&mut self, io: &mut Io<'_>, winner: TxnId, row: RowKey, image: RowImage) {
        let (loser, loser_stamp, winner_stamp) = (TxnId::default(), Stamp::NONE, Stamp::NONE);
        let conflict = ConflictRow { row, loser, loser_stamp, winner, winner_stamp, image: Some(image) };
        self.note_conflicts(io, vec![conflict]);
    }

    /// Someone says that the outcome is chosen.
    pub(crate) fn on_decided(
        &mut self,
        io: &mut Io<'_>,
        from: NodeId,
        txn: TxnId,
        outcome: Outcome,
    ) -> Result<(), Fatal> {
        self.decide(io, txn, outcome)?;
        // Its Prepare was refused here, or lost. Until the record is here, later ones are not applied.
        let lacks_record = |live: &Live| live.record.is_none() || live.lock_only;
        if self.undelivered.contains(&txn) && self.live.get(&txn).is_some_and(lacks_record) {
            self.need_from(from);
        }
        self.coordinator_heard_decided(io, from, txn);
        Ok(())
    }

    /// Records with their outcomes, from others or from an earlier state of this node.
    pub(crate) fn on_sync_records(
        &mut self,
        io: &mut Io<'_>,
        commits: Vec<crate::core::message::Shipped>,
        aborted: Vec<AbortedRange>,
    ) -> Result<(), Fatal> {
        for shipped in commits {
            let txn = shipped.record.txn;
            if self.log.vector.contains(txn) {
                continue;
            }
            self.sync.hear(&shipped.record.dependencies, shipped.record.epoch);
            let live = self.live.entry(txn).or_default();
            if live.record.is_none() || live.lock_only {
                if let (Some(held), Some(_)) = (&live.record, live.prepared) {
                    self.intents.release(held);
                    self.intents.take(&shipped.record);
                }
                live.record = Some(shipped.record.clone());
                live.lock_only = false;
                save(io.store, Table::Record, &txn.to_bytes(), &*shipped.record)?;
            }
            self.decide(io, txn, Outcome::Commit { stamp: shipped.stamp, after: shipped.after })?;
        }
        for range in aborted {
            for sequence in range.first..=range.last {
                self.decide(io, TxnId { origin: range.origin, sequence }, Outcome::Abort)?;
            }
        }
        Ok(())
    }

    /// Tells every voter (of the transaction's epoch and of now) the outcome.
    pub(crate) fn announce(&mut self, io: &mut Io<'_>, txn: TxnId, outcome: &Outcome, voters: &[NodeId]) {
        let mut to: Vec<NodeId> = voters.to_vec();
        to.extend(self.membership.voters.keys().filter(|v| !voters.contains(v)));
        for node in to {
            if node != self.id {
                self.send(io, node, Message::Decided { txn, outcome: outcome.clone() });
            }
        }
    }
}

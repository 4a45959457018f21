//! Delta sync: pulling the positions a node lacks.

use crate::core::effect::Notice;
use crate::core::fault::{Fatal, PeerFault};
use crate::core::message::{AbortedRange, Message, Outcome, Record, Shipped};
use crate::core::node::{Io, Node};
use crate::core::planted::Bug;
use crate::core::storage::{Table, load};
use crate::types::{Epoch, Mono, NodeId, Span, TxnId, VersionVector, WriteLevel};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What this node lacks, and whom it asked.
#[derive(Clone, Debug, Default)]
pub struct Sync {
    /// Every position anyone was heard to have or to have begun.
    pub heard: VersionVector,
    /// The latest epoch of a transaction or node that builds on any of them: none of them is of a later one.
    pub heard_epoch: Epoch,
    /// Since when something heard of has been lacking.
    lacking_since: Option<Mono>,
    /// The peer asked, and until when its answer is waited for.
    asked: Option<(NodeId, Mono)>,
    /// Peers that certainly have something this node lacks.
    wanted: Option<(NodeId, Mono)>,
    /// A peer that holds what a transaction here waits for, and when to ask it if that has not come by itself.
    needed: Option<(NodeId, Mono)>,
    /// Rotates through peers when an answer does not come.
    turn: usize,
    /// The peer whose answer did not come: a removed node may know a newer list and yet serve nobody, so that what it
    /// says must not make this node ask it again and again.
    silent: Option<NodeId>,
    /// Peers that could not help since one did: their log does not reach back to what this node lacks, or their answer
    /// brought nothing, or did not come.
    too_old: BTreeSet<NodeId>,
    /// When holes that nobody seems to hold are recovered.
    next_fill: Mono,
}

impl Sync {
    /// These positions exist: a transaction of `epoch`, or a node whose list of members is of `epoch`, builds on them.
    pub fn hear(&mut self, positions: &VersionVector, epoch: Epoch) {
        self.heard.join(positions);
        self.heard_epoch = self.heard_epoch.max(epoch);
    }

    /// `from` has something this node needs now.
    pub fn want(&mut self, now: Mono, from: NodeId) {
        self.wanted = Some((from, now));
    }
}

/// What is under way gets so long to arrive, as a part of the retransmit interval, before it is asked for.
const NEEDED_AFTER: u64 = 8;

impl Node {
    /// A transaction here waits for positions that `from` holds, because it built on them. They are usually under way,
    /// but who should have sent them may be gone: until they are here the transaction's rows stay held.
    pub(crate) fn need_from(&mut self, from: NodeId) {
        let at = self.now.mono.after(self.soon());
        self.sync.needed.get_or_insert((from, at));
    }

    /// A moment, as compared with the time after which a message counts as lost.
    pub(crate) fn soon(&self) -> Span {
        Span(self.config.timing.retransmit.0 / NEEDED_AFTER)
    }

    pub(crate) fn tick_sync(&mut self, io: &mut Io<'_>) -> Result<(), Fatal> {
        let now = self.now.mono;
        let delay = self.config.timing.retransmit;
        if let Some((node, until)) = self.sync.asked
            && until <= now
        {
            self.sync.asked = None;
            self.sync.silent = Some(node);
            // One that was removed answers nobody, and may count as a living voter with news here for ever.
            self.sync.too_old.insert(node);
            self.sync.turn += 1;
        }
        let lacking = !self.log.vector.covers(&self.sync.heard);
        match (lacking, self.sync.lacking_since) {
            (false, _) => self.sync.lacking_since = None,
            (true, None) => self.sync.lacking_since = Some(now),
            (true, Some(_)) => {}
        }
        self.ask_for_what_is_needed(lacking);
        if self.sync.asked.is_some() {
            return Ok(());
        }
        let patient = self.sync.lacking_since.is_some_and(|since| now.since(since) < delay);
        let target = match self.sync.wanted.take() {
            Some((node, _)) if node != self.id && self.may_help(node) => Some(node),
            Some(_) => self.next_source(),
            _ if lacking && !patient => self.next_source(),
            _ => None,
        };
        if let Some(node) = target {
            self.sync.silent = None;
            self.sync.asked = Some((node, now.after(self.answer_time())));
            // Ask again only after another pause, unless told to.
            self.sync.lacking_since = lacking.then_some(now);
            let message = Message::SyncRequest { vector: self.log.vector.clone(), epoch: self.membership.epoch };
            self.send(io, node, message);
        }
        if lacking {
            if !patient {
                // Also when there was nobody to ask: the deadline must move on.
                self.sync.lacking_since = Some(now);
            }
            self.fill_holes();
        }
        Ok(())
    }

    /// How long an answer is waited for.
    fn answer_time(&self) -> Span {
        self.config.timing.retransmit.times(3)
    }

    /// Turns to the peer that certainly holds what is needed.
    fn ask_for_what_is_needed(&mut self, lacking: bool) {
        let now = self.now.mono;
        let Some((node, _)) = self.sync.needed.take_if(|(_, at)| !lacking || *at <= now) else { return };
        if !lacking {
            return;
        }
        // An answer to an earlier question may be on its way; who has not answered for so long may be gone.
        let asked_at = self.sync.asked.map(|(_, until)| Mono(until.0.saturating_sub(self.answer_time().0)));
        match asked_at.map(|at| at.after(self.soon())).filter(|at| *at > now) {
            Some(later) => self.sync.needed = Some((node, later)),
            None => {
                self.sync.asked = None;
                self.sync.silent.take_if(|silent| *silent == node);
                self.sync.want(now, node);
            }
        }
    }

    /// A voter whose last report has something this node lacks, a living one if there is one; else any, in turn.
    fn next_source(&self) -> Option<NodeId> {
        let mut sources: Vec<NodeId> = self.membership.voters.keys().copied().filter(|v| *v != self.id).collect();
        let useful = |v: &NodeId| self.has_news(*v);
        let alive = |v: &NodeId| self.peers.is_alive(*v);
        let answers = |v: &NodeId| self.sync.silent != Some(*v);
        let helps = |v: &NodeId| self.may_help(*v);
        // Each a preference only. Who holds what is lacking comes first: the failure detector may be wrong about it.
        prefer(&mut sources, answers);
        prefer(&mut sources, useful);
        prefer(&mut sources, helps);
        prefer(&mut sources, alive);
        sources.get(self.sync.turn % sources.len().max(1)).copied()
    }

    /// Whether a peer may answer with something of use. Who always asks those it hears of newer lists from, and is told that
    /// their logs are too short, would never ask the others, one of which may have what it lacks.
    fn may_help(&self, node: NodeId) -> bool {
        self.sync.silent != Some(node) && !self.sync.too_old.contains(&node)
    }

    /// Whether what is known to build on positions heard of is of a later epoch than this node's list of members. Its voters
    /// then decide no position that nobody prepared here: it could be of a later epoch too, and chosen by a majority that has
    /// no voter in common with one of this list, two changes back.
    pub(crate) fn lags_behind_list(&self) -> bool {
        self.sync.heard_epoch > self.membership.epoch && !self.config.planted.has(Bug::OldListDecides)
    }

    /// Positions heard of that nobody holds a record of are recovered like orphans: whoever gave them out is gone or
    /// never used them (rule 2). The origin itself is asked first, by `Inquire`, as for any other.
    fn fill_holes(&mut self) {
        let now = self.now.mono;
        let pause = self.config.timing.recover_after;
        if self.sync.next_fill > now || !self.is_voter() || self.lags_behind_list() {
            return;
        }
        self.sync.next_fill = now.after(pause);
        let holes = self.sync.heard.quorum_part().missing_from(&self.log.vector, 64);
        for txn in holes {
            let known = self.live.contains_key(&txn)
                || self.coordinating.contains_key(&txn)
                || self.recovering.contains_key(&txn);
            if !known {
                let live = crate::core::txn::live::Live { heard: now, ..Default::default() };
                self.live.insert(txn, live);
            }
        }
    }

    pub(crate) fn on_sync_request(
        &mut self,
        io: &mut Io<'_>,
        from: NodeId,
        vector: &VersionVector,
        epoch: Epoch,
    ) -> Result<(), Fatal> {
        let removed = self.membership.removed.contains(&self.id);
        if removed && !self.config.planted.has(Bug::RemovedNodeServes) {
            return Ok(());
        }
        if epoch > self.membership.epoch {
            self.sync.want(self.now.mono, from);
        }
        let dropped = &self.log.checkpoint().dropped;
        if !vector.covers(dropped) {
            // What is dropped of an origin may have holes: entries go in the order they were recorded in.
            let lacks = dropped.missing_from(vector, 1);
            if let Some(txn) = lacks.first() {
                let (origin, first_kept) = (txn.origin, txn.sequence + 1);
                self.send(io, from, Message::SyncTooOld { origin, first_kept });
            }
            return Ok(());
        }
        if vector.covers(&self.log.vector) {
            return Ok(());
        }
        let (commits, aborted, more) = self.collect(io, vector)?;
        let epoch = self.membership.epoch;
        self.send(io, from, Message::SyncRecords { epoch, commits, aborted, more });
        Ok(())
    }

    /// What `vector` lacks, in this node's apply order (which respects causality), up to the limits.
    fn collect(&self, io: &Io<'_>, vector: &VersionVector) -> Result<(Vec<Shipped>, Vec<AbortedRange>, bool), Fatal> {
        let limits = &self.config.limits;
        let (mut commits, mut aborted) = (Vec::new(), Vec::<AbortedRange>::new());
        let mut bytes = 0;
        let mut seq = self.first_lacking(io, vector)?;
        loop {
            let entries = self.log.entries(io.store, seq, 128)?;
            let Some((last, _)) = entries.last() else { return Ok((commits, aborted, false)) };
            seq = last + 1;
            for (_, entry) in entries {
                let txn = entry.txn;
                if vector.contains(txn) {
                    continue;
                }
                if commits.len() + aborted.len() >= limits.sync_records || bytes >= limits.sync_bytes {
                    return Ok((commits, aborted, true));
                }
                if !entry.committed {
                    if !self.config.planted.has(Bug::NoFill) {
                        aborted.push(AbortedRange { origin: txn.origin, first: txn.sequence, last: txn.sequence });
                    }
                    continue;
                }
                let record: Option<Record> = load(io.store, Table::Record, &txn.to_bytes())?;
                let outcome = self.log.outcome(io.store, txn)?.map(|r| r.outcome);
                if let (Some(record), Some(Outcome::Commit { stamp, after })) = (record, outcome) {
                    bytes += match &record.body {
                        crate::core::message::Body::Write(w) => w.size(),
                        crate::core::message::Body::Members(_) => 256,
                        crate::core::message::Body::Conflicts(_) => crate::core::encode(&record.body).len(),
                    };
                    commits.push(Shipped { record: Arc::new(record), stamp, after });
                }
            }
        }
    }

    /// The place of the first entry that `vector` may lack.
    fn first_lacking(&self, io: &Io<'_>, vector: &VersionVector) -> Result<u64, Fatal> {
        let mut first = u64::MAX;
        for origin in self.log.vector.origins() {
            // Entries of one origin may be recorded out of order: what lies before the place of its first hole is
            // found by the next request, when it has become the first.
            let ours = self.log.vector.highest(origin);
            let from = vector.prefix(origin) + 1;
            for sequence in (from..=ours).take(64) {
                let txn = TxnId { origin, sequence };
                if let Some(recorded) = self.log.outcome(io.store, txn)? {
                    first = first.min(recorded.seq);
                }
            }
        }
        Ok(if first == u64::MAX { self.log.checkpoint().first } else { first })
    }

    /// Records arrive. Taken only from members, or from a node with a newer list than this one's (rule 21).
    pub(crate) fn on_sync_answer(
        &mut self,
        io: &mut Io<'_>,
        from: NodeId,
        epoch: Epoch,
        commits: Vec<Shipped>,
        aborted: Vec<AbortedRange>,
        more: bool,
    ) -> Result<(), Fatal> {
        let trusted = epoch > self.membership.epoch || self.membership.is_voter(from);
        if !trusted && !self.config.planted.has(Bug::RemovedNodeServes) {
            let epoch = self.membership.epoch;
            io.out.notice(Notice::PeerFault(PeerFault::NotMember { from, epoch }));
            return Ok(());
        }
        // ONE writes come unasked for.
        let asked = self.sync.asked.take_if(|(node, _)| *node == from).map(|_| self.log.vector.clone());
        let commits = commits.into_iter().filter(|shipped| self.may_take(io, shipped)).collect();
        self.on_sync_records(io, commits, aborted)?;
        if let Some(before) = asked {
            match before == self.log.vector {
                true => _ = self.sync.too_old.insert(from),
                false => self.sync.too_old.clear(),
            }
        }
        if more {
            self.sync.want(self.now.mono, from);
        }
        Ok(())
    }

    /// Whether a record is not a ONE write of a clock too far ahead (rule 24). What this node took once it takes again.
    fn may_take(&self, io: &mut Io<'_>, shipped: &Shipped) -> bool {
        let txn = shipped.record.txn;
        if shipped.record.level != WriteLevel::One || self.log.vector.contains(txn) {
            return true;
        }
        let ahead = self.too_far_ahead(shipped.stamp.hlc);
        if let Some(ahead_ms) = ahead {
            io.out.notice(Notice::ClockAhead { peer: txn.origin.node(), ahead_ms });
        }
        ahead.is_none()
    }

    /// A log does not reach back far enough. When no living member has one that does, only a snapshot helps, of a member that has
    /// what is no longer in the log here: another has to go on from this one's first.
    pub(crate) fn on_sync_too_old(&mut self, io: &mut Io<'_>, from: NodeId, origin: NodeId, first_kept: u64) {
        if self.sync.asked.is_some_and(|(node, _)| node == from) {
            self.sync.asked = None;
            self.sync.turn += 1;
        }
        let dropped = TxnId { origin, sequence: first_kept.saturating_sub(1) };
        if self.log.vector.contains(dropped) {
            return;
        }
        self.sync.too_old.insert(from);
        let others = self.membership.voters.keys().copied().filter(|v| *v != self.id && self.peers.is_alive(*v));
        let useful: Vec<NodeId> = others.filter(|v| self.has_news(*v)).collect();
        let own = &self.log.checkpoint().dropped;
        let is_fit = |v: &NodeId| self.progress.report(*v).is_some_and(|r| r.vector.covers(own));
        // A newcomer has heard no reports yet, and has nothing to give up.
        let one_is_fit = useful.is_empty() || useful.iter().any(is_fit);
        if one_is_fit && useful.iter().all(|v| self.sync.too_old.contains(v)) {
            self.sync.too_old.clear();
            io.out.notice(Notice::NeedsSnapshot { origin, sequence: first_kept });
        }
    }

    /// Whether the last report of `voter` has something this node lacks.
    fn has_news(&self, voter: NodeId) -> bool {
        self.progress.report(voter).is_some_and(|r| !self.log.vector.covers(&r.vector))
    }

    pub(crate) fn sync_deadline(&self) -> Option<Mono> {
        let asked = self.sync.asked.map(|(_, until)| until);
        let wanted = || self.sync.wanted.map(|(_, at)| at);
        let lacking = || {
            let since = self.sync.lacking_since.unwrap_or(self.now.mono);
            (!self.log.vector.covers(&self.sync.heard)).then(|| since.after(self.config.timing.retransmit))
        };
        let needed = self.sync.needed.map(|(_, at)| at);
        asked.or_else(wanted).or_else(lacking).into_iter().chain(needed).min()
    }
}

/// Keeps those that `wanted` is true of, if there are any.
fn prefer(sources: &mut Vec<NodeId>, wanted: impl Fn(&NodeId) -> bool) {
    if sources.iter().any(&wanted) {
        sources.retain(wanted);
    }
}

//! The coordinator's side: from a client's write set to a proposed outcome, and the answer.

use crate::core::effect::Response;
use crate::core::fault::{Fatal, Refusal};
use crate::core::message::{Ballot, Base, Body, Claim, Message, Outcome, Record, Reject};
use crate::core::node::{Io, Node};
use crate::core::planted::Bug;
use crate::types::{
    ApplySeq, ClientId, Hlc, Key, Mode, Mono, NodeId, Snapshot, Span, Stamp, TxnId, VersionVector, WriteLevel, WriteSet,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where a coordinated transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Taking a schema lock: intents only.
    Locking,
    /// The schema is locked on a quorum; the read barrier runs.
    Barrier,
    /// The session executes under the schema lock.
    Locked,
    /// Asking the members to prepare.
    Preparing,
    /// Commit is proposed at ballot zero: from here on only the members decide.
    Proposed,
    /// Decided; waiting until it is applied here (and, for ALL, accepted everywhere).
    Applying,
}

/// A transaction coordinated here.
#[derive(Clone, Debug)]
pub struct Coordination {
    pub record: Arc<Record>,
    pub claim: Arc<Claim>,
    pub client: Option<ClientId>,
    pub phase: Phase,
    pub deadline: Mono,
    pub resend_at: Mono,
    pub(super) prepared: BTreeSet<NodeId>,
    /// Those of them that accepted along ([`super::fast`]).
    pub(super) fast: BTreeSet<NodeId>,
    /// Until when the others are waited for, once a quorum prepared: for one round, or before a schema lock is taken.
    pub(super) others_until: Option<Mono>,
    pub(super) rejected: BTreeMap<NodeId, Reject>,
    pub(super) accepted: BTreeSet<NodeId>,
    /// The highest clock a participant answered with.
    clock: Hlc,
    /// What the prepare quorum held, for a membership change.
    holds: VersionVector,
    pub(super) proposal: Option<Outcome>,
    seq: Option<(ApplySeq, Stamp)>,
    /// What to tell the client if it ends in an abort.
    pub(super) reason: Option<Refusal>,
    /// A member promised a higher ballot: ballot zero may never end, so this node must recover like everyone else.
    pub outbid: bool,
}

impl Coordination {
    pub fn new(record: Arc<Record>, client: Option<ClientId>, phase: Phase, now: Mono) -> Coordination {
        Coordination {
            record,
            claim: Arc::default(),
            client,
            phase,
            deadline: now,
            resend_at: now,
            prepared: BTreeSet::new(),
            fast: BTreeSet::new(),
            others_until: None,
            rejected: BTreeMap::new(),
            accepted: BTreeSet::new(),
            clock: Hlc::ZERO,
            holds: VersionVector::new(),
            proposal: None,
            seq: None,
            reason: None,
            outbid: false,
        }
    }

    pub(super) fn quorum(&self) -> usize {
        self.record.voters.len() / 2 + 1
    }

    /// Nothing is missing for the answer but that this node applies the commit: whoever waits, waits for a certain
    /// outcome.
    fn only_to_apply(&self) -> bool {
        let everywhere = self.record.level != WriteLevel::All || self.accepted.len() >= self.record.voters.len();
        self.seq.is_some() && everywhere
    }
}

/// What a member says that accepts a Prepare: see [`Message::Prepared`].
pub(crate) struct Yes {
    pub clock: Hlc,
    pub lock_only: bool,
    pub fast: bool,
    pub holds: VersionVector,
}

/// A commit request that waits here for a transaction that holds one of its keys.
#[derive(Clone, Debug)]
pub struct Parked {
    pub request: CommitRequest,
    pub blocked_by: TxnId,
    /// Set when the blocker committed: judged again once that is applied.
    pub until_applied: Option<ApplySeq>,
    pub deadline: Mono,
    /// Refused then, if no quorum was heard of for as long: what it waits for may not end before there is one.
    pub alone_at: Mono,
}

/// A client's commit, as judged.
#[derive(Clone, Debug)]
pub struct CommitRequest {
    pub client: ClientId,
    pub write_set: Arc<WriteSet>,
    pub snapshot: Snapshot,
    pub level: WriteLevel,
    pub begin: Stamp,
}

impl Node {
    /// A client asks to commit.
    pub(crate) fn on_commit_request(
        &mut self,
        io: &mut Io<'_>,
        request: CommitRequest,
        lock_wait: Span,
    ) -> Result<(), Fatal> {
        let deadline = self.now.mono.after(lock_wait);
        if let Some(refusal) = self.not_accepting(io, request.write_set.size()) {
            io.out.reply(request.client, Response::Refused(refusal));
            return Ok(());
        }
        self.judge_request(io, request, deadline)
    }

    /// Why this node takes no new transactions, if it does not.
    pub(super) fn not_accepting(&self, io: &Io<'_>, size: usize) -> Option<Refusal> {
        let limits = &self.config.limits;
        if self.draining {
            Some(Refusal::ShuttingDown)
        } else if self.membership.removed.contains(&self.id) {
            Some(Refusal::Removed(self.membership.epoch))
        } else if !self.is_voter() {
            Some(Refusal::NotVoter)
        } else if size > limits.write_set_bytes {
            Some(Refusal::TooLarge { size, limit: limits.write_set_bytes })
        } else if self.coordinating.len() + self.parked.len() >= limits.coordinated {
            Some(Refusal::Overloaded)
        } else if !io.store.has_room() {
            Some(Refusal::DiskFull)
        } else {
            None
        }
    }

    /// Checks a request against what is known here, at no cost to the network; then parks or starts it.
    fn judge_request(&mut self, io: &mut Io<'_>, request: CommitRequest, deadline: Mono) -> Result<(), Fatal> {
        let client = request.client;
        if !self.is_voter() {
            // It waited here while this node lost its vote. Whoever coordinates accepts its own proposal: a restart
            // relies on that when it ends its open positions as aborts.
            let refusal = match self.membership.removed.contains(&self.id) {
                true => Refusal::Removed(self.membership.epoch),
                false => Refusal::NotVoter,
            };
            io.out.reply(client, Response::Refused(refusal));
            return Ok(());
        }
        if request.snapshot.watermark < self.keys.horizon() && !self.config.planted.has(Bug::TodaysWatermark) {
            io.out.reply(client, Response::Refused(Refusal::SnapshotTooOld));
            return Ok(());
        }
        if self.changed_since(io, &request)? {
            self.keep_turn(io, &request)?;
            let begin = request.begin;
            io.out.reply(client, Response::Refused(Refusal::Conflict { begin }));
            return Ok(());
        }
        if request.level == WriteLevel::One && request.write_set.ddl.is_none() {
            return self.commit_one(io, client, request.write_set);
        }
        let probe = self.probe(&request);
        if let Some(blocked_by) = self.conflicting(&probe) {
            let alone_at = self.now.mono.after(self.config.timing.write_timeout);
            self.parked.push(Parked { request, blocked_by, until_applied: None, deadline, alone_at });
            return Ok(());
        }
        self.start(io, request)
    }

    /// Whether a key of the request was written (or, if it writes it, read) here after its snapshot.
    fn changed_since(&self, io: &Io<'_>, request: &CommitRequest) -> Result<bool, Fatal> {
        let planted = self.config.planted;
        if planted.has(Bug::BaseNotChecked) {
            return Ok(false);
        }
        for access in request.write_set.accesses() {
            if matches!(access.key, Key::Unique(..)) && planted.has(Bug::UniqueNotAnIntent)
                || matches!(access.key, Key::Schema(_)) && planted.has(Bug::SchemaNotHeld)
            {
                continue;
            }
            let Some(state) = self.keys.get(io.store, &access.key)? else { continue };
            let read = if access.mode == Mode::Write { state.read_at } else { 0 };
            if state.written_at.max(read) > request.snapshot.seq {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A record that stands for the request in conflict checks, before it has a position.
    fn probe(&self, request: &CommitRequest) -> Record {
        Record {
            txn: TxnId { origin: self.id, sequence: u64::MAX },
            begin: request.begin,
            epoch: self.membership.epoch,
            voters: Arc::from([]),
            level: request.level,
            dependencies: VersionVector::new(),
            body: Body::Write(request.write_set.clone()),
        }
    }

    fn start(&mut self, io: &mut Io<'_>, request: CommitRequest) -> Result<(), Fatal> {
        let txn = self.position(io)?;
        let record = self.record(txn, request.begin, request.level, Body::Write(request.write_set));
        let mut claim = self.claim(io, &record)?;
        let mut deadline = self.now.mono.after(self.config.timing.write_timeout);
        claim.fast = self.fast_stamp(&record);
        if claim.fast.is_some() {
            deadline = Mono(deadline.0.saturating_sub(self.fast_margin().0));
        }
        self.coordinate(io, record, claim, Some(request.client), Phase::Preparing, deadline);
        Ok(())
    }

    pub(super) fn position(&mut self, io: &mut Io<'_>) -> Result<TxnId, Fatal> {
        if self.config.planted.has(Bug::ReusedIdentity)
            && let Some(txn) = self.last_aborted.take()
        {
            return Ok(txn);
        }
        self.log.fresh(io.store, self.id, false)
    }

    /// A record of the current epoch that depends on everything recorded here.
    pub(crate) fn record(&self, txn: TxnId, begin: Stamp, level: WriteLevel, body: Body) -> Arc<Record> {
        Arc::new(Record {
            txn,
            begin,
            epoch: self.membership.epoch,
            voters: self.membership.voters.keys().copied().collect(),
            level,
            dependencies: self.log.vector.clone(),
            body,
        })
    }

    /// The keys were found unchanged since the snapshot, so what is known of them now is what was known then.
    pub(super) fn claim(&self, io: &Io<'_>, record: &Record) -> Result<Claim, Fatal> {
        let Body::Write(write_set) = &record.body else { return Ok(Claim::default()) };
        let mut bases = Vec::new();
        for access in write_set.accesses() {
            let state = self.keys.get(io.store, &access.key)?;
            bases.push(state.map_or(Base::default(), |s| Base { stamp: s.stamp, quorum: s.quorum }));
        }
        // No key changed between the snapshot and now, so now is as good a snapshot: and everything up to the
        // watermark known now is applied here now.
        Ok(Claim { watermark: self.progress.watermark, bases, ..Claim::default() })
    }

    pub(crate) fn coordinate(
        &mut self,
        io: &mut Io<'_>,
        record: Arc<Record>,
        claim: Claim,
        client: Option<ClientId>,
        phase: Phase,
        deadline: Mono,
    ) {
        let txn = record.txn;
        self.sync.heard.insert(txn);
        let mut coordination = Coordination::new(record, client, phase, self.now.mono);
        coordination.claim = Arc::new(claim);
        coordination.deadline = deadline;
        self.coordinating.insert(txn, coordination);
        self.resend(io, txn);
    }

    /// Planted bug `BallotZeroTwice` only: coordinates a transaction of an earlier life.
    pub(crate) fn coordinate_again(&mut self, record: Arc<Record>, phase: Phase, deadline: Mono, proposal: Outcome) {
        let mut coordination = Coordination::new(record.clone(), None, phase, self.now.mono);
        coordination.deadline = deadline;
        coordination.proposal = Some(proposal);
        self.coordinating.insert(record.txn, coordination);
    }

    /// Sends what is not answered yet.
    pub(crate) fn resend(&mut self, io: &mut Io<'_>, txn: TxnId) {
        let resend_at = self.now.mono.after(self.config.timing.retransmit);
        let Some(c) = self.coordinating.get_mut(&txn) else { return };
        c.resend_at = resend_at;
        let (record, claim) = (c.record.clone(), c.claim.clone());
        let proposal = c.proposal.clone();
        let pending: Vec<NodeId> = match c.phase {
            Phase::Locking | Phase::Preparing => {
                record.voters.iter().filter(|v| !c.prepared.contains(v)).copied().collect()
            }
            Phase::Proposed if c.outbid => Vec::new(),
            Phase::Proposed | Phase::Applying => {
                record.voters.iter().filter(|v| !c.accepted.contains(v)).copied().collect()
            }
            Phase::Barrier | Phase::Locked => Vec::new(),
        };
        for node in pending {
            let message = match &proposal {
                None => Message::Prepare { record: record.clone(), claim: claim.clone() },
                Some(outcome) => Message::Accept {
                    txn,
                    ballot: Ballot::ZERO,
                    outcome: outcome.clone(),
                    voters: record.voters.clone(),
                },
            };
            self.send(io, node, message);
        }
    }

    pub(crate) fn on_prepared(&mut self, io: &mut Io<'_>, from: NodeId, txn: TxnId, yes: Yes) -> Result<(), Fatal> {
        let Yes { clock, lock_only, fast, holds } = yes;
        if self.too_far_ahead(clock).is_some() {
            // One broken clock must not drag the cluster into the future: its vote is not used.
            return Ok(());
        }
        let planted = self.config.planted;
        let Some(c) = self.coordinating.get_mut(&txn) else { return Ok(()) };
        if lock_only != (c.phase == Phase::Locking) || !matches!(c.phase, Phase::Locking | Phase::Preparing) {
            return Ok(());
        }
        if !c.record.voters.contains(&from) {
            return Ok(());
        }
        c.rejected.remove(&from);
        c.prepared.insert(from);
        if fast {
            c.fast.insert(from);
        }
        c.clock = c.clock.max(clock);
        c.holds.join(&holds);
        if !self.fast_prepared(io, txn)? {
            return Ok(());
        }
        let Some(c) = self.coordinating.get_mut(&txn) else { return Ok(()) };
        let needed = if planted.has(Bug::PrepareByMinority) { 1 } else { c.needed() };
        if c.prepared.len() < needed {
            return Ok(());
        }
        if c.phase == Phase::Locking {
            return self.lock_granted(io, txn);
        }
        self.propose(io, txn)
    }

    /// A quorum prepared: propose Commit at ballot zero, once.
    pub(super) fn propose(&mut self, io: &mut Io<'_>, txn: TxnId) -> Result<(), Fatal> {
        let planted = self.config.planted;
        let fast = self.fast_proposal(txn);
        let Some(c) = self.coordinating.get_mut(&txn) else { return Ok(()) };
        self.clock.observe(c.clock);
        let hlc = match fast {
            _ if planted.has(Bug::StampNotAboveClocks) => c.record.begin.hlc,
            Some(hlc) => hlc,
            None => self.clock.tick(self.now.wall).max(c.clock.next()),
        };
        self.clock.observe(hlc);
        let changes_members = matches!(c.record.body, Body::Members(_));
        let after = match changes_members && !planted.has(Bug::ChangeWithoutDependencies) {
            true => c.holds.clone(),
            false => VersionVector::new(),
        };
        let stamp = Stamp { hlc, node: self.id };
        c.proposal = Some(Outcome::Commit { stamp, after });
        c.phase = Phase::Proposed;
        if planted.has(Bug::AckBeforeQuorum)
            && let Some(client) = c.client.take()
        {
            io.out.reply(client, Response::Committed { txn, stamp });
        }
        self.resend(io, txn);
        Ok(())
    }

    pub(crate) fn on_rejected(
        &mut self,
        io: &mut Io<'_>,
        from: NodeId,
        txn: TxnId,
        lock_only: bool,
        reason: Reject,
    ) -> Result<(), Fatal> {
        let Some(c) = self.coordinating.get_mut(&txn) else { return Ok(()) };
        let minds = match c.phase {
            Phase::Locking => lock_only,
            // The older one may wait for this lock at others, and the barrier for the older one.
            Phase::Barrier => lock_only && matches!(reason, Reject::Held { queued: false, .. }),
            Phase::Preparing => !lock_only,
            Phase::Locked | Phase::Proposed | Phase::Applying => false,
        };
        if !minds {
            return Ok(());
        }
        c.rejected.insert(from, reason.clone());
        let begin = c.record.begin;
        let newer_epoch = self.membership.epoch;
        let refusal = match reason {
            // It will be judged again there; nothing to do but wait.
            Reject::Held { queued: true, .. } => return Ok(()),
            Reject::Held { .. } => Refusal::Conflict { begin },
            Reject::Stale { .. } => {
                // Whatever changed the key is decided somewhere: fetch it before the client tries again.
                self.sync.want(self.now.mono, from);
                Refusal::Conflict { begin }
            }
            Reject::Epoch { current } if current > newer_epoch => {
                self.sync.want(self.now.mono, from);
                Refusal::Conflict { begin }
            }
            Reject::Behind { .. } | Reject::Epoch { .. } | Reject::Unavailable | Reject::ClockAhead { .. } => {
                let Some(c) = self.coordinating.get(&txn) else { return Ok(()) };
                let definite = c.rejected.values().filter(|r| !matches!(r, Reject::Held { queued: true, .. })).count();
                let needed = if c.record.level == WriteLevel::All { c.record.voters.len() } else { c.quorum() };
                if c.record.voters.len() - definite >= needed || matches!(reason, Reject::Epoch { .. }) {
                    return Ok(());
                }
                match reason {
                    Reject::Behind { .. } => Refusal::SnapshotTooOld,
                    Reject::ClockAhead { ahead_ms } => Refusal::ClockOffset { offset_ms: ahead_ms },
                    _ => Refusal::NoQuorum { answered: c.prepared.len(), voters: c.record.voters.len() },
                }
            }
        };
        self.give_up(io, txn, refusal)
    }

    /// Aborts a transaction for which Commit was not proposed: nobody else can propose Commit from nothing. One that
    /// was offered to be accepted along with its Prepare is not: that takes a proposal too.
    pub(crate) fn give_up(&mut self, io: &mut Io<'_>, txn: TxnId, reason: Refusal) -> Result<(), Fatal> {
        let planted = self.config.planted;
        let Some(c) = self.coordinating.get_mut(&txn) else { return Ok(()) };
        let proposed = matches!(c.phase, Phase::Proposed | Phase::Applying);
        if proposed && !(planted.has(Bug::AbortAfterProposal) && c.phase == Phase::Proposed) {
            return Ok(());
        }
        if c.phase == Phase::Preparing && c.claim.fast.is_some() && !planted.has(Bug::FastAbortedFreely) {
            self.propose_abort(io, txn, reason);
            return Ok(());
        }
        c.reason = Some(reason);
        let voters = c.record.voters.clone();
        self.decide(io, txn, Outcome::Abort)?;
        if planted.has(Bug::ReusedIdentity) {
            // The second time it is recorded already.
            self.coordinated_abort(io, txn);
            self.last_aborted = Some(txn);
        }
        self.announce(io, txn, &Outcome::Abort, &voters);
        Ok(())
    }

    /// An acceptance at ballot zero.
    pub(crate) fn coordinator_accepted(&mut self, io: &mut Io<'_>, from: NodeId, txn: TxnId) -> Result<(), Fatal> {
        let Some(c) = self.coordinating.get_mut(&txn) else { return Ok(()) };
        if !matches!(c.phase, Phase::Proposed | Phase::Applying) || !c.record.voters.contains(&from) {
            return Ok(());
        }
        c.accepted.insert(from);
        let Some(outcome) = &c.proposal else { return Ok(()) };
        if c.phase == Phase::Proposed && c.accepted.len() >= c.quorum() {
            self.ended.in_two_rounds += u64::from(*outcome != Outcome::Abort);
            self.chosen(io, txn)?;
        }
        self.answer_applied(io, txn);
        Ok(())
    }

    /// The voters chose what this node proposed: records it, and tells everyone.
    pub(super) fn chosen(&mut self, io: &mut Io<'_>, txn: TxnId) -> Result<(), Fatal> {
        let Some(c) = self.coordinating.get_mut(&txn) else { return Ok(()) };
        let Some(outcome) = c.proposal.clone() else { return Ok(()) };
        c.phase = Phase::Applying;
        let voters = c.record.voters.clone();
        self.decide(io, txn, outcome.clone())?;
        self.announce(io, txn, &outcome, &voters);
        Ok(())
    }

    /// A member that knows the outcome accepts no more, so its `Decided` stands for the acceptance that ALL waits for:
    /// the record is durable there since it prepared, and it will not forget the outcome's quorum.
    pub(crate) fn coordinator_heard_decided(&mut self, io: &mut Io<'_>, from: NodeId, txn: TxnId) {
        if let Some(c) = self.coordinating.get_mut(&txn)
            && c.phase == Phase::Applying
            && c.record.voters.contains(&from)
        {
            c.accepted.insert(from);
            self.answer_applied(io, txn);
        }
    }

    /// The coordinated transaction ended as an abort.
    pub(crate) fn coordinated_abort(&mut self, io: &mut Io<'_>, txn: TxnId) {
        self.drop_barriers_of(txn);
        let Some(c) = self.coordinating.remove(&txn) else { return };
        self.ended.aborted += 1;
        let Some(client) = c.client else { return };
        let refusal = c.reason.unwrap_or(match c.phase {
            Phase::Locking | Phase::Barrier | Phase::Locked => Refusal::LockLost,
            Phase::Preparing | Phase::Proposed | Phase::Applying => Refusal::Conflict { begin: c.record.begin },
        });
        // Without a client waiting (a session executing under its lock asks later), there is nobody to tell.
        if c.phase != Phase::Locked {
            io.out.reply(client, Response::Refused(refusal));
        }
    }

    /// The coordinated transaction got its place: the client is answered when that is applied.
    pub(crate) fn coordinated_commit(&mut self, io: &mut Io<'_>, txn: TxnId, seq: ApplySeq, stamp: Stamp) {
        if let Some(c) = self.coordinating.get_mut(&txn) {
            c.phase = Phase::Applying;
            c.seq = Some((seq, stamp));
            self.waiting.take_turn(c.record.begin);
            self.awaiting_apply.push_back((seq, txn));
            self.answer_applied(io, txn);
        }
    }

    /// Answers the client once everything it was promised holds.
    pub(crate) fn answer_applied(&mut self, io: &mut Io<'_>, txn: TxnId) {
        let Some(c) = self.coordinating.get(&txn) else { return };
        let Some((seq, stamp)) = c.seq else { return };
        let all = c.record.level == WriteLevel::All && c.proposal.is_some();
        if seq > self.log.applied || (all && c.accepted.len() < c.record.voters.len()) {
            return;
        }
        let changes_members = matches!(c.record.body, Body::Members(_));
        let client = c.client;
        self.coordinating.remove(&txn);
        match client {
            Some(client) if changes_members => self.acknowledge_change(io, client, txn),
            Some(client) => io.out.reply(client, Response::Committed { txn, stamp }),
            None => {}
        }
    }

    /// Timers of coordinated and parked transactions.
    pub(crate) fn tick_coordinator(&mut self, io: &mut Io<'_>) -> Result<(), Fatal> {
        self.tick_fast(io)?;
        self.tick_locks(io)?;
        let now = self.now.mono;
        let expired: Vec<TxnId> =
            self.coordinating.iter().filter(|(_, c)| c.deadline <= now).map(|(t, _)| *t).collect();
        for txn in expired {
            self.expire(io, txn)?;
        }
        let due: Vec<TxnId> = self.coordinating.iter().filter(|(_, c)| c.resend_at <= now).map(|(t, _)| *t).collect();
        for txn in due {
            self.resend(io, txn);
        }
        self.expire_parked(io);
        Ok(())
    }

    fn expire_parked(&mut self, io: &mut Io<'_>) {
        let now = self.now.mono;
        if self.parked.iter().all(|p| p.deadline > now && p.alone_at > now) {
            return;
        }
        let patience = self.config.timing.write_timeout;
        let heard = |v: &NodeId| *v == self.id || self.peers.get(*v).is_some_and(|p| now.since(p.heard) < patience);
        let voters = self.membership.voters.len();
        let answered = self.membership.voters.keys().filter(|v| heard(v)).count();
        let alone = answered < self.membership.quorum();
        for mut parked in std::mem::take(&mut self.parked) {
            let refusal = if parked.alone_at <= now && alone {
                Refusal::NoQuorum { answered, voters }
            } else if parked.deadline <= now {
                Refusal::LockWaitTimeout
            } else {
                if parked.alone_at <= now {
                    parked.alone_at = now.after(patience);
                }
                self.parked.push(parked);
                continue;
            };
            io.out.reply(parked.request.client, Response::Refused(refusal));
        }
    }

    fn expire(&mut self, io: &mut Io<'_>, txn: TxnId) -> Result<(), Fatal> {
        let far = self.now.mono.after(self.config.timing.write_timeout);
        let Some(c) = self.coordinating.get_mut(&txn) else { return Ok(()) };
        match c.phase {
            Phase::Locking | Phase::Preparing => {
                let held = c.rejected.values().any(|r| matches!(r, Reject::Held { .. }));
                let reason = match held && c.prepared.len() + c.rejected.len() >= c.quorum() {
                    true => Refusal::LockWaitTimeout,
                    false => Refusal::NoQuorum { answered: c.prepared.len(), voters: c.record.voters.len() },
                };
                self.give_up(io, txn, reason)
            }
            Phase::Barrier | Phase::Locked => self.give_up(io, txn, Refusal::LockLost),
            Phase::Proposed if self.config.planted.has(Bug::AbortAfterProposal) => {
                self.give_up(io, txn, Refusal::LockWaitTimeout)
            }
            Phase::Proposed | Phase::Applying => {
                // Only the members know. The client is told so, and the work goes on until it ends: by any of them,
                // since what kept ballot zero from ending (a clock that others refuse, say) may last.
                c.deadline = far;
                c.outbid |= c.phase == Phase::Proposed;
                if c.only_to_apply() {
                    return Ok(());
                }
                let abort_lie = self.config.planted.has(Bug::UnknownReportedAsAbort);
                if let Some(client) = c.client.take() {
                    let voters = c.record.voters.len();
                    let refusal = match abort_lie {
                        true => Refusal::NoQuorum { answered: 1, voters },
                        false => Refusal::UnknownOutcome { txn },
                    };
                    io.out.reply(client, Response::Refused(refusal));
                }
                // Decided and applied, and nobody waits any more: what the others lack they get by anti-entropy.
                if c.seq.is_some_and(|(seq, _)| seq <= self.log.applied) {
                    self.coordinating.remove(&txn);
                }
                Ok(())
            }
        }
    }

    /// A transaction that held keys ended: requests parked on it are judged again, at once if it aborted, when its
    /// commit at `seq` is applied otherwise.
    pub(crate) fn wake_parked(&mut self, io: &mut Io<'_>, txn: TxnId, seq: Option<ApplySeq>) -> Result<(), Fatal> {
        if self.parked.is_empty() {
            return Ok(());
        }
        if let Some(seq) = seq {
            for parked in self.parked.iter_mut().filter(|p| p.blocked_by == txn) {
                parked.until_applied = Some(seq);
            }
            return Ok(());
        }
        self.unpark(io, |p| p.blocked_by == txn)
    }

    /// Judges parked requests again, oldest first.
    pub(crate) fn unpark(&mut self, io: &mut Io<'_>, ready: impl Fn(&Parked) -> bool) -> Result<(), Fatal> {
        let (mut ready, rest): (Vec<Parked>, Vec<Parked>) =
            std::mem::take(&mut self.parked).into_iter().partition(|p| ready(p));
        self.parked = rest;
        ready.sort_by_key(|p| (p.request.begin, p.request.client));
        for parked in ready {
            self.judge_request(io, parked.request, parked.deadline)?;
        }
        Ok(())
    }

    /// A client is gone. What it locked is given up; a commit under way goes on without anyone to tell.
    pub(crate) fn on_client_gone(&mut self, io: &mut Io<'_>, client: ClientId) -> Result<(), Fatal> {
        self.parked.retain(|p| p.request.client != client);
        let theirs: Vec<TxnId> =
            self.coordinating.iter().filter(|(_, c)| c.client == Some(client)).map(|(t, _)| *t).collect();
        for txn in theirs {
            if let Some(c) = self.coordinating.get_mut(&txn) {
                c.client = None;
                if matches!(c.phase, Phase::Locking | Phase::Barrier | Phase::Locked) {
                    self.give_up(io, txn, Refusal::LockLost)?;
                }
            }
        }
        self.pending_changes.retain(|p| p.client != client);
        self.drop_client_barriers(client);
        Ok(())
    }

    /// The earliest timer among coordinated and parked transactions.
    pub(crate) fn coordinator_deadline(&self) -> Option<Mono> {
        let others = |c: &Coordination| {
            let waited = matches!(c.phase, Phase::Locking | Phase::Preparing);
            c.others_until.filter(|_| waited).unwrap_or(Mono(u64::MAX))
        };
        let coordinated = self.coordinating.values().map(|c| c.deadline.min(c.resend_at).min(others(c)));
        coordinated.chain(self.parked.iter().map(|p| p.deadline.min(p.alone_at))).min()
    }
}

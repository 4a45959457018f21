//! The node: routes inputs to mechanisms, owns their state, keeps the order of effects.

use super::barrier::Barrier;
use super::config::Config;
use super::effect::{ApplyTask, Destination, Effect, Effects, Notice, Response};
use super::fault::{Fatal, PeerFault, Refusal};
use super::hlc::Clock;
use super::ids::AutoIds;
use super::input::{Input, MemberChange, Request};
use super::log::{Log, Recorded};
use super::members::change::PendingChange;
use super::members::lives::Lives;
use super::members::peers::Peers;
use super::merge::{KeyStates, hide_again, merge};
use super::message::{Body, Envelope, Life, Membership, Message, Outcome, Record, Reject};
use super::replicate::progress::Progress;
use super::replicate::sync::Sync;
use super::replicate::{ConflictRow, Kept};
use super::status::Ended;
use super::storage::{Storage, Table, decode, load};
use super::swim::{Swim, SwimEvent};
use super::txn::coordinator::{CommitRequest, Coordination, Parked, Yes};
use super::txn::fast::Fast;
use super::txn::live::{Intents, Live, Vote, WaitingList};
use super::txn::recover::Recovery;
use super::wall::WallClocks;
use crate::core::members::join::Joining;
use crate::core::members::leave::Leaving;
use crate::core::planted::Bug;
use crate::types::{
    ApplySeq, AutoIdMode, ClientId, Epoch, Hlc, Mono, NodeId, Now, ReadLevel, Sequence, Stamp, TxnId, VersionVector,
    Wall, WriteSet,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// What a step may touch besides the node itself.
pub(crate) struct Io<'a> {
    pub store: &'a mut dyn Storage,
    pub out: &'a mut Effects,
}

/// One node of the cluster: everything it decides, and nothing it does.
///
/// **Invariants** (checked by [`Node::check_invariants`]): every transaction with intents is undecided, and then of the
/// epoch in force (rule 20), or waits for a dependency; no position is both live and recorded; the applied place is at
/// most the last recorded one.
pub struct Node {
    pub(crate) config: Config,
    pub(crate) id: NodeId,
    /// The clocks as of this step; `wall` is bounded by what the voters' show.
    pub(crate) now: Now,
    /// This node's own wall clock, right or wrong.
    pub(crate) own_wall: Wall,
    pub(crate) wall_clocks: WallClocks,
    pub(crate) wall_judged: Mono,
    pub(crate) opened: Mono,
    pub(crate) rng: StdRng,
    pub(crate) clock: Clock,
    ids: AutoIds,
    swim: Swim,
    pub(crate) cluster: u64,
    pub(crate) membership: Arc<Membership>,
    pub(crate) slots_used: u8,
    pub(crate) peers: Peers,
    pub(crate) life: Life,
    pub(crate) lives: Lives,
    pub(crate) joining: Option<Joining>,
    pub(crate) leaving: Option<Leaving>,
    /// The change of the member list that was begun last.
    pub(crate) changing: Option<MemberChange>,
    pub(crate) pending_changes: Vec<PendingChange>,
    /// The precedence of member changes that were tried in this epoch: an attempt is as old as the first.
    pub(crate) member_precedence: BTreeMap<MemberChange, Stamp>,
    pub(crate) log: Log,
    pub(crate) keys: KeyStates,
    pub(crate) live: BTreeMap<TxnId, Live>,
    pub(crate) intents: Intents,
    pub(crate) waiting: WaitingList,
    /// Decided commits that wait for their record or for what they depend on.
    pub(crate) undelivered: BTreeSet<TxnId>,
    pub(crate) coordinating: BTreeMap<TxnId, Coordination>,
    pub(crate) parked: Vec<Parked>,
    pub(crate) fast: Fast,
    pub(crate) ended: Ended,
    /// Coordinated commits whose client is answered when their place is applied.
    pub(crate) awaiting_apply: VecDeque<(ApplySeq, TxnId)>,
    pub(crate) recovering: BTreeMap<TxnId, Recovery>,
    pub(crate) barriers: BTreeMap<u64, Barrier>,
    pub(crate) barrier_count: u64,
    pub(crate) progress: Progress,
    pub(crate) sync: Sync,
    pub(crate) draining: bool,
    /// Discarded values noticed in this step.
    pub(crate) conflicts: Vec<ConflictRow>,
    /// Planted bug `ReusedIdentity` only.
    pub(crate) last_aborted: Option<TxnId>,
    /// Messages of this node to itself, handled before the step ends.
    loopback: VecDeque<Message>,
}

impl Node {
    /// Recovers what storage holds, or starts a new life: as the first node of a new cluster if no seeds are given,
    /// else by joining. `applied` is what the database files durably contain; committed work above it is handed to
    /// the applier again.
    ///
    /// # Errors
    /// [`Fatal`] if storage fails or is corrupt, or if it belongs to another node.
    pub fn open(
        config: Config,
        now: Now,
        seed: u64,
        applied: ApplySeq,
        store: &mut dyn Storage,
        out: &mut Effects,
    ) -> Result<Node, Fatal> {
        Node::open_renewed(config, now, seed, applied, None, store, out)
    }

    /// As [`Node::open`], on a copy of another's state, with what this node has kept of its own.
    pub(crate) fn open_renewed(
        config: Config,
        now: Now,
        seed: u64,
        applied: ApplySeq,
        kept: Option<Kept>,
        store: &mut dyn Storage,
        out: &mut Effects,
    ) -> Result<Node, Fatal> {
        config.check().map_err(Fatal::Invariant)?;
        let mut rng = StdRng::seed_from_u64(seed);
        let planted = config.planted;
        let mut clock = Clock::open(store, now.wall, config.timing.max_clock_offset, planted)?;
        // Not by the wall clock: it may be wrong, and nobody was heard yet.
        let first = clock.tick(Wall(0));
        let (life, generation) = (Life { born: clock.born(), first, nonce: rng.random() }, first.0);
        let swim = Swim::new(config.node, config.address.clone(), generation, &config.timing, rng.random());
        let log = Log::open(store)?;
        let watermark = log.checkpoint().watermark;
        let mut node = Node {
            id: config.node,
            now,
            own_wall: now.wall,
            wall_clocks: WallClocks::new(now),
            wall_judged: Mono(0),
            opened: now.mono,
            ids: AutoIds::starting_at(clock.last().millis()),
            swim,
            cluster: rng.random(),
            membership: Arc::default(),
            slots_used: 0,
            peers: Peers::default(),
            life,
            lives: Lives::default(),
            joining: None,
            leaving: None,
            changing: None,
            pending_changes: Vec::new(),
            member_precedence: BTreeMap::new(),
            keys: KeyStates::new(Hlc::ZERO, planted),
            live: BTreeMap::new(),
            intents: Intents::default(),
            waiting: WaitingList::default(),
            undelivered: BTreeSet::new(),
            coordinating: BTreeMap::new(),
            parked: Vec::new(),
            fast: Fast::default(),
            ended: Ended::default(),
            awaiting_apply: VecDeque::new(),
            recovering: BTreeMap::new(),
            barriers: BTreeMap::new(),
            barrier_count: rng.random::<u32>().into(),
            progress: Progress::new(watermark, now.mono, clock.last()),
            sync: Sync::default(),
            draining: false,
            conflicts: Vec::new(),
            last_aborted: None,
            loopback: VecDeque::new(),
            log,
            clock,
            rng,
            config,
        };
        let mut io = Io { store, out };
        node.recover_membership(&mut io)?;
        node.recover_log(&mut io, applied)?;
        node.recover_live(&mut io)?;
        if let Some(kept) = kept {
            // Before positions that seem to be empty are filled.
            node.take_kept(&mut io, kept)?;
        }
        node.fill_own_positions(&mut io)?;
        for seed in node.config.seeds.clone() {
            if seed != node.config.address {
                let events = node.swim.announce(now.mono, seed);
                node.on_swim_events(&mut io, events);
            }
        }
        // Whatever happened meanwhile: do not wait for gossip to tell.
        let other = node.membership.voters.keys().copied().find(|v| *v != node.id);
        if let Some(other) = other {
            node.sync.want(now.mono, other);
        }
        node.publish_watermark(&mut io);
        node.finish_step(&mut io)?;
        Ok(node)
    }

    /// Reads the apply order from the checkpoint on: vector, key states above the horizon, and redo.
    fn recover_log(&mut self, io: &mut Io<'_>, applied: ApplySeq) -> Result<(), Fatal> {
        KeyStates::clear_spilled(io.store)?;
        let checkpoint = self.log.checkpoint().clone();
        self.log.applied = applied;
        self.log.synced = applied;
        let floor = checkpoint.floor.max(1);
        // Key states below the floor are not rebuilt: all of them are at or below this.
        self.keys = KeyStates::new(checkpoint.horizon, self.config.planted);
        let mut seq = floor.min(applied + 1).min(checkpoint.seq + 1);
        loop {
            let entries = self.log.entries(io.store, seq, 256)?;
            let Some((last, _)) = entries.last() else { break };
            seq = last + 1;
            for (at, entry) in entries {
                let recorded: Option<Recorded> = self.log.outcome(io.store, entry.txn)?;
                let stamp = match recorded.map(|r| r.outcome) {
                    Some(Outcome::Commit { stamp, .. }) => Some(stamp),
                    Some(Outcome::Abort) | None => None,
                };
                if at > checkpoint.seq || at >= floor {
                    self.log.replay(at, &entry, stamp.filter(|_| at >= floor));
                }
                let Some(stamp) = stamp else { continue };
                self.log.last_commit = self.log.last_commit.max(at);
                let missing = || Fatal::CorruptStorage(format!("the record of {} is missing from the log", entry.txn));
                let record: Record = load(io.store, Table::Record, &entry.txn.to_bytes())?.ok_or_else(missing)?;
                if at >= floor {
                    merge(&mut self.keys, io.store, &record, stamp, at, self.config.planted)?;
                    if let (true, Body::Write(write_set)) = (checkpoint.dropped.contains(entry.txn), &record.body) {
                        write_set.holds.iter().for_each(|hold| self.keys.fold_readers(&hold.key));
                    }
                }
                if at > applied {
                    let write_set = match record.body {
                        Body::Write(write_set) => write_set,
                        Body::Members(_) | Body::Conflicts(_) => Arc::new(WriteSet::default()),
                    };
                    io.out.push(Effect::Apply(ApplyTask {
                        seq: at,
                        txn: entry.txn,
                        stamp,
                        write_set,
                        amendments: entry.amendments.clone(),
                        evictions: entry.evictions.iter().map(Into::into).collect(),
                        may_evict: entry.may_evict,
                    }));
                }
                self.clock.observe(stamp.hlc);
            }
        }
        hide_again(&mut self.keys, io.store)?;
        self.sync.heard = self.log.vector.clone();
        Ok(())
    }

    /// Intents, promises and acceptances of undecided transactions.
    fn recover_live(&mut self, io: &mut Io<'_>) -> Result<(), Fatal> {
        let mut from = Vec::new();
        loop {
            let votes = io.store.scan(Table::Ballot, &from, 256)?;
            let Some((last, _)) = votes.last() else { return Ok(()) };
            from = last.clone();
            from.push(0);
            for (key, value) in votes {
                let Some(txn) = TxnId::from_bytes(&key) else {
                    return Err(Fatal::CorruptStorage("ballot: key length".into()));
                };
                let vote: Vote = decode(Table::Ballot, &value)?;
                let record: Option<Record> = load(io.store, Table::Record, &key)?;
                let live = Live::from_vote(vote, record.map(Arc::new), self.now.mono);
                if let (Some(record), Some(_)) = (&live.record, live.prepared) {
                    self.intents.take(record);
                    self.sync.hear(&record.dependencies, record.epoch);
                }
                self.live.insert(txn, live);
            }
        }
    }

    /// Positions of an earlier life end: in the ONE log as empty, in the QUORUM log as the voters say, since proposals
    /// leave before they are durable here (rule 2). Who lost its vote knows: what it had under way in an older epoch is
    /// aborted (rule 20).
    fn fill_own_positions(&mut self, io: &mut Io<'_>) -> Result<(), Fatal> {
        let (quorum, one) = self.log.reserved();
        let lanes: [(NodeId, Sequence); 2] = [(self.id, quorum), (self.id.one_log(), one)];
        for (origin, reserved) in lanes {
            for sequence in self.log.vector.prefix(origin) + 1..=reserved {
                let txn = TxnId { origin, sequence };
                if self.log.vector.contains(txn) {
                    continue;
                }
                match self.live.get(&txn) {
                    Some(live) if live.accepted.is_some() && self.config.planted.has(super::Bug::BallotZeroTwice) => {
                        self.propose_again(io, txn);
                    }
                    Some(live) if live.accepted.is_some() || live.decided.is_some() => {}
                    Some(_) | None if origin == self.id && self.is_voter() => self.is_orphaned(txn),
                    Some(_) | None => self.decide(io, txn, Outcome::Abort)?,
                }
            }
        }
        Ok(())
    }

    /// Planted bug: a restarted coordinator proposes again, with a new stamp.
    fn propose_again(&mut self, io: &mut Io<'_>, txn: TxnId) {
        let Some(live) = self.live.get_mut(&txn) else { return };
        let Some(voters) = live.voters.clone() else { return };
        let stamp = Stamp { hlc: self.clock.tick(self.now.wall), node: self.id };
        let outcome = Outcome::Commit { stamp, after: VersionVector::new() };
        live.accepted = Some((super::message::Ballot::ZERO, outcome.clone()));
        if let Some(record) = live.record.clone() {
            let phase = super::txn::coordinator::Phase::Proposed;
            let deadline = self.now.mono.after(self.config.timing.write_timeout);
            self.coordinate_again(record, phase, deadline, outcome.clone());
        }
        for voter in voters.iter() {
            let ballot = super::message::Ballot::ZERO;
            let message = Message::Accept { txn, ballot, outcome: outcome.clone(), voters: voters.clone() };
            self.send(io, *voter, message);
        }
    }

    /// Whether the log still has every position from the first on.
    pub fn log_is_whole(&self) -> bool {
        self.log.checkpoint().dropped == VersionVector::new()
    }

    /// Handles one input. Everything it wants done is in `out`, in order, and may leave the node only after `store`'s
    /// round is durable.
    ///
    /// # Errors
    /// Only [`Fatal`]: the process must stop, the round must not be committed.
    pub fn step(&mut self, now: Now, input: Input, store: &mut dyn Storage, out: &mut Effects) -> Result<(), Fatal> {
        self.now.mono = now.mono.max(self.now.mono);
        self.read_wall(now.wall, out);
        let mut io = Io { store, out };
        match input {
            Input::Tick => self.tick(&mut io)?,
            Input::Message(envelope) => self.on_envelope(&mut io, envelope)?,
            Input::Request(client, request) => self.on_request(&mut io, client, request)?,
            Input::ClientGone(client) => self.on_client_gone(&mut io, client)?,
            Input::Applied(seq) => self.on_applied(&mut io, seq)?,
            Input::Synced(seq) => self.log.synced = self.log.synced.max(seq),
            Input::Evicted { winner, row, image } => self.on_evicted(&mut io, winner, row, image),
            Input::OldestSnapshot(snapshot) => self.progress.oldest_snapshot = snapshot,
            Input::Leave => self.begin_leave(),
            Input::Drain => {
                self.draining = true;
                let events = self.swim.leave(self.now.mono);
                self.on_swim_events(&mut io, events);
            }
        }
        self.finish_step(&mut io)
    }

    fn finish_step(&mut self, io: &mut Io<'_>) -> Result<(), Fatal> {
        self.finish_messages(io)?;
        if !self.conflicts.is_empty() {
            self.record_conflicts(io)?;
            self.finish_messages(io)?;
        }
        if self.config.planted.has(super::Bug::ClockMarkNotPersisted) {
            return Ok(());
        }
        self.clock.persist(io.store)
    }

    /// Messages to itself, and barriers that may have become true.
    fn finish_messages(&mut self, io: &mut Io<'_>) -> Result<(), Fatal> {
        while let Some(message) = self.loopback.pop_front() {
            self.on_message(io, self.id, message)?;
        }
        if !self.barriers.is_empty() {
            self.check_barriers(io)?;
            while let Some(message) = self.loopback.pop_front() {
                self.on_message(io, self.id, message)?;
            }
        }
        Ok(())
    }

    fn tick(&mut self, io: &mut Io<'_>) -> Result<(), Fatal> {
        self.tick_swim(io);
        self.tick_joining(io);
        self.tick_leaving(io);
        self.tick_coordinator(io)?;
        self.tick_recovery(io)?;
        self.tick_barriers(io)?;
        self.check_pending_changes(io);
        self.tick_sync(io)?;
        self.tick_progress(io)
    }

    /// When the next tick is due. A tick before it is harmless, one after it late.
    pub fn next_deadline(&self) -> Option<Mono> {
        [
            self.swim.next_deadline(),
            self.joining_deadline(),
            self.leaving_deadline(),
            self.coordinator_deadline(),
            self.recovery_deadline(),
            self.barrier_deadline(),
            self.pending_changes_deadline(),
            self.sync_deadline(),
            Some(self.progress.next_report),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn on_envelope(&mut self, io: &mut Io<'_>, envelope: Envelope) -> Result<(), Fatal> {
        let from = envelope.from;
        if !from.is_valid() || from == self.id {
            let what = "sender is not a valid node id, or this node's own".to_string();
            io.out.notice(Notice::PeerFault(PeerFault::Malformed { from, what }));
            return Ok(());
        }
        if !self.is_itself(io, &envelope)? {
            return Ok(());
        }
        self.peers.heard(from, &envelope.from_address, self.now.mono);
        self.wall_clocks.heard(from, envelope.wall, self.now.mono);
        self.read_wall(self.own_wall, io.out);
        self.peers.read_wall(from, envelope.wall, self.now.wall);
        match self.too_far_ahead(envelope.clock) {
            None => self.clock.observe(envelope.clock),
            Some(ahead_ms) => {
                io.out.notice(Notice::PeerFault(PeerFault::ClockAhead { from, ahead_ms }));
                if let Message::Prepare { record, claim } = &envelope.message {
                    let (txn, lock_only, reason) = (record.txn, claim.lock_only, Reject::ClockAhead { ahead_ms });
                    self.send(io, from, Message::Rejected { txn, lock_only, reason });
                    return Ok(());
                }
            }
        }
        self.on_message(io, from, envelope.message)
    }

    fn on_message(&mut self, io: &mut Io<'_>, from: NodeId, message: Message) -> Result<(), Fatal> {
        // Who belongs to no cluster yet takes the invitation only: everything else builds on the list that comes with it,
        // and an invitation that was late must not put an older list over one that a record brought.
        let uninvited = self.membership.voters.is_empty() && !self.config.planted.has(Bug::RecordsBeforeWelcome);
        if uninvited && !matches!(message, Message::Swim(_) | Message::Welcome { .. } | Message::Outdated { .. }) {
            return Ok(());
        }
        match message {
            Message::Swim(data) => {
                let events = self.swim.receive(self.now.mono, &data);
                self.on_swim_events(io, events);
                Ok(())
            }
            Message::Prepare { record, claim } => self.on_prepare(io, from, record, claim),
            Message::Prepared { txn, clock, lock_only, fast, holds } => {
                self.on_prepared(io, from, txn, Yes { clock, lock_only, fast, holds })
            }
            Message::Rejected { txn, lock_only, reason } => self.on_rejected(io, from, txn, lock_only, reason),
            Message::Accept { txn, ballot, outcome, voters } => self.on_accept(io, from, txn, ballot, outcome, voters),
            Message::Accepted { txn, ballot } => self.on_accepted(io, from, txn, ballot),
            Message::Refused { txn, promised } => {
                self.on_refused(txn, promised);
                Ok(())
            }
            Message::Recover { txn, ballot } => self.on_recover(io, from, txn, ballot),
            Message::Promise { txn, ballot, accepted, fast } => self.on_promise(io, from, txn, ballot, accepted, fast),
            Message::Decided { txn, outcome } => self.on_decided(io, from, txn, outcome),
            Message::Inquire { txn } => self.on_inquire(io, from, txn),
            Message::Working { txn } => {
                self.on_working(txn);
                Ok(())
            }
            Message::Report(report) => {
                self.on_report(io, from, report);
                Ok(())
            }
            Message::SyncRequest { vector, epoch } => self.on_sync_request(io, from, &vector, epoch),
            Message::SyncRecords { epoch, commits, aborted, more } => {
                self.on_sync_answer(io, from, epoch, commits, aborted, more)
            }
            Message::SyncTooOld { origin, first_kept } => {
                self.on_sync_too_old(io, from, origin, first_kept);
                Ok(())
            }
            Message::Barrier { id, .. } => {
                self.on_barrier(io, from, id);
                Ok(())
            }
            Message::BarrierState { id, epoch, holds, live } => {
                self.on_barrier_state(io, from, id, epoch, &holds, live);
                Ok(())
            }
            Message::Join { .. } => {
                self.on_join(io, from);
                Ok(())
            }
            Message::Welcome { cluster, membership, vector } => self.on_welcome(io, from, cluster, membership, vector),
            Message::AdmitMe { vector, epoch } => self.on_admit_me(io, from, vector, epoch),
            Message::Leaving => {
                self.peers.set_alive(from, false);
                Ok(())
            }
            Message::Outdated { life, known } => self.on_outdated(life, known),
            Message::RemoveMe { own, epoch } => self.on_remove_me(io, from, &own, epoch),
            #[cfg(feature = "next-version")]
            Message::Novelty => Ok(()),
        }
    }

    fn on_request(&mut self, io: &mut Io<'_>, client: ClientId, request: Request) -> Result<(), Fatal> {
        match request {
            Request::Commit { write_set, snapshot, level, begin, lock_wait } => {
                let own = Stamp { hlc: self.clock.tick(self.now.wall), node: self.id };
                let request = CommitRequest { client, write_set, snapshot, level, begin: begin.unwrap_or(own) };
                self.on_commit_request(io, request, lock_wait)
            }
            Request::LockSchema { databases, begin, lock_wait } => {
                self.on_lock_schema(io, client, databases, begin, lock_wait)
            }
            Request::CommitLocked { txn, write_set } => self.on_commit_locked(io, client, txn, write_set),
            Request::AbortLocked { txn } => self.on_abort_locked(io, client, txn),
            Request::Barrier(ReadLevel::LocalOne) => {
                io.out.reply(client, Response::BarrierDone);
                Ok(())
            }
            Request::Barrier(level) => {
                if !self.is_voter() {
                    io.out.reply(client, Response::Refused(Refusal::NotVoter));
                    return Ok(());
                }
                self.start_barrier(io, super::barrier::Purpose::Read(client), level == ReadLevel::All)
            }
            Request::AutoIds { mode, count } => self.on_auto_ids(io, client, mode, count),
            Request::Member(change) => self.on_member_request(io, Some(client), change, VersionVector::new()),
            Request::ClusterStatus => {
                io.out.reply(client, Response::ClusterStatus(Box::new(self.status())));
                Ok(())
            }
            Request::OpenTransactions => {
                io.out.reply(client, Response::OpenTransactions(self.open_transactions()));
                Ok(())
            }
        }
    }

    fn on_auto_ids(&mut self, io: &mut Io<'_>, client: ClientId, mode: AutoIdMode, count: u32) -> Result<(), Fatal> {
        let Some(slot) = self.membership.voters.get(&self.id).map(|m| m.slot) else {
            io.out.reply(client, Response::Refused(Refusal::NotVoter));
            return Ok(());
        };
        let now_ms = self.clock.catch_up(self.now.wall).millis();
        let (first, count, used_ms) = self.ids.lease(mode, count, now_ms, slot, self.config.planted);
        self.clock.persist_beyond(io.store, used_ms)?;
        io.out.reply(client, Response::AutoIds { first, count });
        Ok(())
    }

    fn on_applied(&mut self, io: &mut Io<'_>, seq: ApplySeq) -> Result<(), Fatal> {
        self.log.applied = self.log.applied.max(seq);
        let applied = self.log.applied;
        self.publish_watermark(io);
        while let Some((at, txn)) = self.awaiting_apply.front().copied() {
            if at > applied {
                break;
            }
            self.awaiting_apply.pop_front();
            self.answer_applied(io, txn);
        }
        if !self.parked.is_empty() {
            self.unpark(io, |p| p.until_applied.is_some_and(|at| at <= applied))?;
        }
        Ok(())
    }

    fn tick_swim(&mut self, io: &mut Io<'_>) {
        let events = self.swim.tick(self.now.mono);
        self.on_swim_events(io, events);
        let others = self.membership.voters.keys().filter(|v| **v != self.id);
        let addresses = others.filter_map(|v| Some((*v, self.peers.address(*v, &self.membership)?)));
        let events = self.swim.reintroduce(self.now.mono, addresses);
        self.on_swim_events(io, events);
    }

    fn on_swim_events(&mut self, io: &mut Io<'_>, events: VecDeque<SwimEvent>) {
        for event in events {
            match event {
                SwimEvent::Send { to, data } => {
                    let message = Message::Swim(data.into());
                    let destination = match to.node.is_valid() {
                        true => Destination::Node { id: to.node, address: to.address },
                        false => Destination::Address(to.address),
                    };
                    self.send_to(io, destination, message);
                }
                SwimEvent::Up(node, address) => {
                    if node != self.id && node.is_valid() {
                        self.peers.heard(node, &address, self.now.mono);
                        self.peers.set_alive(node, true);
                        io.out.notice(Notice::PeerUp(node, address));
                    }
                }
                SwimEvent::Down(node, address) => {
                    self.peers.set_alive(node, false);
                    io.out.notice(Notice::PeerDown(node, address));
                }
            }
        }
    }

    /// Sends to a node, this one included: then it is handled before the step ends, in the same round.
    pub(crate) fn send(&mut self, io: &mut Io<'_>, to: NodeId, message: Message) {
        if to == self.id {
            self.loopback.push_back(message);
        } else if let Some(address) = self.peers.address(to, &self.membership) {
            self.send_to(io, Destination::Node { id: to, address }, message);
        }
    }

    pub(crate) fn send_to(&mut self, io: &mut Io<'_>, to: Destination, message: Message) {
        io.out.push(Effect::Send { to, message });
    }

    /// The envelope that carries `message` from this node now.
    pub fn envelope(&self, message: Message) -> Envelope {
        let (from, from_address) = (self.id, self.config.address.clone());
        Envelope { from, from_address, clock: self.clock.last(), wall: self.own_wall, life: self.life, message }
    }

    /// This node's identity.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Whether this node has a vote in the epoch it knows.
    pub fn is_voter(&self) -> bool {
        self.membership.is_voter(self.id)
    }

    /// The epoch in which this node is known here to be removed, if it is.
    pub fn removed_in(&self) -> Option<Epoch> {
        self.membership.removed.contains(&self.id).then_some(self.membership.epoch)
    }

    /// Whether nothing is under way here that a stop would interrupt.
    pub fn is_drained(&self) -> bool {
        self.coordinating.is_empty() && self.parked.is_empty() && self.log.applied >= self.log.last_commit
    }

    /// The member list in force here.
    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// Whether a client here waits for others' transactions to be applied.
    pub fn waits_for_applier(&self) -> bool {
        !(self.parked.is_empty() && self.barriers.is_empty())
    }

    /// Keys whose versions are remembered in memory.
    pub fn key_states(&self) -> usize {
        self.keys.len()
    }

    /// What must hold between steps. The error says what does not.
    pub fn check_invariants(&self, _store: &dyn Storage) -> Result<(), String> {
        if let Some(txn) = self.live.keys().find(|t| self.log.vector.contains(**t)) {
            return Err(format!("{txn} is live and recorded"));
        }
        let epoch = self.membership.epoch;
        let undecided = self.live.iter().filter(|(_, l)| l.prepared.is_some() && l.decided.is_none());
        let older = undecided.filter_map(|(t, l)| Some((t, l.record.as_ref()?.epoch))).find(|(_, e)| *e < epoch);
        if let Some((txn, old)) = older {
            return Err(format!("{txn} of epoch {} holds intents in epoch {}", old.0, epoch.0));
        }
        if let Some(txn) = self.undelivered.iter().find(|t| !self.live.contains_key(t)) {
            return Err(format!("{txn} is undelivered and not live"));
        }
        if self.log.applied >= self.log.next_seq() {
            return Err(format!("applied {} beyond the log's {}", self.log.applied, self.log.next_seq() - 1));
        }
        let held = self.live.values().filter(|l| l.prepared.is_some()).count();
        if held != self.intents.count {
            return Err(format!("{held} live transactions hold intents, {} are counted", self.intents.count));
        }
        if self.progress.watermark < self.keys.horizon() {
            return Err("the dropped horizon is above the watermark".to_string());
        }
        Ok(())
    }
}

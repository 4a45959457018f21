//! The read barrier: everything acknowledged before it began is applied here when it is done.
//!
//! A majority (or all) of the voters says what it holds and what is in flight with it. Whatever a quorum accepted
//! meets that majority in at least one member, which either recorded it or still has it in flight. Only QUORUM logs
//! count: a ONE record of a lost node may never come. A barrier belongs to an epoch and starts again if a newer one
//! appears, or if it waits too long (what it waits for may have been decided otherwise meanwhile).

use super::effect::Response;
use super::fault::{Fatal, Refusal};
use super::input::MemberChange;
use super::message::Message;
use super::node::{Io, Node};
use super::planted::Bug;
use crate::types::{ApplySeq, ClientId, Epoch, Mono, NodeId, Stamp, TxnId, VersionVector};
use std::collections::BTreeSet;

/// Who waits for a barrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    Read(ClientId),
    SchemaLock(TxnId),
    /// A membership change; the stamp of the list it was asked to change.
    Member {
        client: Option<ClientId>,
        change: MemberChange,
        base: Stamp,
        joiner: VersionVector,
    },
}

/// A barrier under way.
#[derive(Clone, Debug)]
pub struct Barrier {
    purpose: Purpose,
    all: bool,
    epoch: Epoch,
    answered: BTreeSet<NodeId>,
    need: VersionVector,
    live: BTreeSet<TxnId>,
    /// Everything needed is recorded; it must be applied up to here.
    apply: Option<ApplySeq>,
    resend_at: Mono,
    restart_at: Mono,
    deadline: Mono,
}

impl Node {
    pub(crate) fn start_barrier(&mut self, io: &mut Io<'_>, purpose: Purpose, all: bool) -> Result<(), Fatal> {
        self.barrier_count += 1;
        let id = self.barrier_count;
        let now = self.now.mono;
        let barrier = Barrier {
            purpose,
            all,
            epoch: self.membership.epoch,
            answered: BTreeSet::new(),
            need: VersionVector::new(),
            live: BTreeSet::new(),
            apply: None,
            resend_at: now,
            restart_at: now.after(self.config.timing.retransmit.times(5)),
            deadline: now.after(self.config.timing.read_timeout),
        };
        self.barriers.insert(id, barrier);
        self.ask_barrier(io, id);
        Ok(())
    }

    fn ask_barrier(&mut self, io: &mut Io<'_>, id: u64) {
        let resend_at = self.now.mono.after(self.config.timing.retransmit);
        let Some(barrier) = self.barriers.get_mut(&id) else { return };
        barrier.resend_at = resend_at;
        let epoch = barrier.epoch;
        let mut ask: Vec<NodeId> =
            self.membership.voters.keys().filter(|v| !barrier.answered.contains(v)).copied().collect();
        if self.config.planted.has(Bug::BarrierAsksOne) {
            ask.retain(|v| *v == self.id);
        }
        for node in ask {
            self.send(io, node, Message::Barrier { id, epoch });
        }
    }

    /// A reader asks what is decided or in flight here.
    pub(crate) fn on_barrier(&mut self, io: &mut Io<'_>, from: NodeId, id: u64) {
        // A schema lock alone cannot have been acknowledged: before that a quorum prepares its change. A lock's own
        // barrier would wait for itself, and readers for a session that takes its time.
        let live = self.live.iter().filter(|(t, l)| {
            let prepared = l.prepared.is_some() && !l.lock_only;
            !t.origin.is_one_log() && (prepared || l.accepted.is_some() || l.decided.is_some())
        });
        let live = live.map(|(t, _)| *t).collect();
        let one_too = self.config.planted.has(Bug::BarrierWaitsForOne);
        let holds = if one_too { self.log.vector.clone() } else { self.log.vector.quorum_part() };
        self.send(io, from, Message::BarrierState { id, epoch: self.membership.epoch, holds, live });
    }

    pub(crate) fn on_barrier_state(
        &mut self,
        io: &mut Io<'_>,
        from: NodeId,
        id: u64,
        epoch: Epoch,
        holds: &VersionVector,
        live: Vec<TxnId>,
    ) {
        let ignore_epoch = self.config.planted.has(Bug::BarrierIgnoresEpoch);
        let Some(barrier) = self.barriers.get_mut(&id) else { return };
        if epoch > self.membership.epoch && !ignore_epoch {
            // Restarts by itself once the newer list is applied here.
            self.sync.want(self.now.mono, from);
            return;
        }
        if epoch != barrier.epoch && !ignore_epoch {
            return;
        }
        if self.membership.is_voter(from) && barrier.answered.insert(from) {
            barrier.need.join(holds);
            barrier.live.extend(live);
            self.sync.heard.join(holds);
            self.check_barrier(io, id);
        }
    }

    /// Looks at all barriers after something was recorded or applied.
    pub(crate) fn check_barriers(&mut self, io: &mut Io<'_>) -> Result<(), Fatal> {
        let ids: Vec<u64> = self.barriers.keys().copied().collect();
        for id in ids {
            if self.check_barrier(io, id) {
                self.finish_barrier(io, id)?;
            }
        }
        Ok(())
    }

    /// Whether the barrier is done.
    fn check_barrier(&mut self, io: &mut Io<'_>, id: u64) -> bool {
        let planted = self.config.planted;
        let epoch = self.membership.epoch;
        let voters = self.membership.voters.len();
        let Some(barrier) = self.barriers.get_mut(&id) else { return false };
        if barrier.epoch != epoch && !planted.has(Bug::BarrierIgnoresEpoch) {
            barrier.epoch = epoch;
            self.restart_barrier(io, id);
            return false;
        }
        let needed = match barrier.all {
            true => voters,
            false if planted.has(Bug::BarrierAsksOne) => 1,
            false => voters / 2 + 1,
        };
        if barrier.answered.len() < needed {
            return false;
        }
        if barrier.apply.is_none() {
            let vector = &self.log.vector;
            if !vector.covers(&barrier.need) || barrier.live.iter().any(|t| !vector.contains(*t)) {
                return false;
            }
            barrier.apply = Some(self.log.last_commit);
        }
        barrier.apply.is_some_and(|seq| seq <= self.log.applied)
    }

    fn restart_barrier(&mut self, io: &mut Io<'_>, id: u64) {
        let restart_at = self.now.mono.after(self.config.timing.retransmit.times(5));
        if let Some(barrier) = self.barriers.get_mut(&id) {
            barrier.answered.clear();
            barrier.need = VersionVector::new();
            barrier.live.clear();
            barrier.apply = None;
            barrier.restart_at = restart_at;
        }
        self.ask_barrier(io, id);
    }

    fn finish_barrier(&mut self, io: &mut Io<'_>, id: u64) -> Result<(), Fatal> {
        let Some(barrier) = self.barriers.remove(&id) else { return Ok(()) };
        match barrier.purpose {
            Purpose::Read(client) => io.out.reply(client, Response::BarrierDone),
            Purpose::SchemaLock(txn) => self.schema_locked(io, txn),
            Purpose::Member { client, change, base, joiner } => {
                let mut must_hold = barrier.need.quorum_part();
                must_hold.join(&barrier.live.into_iter().filter(|t| self.log.vector.contains(*t)).collect());
                must_hold.join(&joiner);
                self.propose_change(io, client, change, base, barrier.epoch, must_hold)?;
            }
        }
        Ok(())
    }

    pub(crate) fn tick_barriers(&mut self, io: &mut Io<'_>) -> Result<(), Fatal> {
        let now = self.now.mono;
        let ids: Vec<u64> = self.barriers.keys().copied().collect();
        for id in ids {
            let Some(barrier) = self.barriers.get(&id) else { continue };
            if barrier.deadline <= now {
                self.fail_barrier(io, id)?;
            } else if barrier.restart_at <= now && !self.config.planted.has(Bug::BarrierNeverRestarts) {
                self.restart_barrier(io, id);
            } else if barrier.resend_at <= now {
                self.ask_barrier(io, id);
            }
        }
        Ok(())
    }

    fn fail_barrier(&mut self, io: &mut Io<'_>, id: u64) -> Result<(), Fatal> {
        let voters = self.membership.voters.len();
        let Some(barrier) = self.barriers.remove(&id) else { return Ok(()) };
        let refusal = Refusal::NoQuorum { answered: barrier.answered.len(), voters };
        match barrier.purpose {
            Purpose::Read(client) => io.out.reply(client, Response::Refused(refusal)),
            Purpose::SchemaLock(txn) => self.give_up(io, txn, refusal)?,
            Purpose::Member { client: Some(client), .. } => io.out.reply(client, Response::Refused(refusal)),
            Purpose::Member { client: None, .. } => {}
        }
        Ok(())
    }

    pub(crate) fn drop_barriers_of(&mut self, txn: TxnId) {
        self.barriers.retain(|_, b| b.purpose != Purpose::SchemaLock(txn));
    }

    pub(crate) fn drop_client_barriers(&mut self, client: ClientId) {
        self.barriers.retain(|_, b| b.purpose != Purpose::Read(client));
    }

    pub(crate) fn barrier_deadline(&self) -> Option<Mono> {
        let restarts = !self.config.planted.has(Bug::BarrierNeverRestarts);
        let restart = |b: &Barrier| if restarts { b.restart_at } else { b.deadline };
        self.barriers.values().map(|b| b.deadline.min(restart(b)).min(b.resend_at)).min()
    }
}

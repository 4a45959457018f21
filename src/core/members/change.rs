//! Changing the voting member list, one node at a time.

use crate::core::barrier::Purpose;
use crate::core::effect::{Notice, Response};
use crate::core::fault::{Fatal, Refusal};
use crate::core::input::MemberChange;
use crate::core::members::join::Joining;
use crate::core::message::{Body, Claim, Member, Membership, Outcome};
use crate::core::node::{Io, Node};
use crate::core::planted::Bug;
use crate::core::storage::{Storage, Table, load, save};
use crate::core::txn::coordinator::Phase;
use crate::types::{ClientId, Epoch, Mono, NodeId, Slot, Stamp, TxnId, VersionVector, WriteLevel};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const MEMBERSHIP: &[u8] = b"membership";

/// The number of member slots, by the layout of compact AUTO_INCREMENT ids.
pub const SLOTS: u8 = 64;

/// The cluster as a node knows it, durable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoredMembership {
    /// The cluster's identity, drawn by the node that bootstrapped it.
    pub cluster: u64,
    pub membership: Membership,
}

pub fn load_membership(store: &dyn Storage) -> Result<Option<StoredMembership>, Fatal> {
    load(store, Table::Meta, MEMBERSHIP)
}

/// Whether the node whose state this is was welcomed by a cluster, or began one.
///
/// # Errors
/// Storage fails or is corrupt.
pub fn has_membership(store: &dyn Storage) -> Result<bool, Fatal> {
    load_membership(store).map(|stored| stored.is_some())
}

/// The member list of the node whose state this is; an empty one if it belongs to no cluster.
///
/// # Errors
/// Storage fails or is corrupt.
pub fn members_of(store: &dyn Storage) -> Result<Membership, Fatal> {
    load_membership(store).map(|stored| stored.unwrap_or_default().membership)
}

pub fn save_membership(store: &mut dyn Storage, cluster: u64, membership: &Membership) -> Result<(), Fatal> {
    save(store, Table::Meta, MEMBERSHIP, &StoredMembership { cluster, membership: membership.clone() })
}

/// A membership change decided here, acknowledged once a majority of the new list applied it (rule 23).
#[derive(Clone, Copy, Debug)]
pub struct PendingChange {
    pub client: ClientId,
    pub txn: TxnId,
    /// When the client is told that it is not known: a node that lost its vote by the change, or by a later one, hears
    /// no more of the others.
    pub deadline: Mono,
}

impl Node {
    /// Reads the member list, or begins one, or begins to ask for one.
    pub(crate) fn recover_membership(&mut self, io: &mut Io<'_>) -> Result<(), Fatal> {
        match load_membership(io.store)? {
            Some(stored) => {
                self.check_version(&stored.membership)?;
                self.cluster = stored.cluster;
                self.slots_used = highest_slot(&stored.membership);
                self.membership = Arc::new(stored.membership);
                if !self.is_voter() && !self.membership.removed.contains(&self.id) {
                    let target = VersionVector::new();
                    self.joining = Some(Joining::CatchingUp { target, next: self.now.mono, asked: 0 });
                }
            }
            None if self.config.seeds.iter().all(|s| *s == self.config.address) => {
                let list = bootstrap(self.id, self.config.address.clone(), self.config.versions.newest);
                save_membership(io.store, self.cluster, &list)?;
                io.out.notice(Notice::EpochChanged { epoch: list.epoch, voters: vec![self.id] });
                self.membership = Arc::new(list);
            }
            None => {
                io.out.notice(Notice::Joining("asking the seeds".into()));
                self.joining = Some(Joining::Asking { next: self.now.mono });
            }
        }
        Ok(())
    }

    /// Starts a change: the read barrier first.
    pub(crate) fn on_member_request(
        &mut self,
        io: &mut Io<'_>,
        client: Option<ClientId>,
        change: MemberChange,
        joiner: VersionVector,
    ) -> Result<(), Fatal> {
        let refused = match change {
            MemberChange::Admit(node) if client.is_some() => {
                Err(Refusal::Membership(format!("{node} asks for its vote itself, when it has caught up")))
            }
            MemberChange::Admit(_) | MemberChange::Remove(_) | MemberChange::Speak(_) => {
                self.change_makes_sense(change)
            }
        };
        if let Err(refusal) = refused {
            if let Some(client) = client {
                io.out.reply(client, Response::Refused(refusal));
            }
            return Ok(());
        }
        let base = self.membership.stamp;
        self.start_barrier(io, Purpose::Member { client, change, base, joiner }, false)
    }

    /// Whether a change of the member list is under way here. If not, `change` is from now on the one that may have a
    /// barrier.
    pub(crate) fn is_changing_members(&mut self, change: MemberChange) -> bool {
        let asked = !self.barriers.is_empty() && self.changing == Some(change);
        if asked || self.coordinating.values().any(|c| matches!(c.record.body, Body::Members(_))) {
            return true;
        }
        self.changing = Some(change);
        false
    }

    fn change_makes_sense(&self, change: MemberChange) -> Result<(), Refusal> {
        let refuse = |why: String| Err(Refusal::Membership(why));
        if self.membership.removed.contains(&self.id) {
            return Err(Refusal::Removed(self.membership.epoch));
        }
        if !self.is_voter() {
            return Err(Refusal::NotVoter);
        }
        if self.draining {
            return Err(Refusal::ShuttingDown);
        }
        let m = &self.membership;
        match change {
            MemberChange::Admit(node) if m.is_voter(node) => refuse(format!("{node} is a voting member already")),
            MemberChange::Admit(node) if m.removed.contains(&node) => {
                refuse(format!("{node} was removed; it may return only under a new identity"))
            }
            MemberChange::Admit(node) if self.peers.get(node).is_none() => refuse(format!("{node} is not known here")),
            MemberChange::Admit(_) if m.voters.len() >= usize::from(SLOTS) => {
                refuse(format!("there are {SLOTS} voting members, the most there can be"))
            }
            MemberChange::Remove(node) if !m.is_voter(node) => refuse(format!("{node} is not a voting member")),
            MemberChange::Remove(_) if m.voters.len() == 1 => refuse("the last member cannot be removed".into()),
            MemberChange::Speak(version) if version <= m.version => {
                refuse(format!("version {version} is spoken already"))
            }
            MemberChange::Admit(_) | MemberChange::Remove(_) | MemberChange::Speak(_) => Ok(()),
        }
    }

    /// The barrier is done: prepare the new list with the old members.
    pub(crate) fn propose_change(
        &mut self,
        io: &mut Io<'_>,
        client: Option<ClientId>,
        change: MemberChange,
        base: Stamp,
        epoch: Epoch,
        must_hold: VersionVector,
    ) -> Result<(), Fatal> {
        let refused = match self.change_makes_sense(change) {
            Err(refusal) => Some(refusal),
            // The barrier ran in another epoch than the base was read in: begin again.
            Ok(()) if base != self.membership.stamp || epoch != self.membership.epoch => {
                Some(Refusal::Membership("another membership change came first; try again".into()))
            }
            Ok(()) => None,
        };
        if let Some(refusal) = refused {
            if let Some(client) = client {
                io.out.reply(client, Response::Refused(refusal));
            }
            return Ok(());
        }
        let mut list = (*self.membership).clone();
        list.epoch = Epoch(list.epoch.0 + 1);
        match change {
            MemberChange::Admit(node) => {
                let Some(address) = self.peers.address(node, &self.membership) else { return Ok(()) };
                let Some(slot) = free_slot(&list, self.slots_used) else { return Ok(()) };
                list.voters.insert(node, Member { address, slot });
            }
            MemberChange::Remove(node) => {
                list.voters.remove(&node);
                list.removed.insert(node);
            }
            MemberChange::Speak(version) => list.version = version,
        }
        let txn = self.log.fresh(io.store, self.id, false)?;
        // It excludes every other transaction. As the youngest it would be refused for as long as there is work; an attempt
        // as old as the first waits for those that hold keys, and nobody overtakes it.
        let now = Stamp { hlc: self.clock.tick(self.now.wall), node: self.id };
        let begin = *self.member_precedence.entry(change).or_insert(now);
        let mut record = (*self.record(txn, begin, WriteLevel::Quorum, Body::Members(Arc::new(list)))).clone();
        record.dependencies = record.dependencies.quorum_part();
        let claim = Claim { watermark: self.progress.watermark, must_hold, members_base: base, ..Claim::default() };
        let deadline = self.now.mono.after(self.config.timing.write_timeout);
        self.coordinate(io, Arc::new(record), claim, client, Phase::Preparing, deadline);
        Ok(())
    }

    /// A change is recorded here: from now on this list is in force.
    pub(crate) fn install_members(
        &mut self,
        io: &mut Io<'_>,
        list: &Membership,
        stamp: Stamp,
        txn: TxnId,
    ) -> Result<(), Fatal> {
        if stamp <= self.membership.stamp {
            return Ok(());
        }
        self.check_version(list)?;
        let mut list = list.clone();
        list.stamp = stamp;
        save_membership(io.store, self.cluster, &list)?;
        self.slots_used = self.slots_used.max(highest_slot(&list));
        for node in &list.removed {
            self.peers.set_learner(*node, false);
        }
        let voters = list.voters.keys().copied().collect();
        io.out.notice(Notice::EpochChanged { epoch: list.epoch, voters });
        self.membership = Arc::new(list);
        self.member_precedence.clear();
        self.progress.epoch_changed();
        if self.is_voter() {
            self.joining = None;
        }
        self.end_older_epochs(io, txn)
    }

    /// Everything undecided of an older epoch ends as an abort (rule 20): had it been chosen, the change would depend
    /// on it (rule 19), and it would be recorded here already.
    pub(crate) fn end_older_epochs(&mut self, io: &mut Io<'_>, change: TxnId) -> Result<(), Fatal> {
        let epoch = self.membership.epoch;
        self.waiting.retain(|w| w.record.epoch >= epoch);
        if self.config.planted.has(Bug::OldEpochLives) {
            return Ok(());
        }
        let old: Vec<TxnId> = self
            .live
            .iter()
            .filter(|(t, l)| **t != change && l.decided.is_none() && l.record.as_ref().is_some_and(|r| r.epoch < epoch))
            .map(|(t, _)| *t)
            .collect();
        let coordinated: Vec<TxnId> = self
            .coordinating
            .iter()
            .filter(|(t, c)| **t != change && c.record.epoch < epoch && !matches!(c.phase, Phase::Applying))
            .map(|(t, _)| *t)
            .collect();
        for txn in old.into_iter().chain(coordinated) {
            if !self.log.vector.contains(txn) {
                self.decide(io, txn, Outcome::Abort)?;
            }
        }
        Ok(())
    }

    /// The change is applied here; the client hears when a majority of the new list has it.
    pub(crate) fn acknowledge_change(&mut self, io: &mut Io<'_>, client: ClientId, txn: TxnId) {
        let deadline = self.now.mono.after(self.config.timing.write_timeout);
        self.pending_changes.push(PendingChange { client, txn, deadline });
        self.check_pending_changes(io);
    }

    pub(crate) fn pending_changes_deadline(&self) -> Option<Mono> {
        self.pending_changes.iter().map(|p| p.deadline).min()
    }

    pub(crate) fn check_pending_changes(&mut self, io: &mut Io<'_>) {
        if self.pending_changes.is_empty() {
            return;
        }
        let quorum = self.membership.quorum();
        let mut waiting = Vec::new();
        for pending in std::mem::take(&mut self.pending_changes) {
            let have = self.membership.voters.keys().filter(|v| {
                **v == self.id || self.progress.report(**v).is_some_and(|r| r.vector.contains(pending.txn))
            });
            if have.count() >= quorum {
                io.out.reply(pending.client, Response::MemberChanged);
            } else if pending.deadline <= self.now.mono {
                let txn = pending.txn;
                io.out.reply(pending.client, Response::Refused(Refusal::UnknownOutcome { txn }));
            } else {
                waiting.push(pending);
            }
        }
        self.pending_changes = waiting;
    }
}

/// The lowest slot that was never used, so that ids of a removed node and of its successor never meet; when all were
/// used, the lowest free one (its ids are told apart by time: a slot's new holder starts above every clock it heard).
pub fn free_slot(list: &Membership, used: u8) -> Option<Slot> {
    if used + 1 < SLOTS {
        return Some(Slot(used + 1));
    }
    (0..SLOTS).map(Slot).find(|s| list.voters.values().all(|m| m.slot != *s))
}

/// The highest slot any member of `list` has.
pub fn highest_slot(list: &Membership) -> u8 {
    list.voters.values().map(|m| m.slot.0).max().unwrap_or(0)
}

/// The list of a new cluster: one voter, whose newest version is spoken.
pub fn bootstrap(node: NodeId, address: crate::core::effect::Address, version: u8) -> Membership {
    let voters = [(node, Member { address, slot: Slot(0) })].into();
    Membership { epoch: Epoch(1), voters, version, ..Membership::default() }
}

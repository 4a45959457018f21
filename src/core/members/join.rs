//! Becoming a member: ask a seed, catch up, ask to be admitted.

use crate::core::effect::{Destination, Notice};
use crate::core::fault::Fatal;
use crate::core::input::MemberChange;
use crate::core::members::change::{highest_slot, save_membership};
use crate::core::message::{Membership, Message, Report};
use crate::core::node::{Io, Node};
use crate::types::{Epoch, Mono, NodeId, TxnId, VersionVector};
use std::sync::Arc;

/// How far a new node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Joining {
    /// Asking the seeds.
    Asking { next: Mono },
    /// Welcomed as a non-voter: catching up to `target`, then asking to be admitted.
    CatchingUp { target: VersionVector, next: Mono, asked: usize },
}

impl Node {
    /// Timers of joining, and of introducing this node to its seeds.
    pub(crate) fn tick_joining(&mut self, io: &mut Io<'_>) {
        let now = self.now.mono;
        let pause = self.config.timing.report_interval;
        let (orphan, level) = match &self.joining {
            Some(Joining::CatchingUp { next, .. }) if *next <= now => (self.orphan(), self.is_level_with_a_voter()),
            Some(Joining::CatchingUp { .. } | Joining::Asking { .. }) | None => (None, false),
        };
        match &mut self.joining {
            None => {}
            Some(Joining::Asking { next }) if *next <= now => {
                *next = now.after(pause);
                for seed in self.config.seeds.clone() {
                    if seed != self.config.address {
                        let message = Message::Join { address: self.config.address.clone() };
                        self.send_to(io, Destination::Address(seed), message);
                    }
                }
            }
            Some(Joining::CatchingUp { target, next, asked }) if *next <= now => {
                *next = now.after(pause);
                if let Some(txn) = orphan {
                    return io.out.notice(Notice::Orphaned { txn });
                }
                let caught_up = (level || self.log.vector.covers(target)) && self.log.applied >= self.log.last_commit;
                let voters: Vec<NodeId> = self.membership.voters.keys().copied().collect();
                let Some(voter) = voters.get(*asked % voters.len().max(1)).copied() else { return };
                *asked += 1;
                if caught_up {
                    let message = Message::AdmitMe { vector: self.log.vector.clone(), epoch: self.membership.epoch };
                    self.send(io, voter, message);
                } else {
                    self.sync.want(now, voter);
                }
            }
            Some(Joining::Asking { .. } | Joining::CatchingUp { .. }) => {}
        }
    }

    /// A node wants in.
    pub(crate) fn on_join(&mut self, io: &mut Io<'_>, from: NodeId) {
        if self.membership.voters.is_empty() {
            return;
        }
        // A member has a list, and asks nobody for one: its disk is lost.
        if self.membership.is_voter(from) || self.membership.removed.contains(&from) {
            let life = self.lives.latest(from);
            return self.send(io, from, Message::Outdated { life, known: None });
        }
        self.peers.set_learner(from, true);
        let message = Message::Welcome {
            cluster: self.cluster,
            membership: self.membership.clone(),
            vector: self.log.vector.clone(),
        };
        self.send(io, from, message);
    }

    pub(crate) fn on_welcome(
        &mut self,
        io: &mut Io<'_>,
        from: NodeId,
        cluster: u64,
        membership: Arc<Membership>,
        vector: VersionVector,
    ) -> Result<(), Fatal> {
        if !matches!(self.joining, Some(Joining::Asking { .. })) {
            return Ok(());
        }
        // The list in force at the beginning comes with the Welcome; later ones come through the log.
        self.check_version(&membership)?;
        self.cluster = cluster;
        self.slots_used = highest_slot(&membership);
        save_membership(io.store, cluster, &membership)?;
        io.out.notice(Notice::Joining(format!("welcomed by {from}, catching up to {vector}")));
        self.membership = membership;
        self.joining = Some(Joining::CatchingUp { target: vector, next: self.now.mono, asked: 0 });
        self.sync.want(self.now.mono, from);
        Ok(())
    }

    /// A caught-up non-voter asks for its vote.
    pub(crate) fn on_admit_me(
        &mut self,
        io: &mut Io<'_>,
        from: NodeId,
        vector: VersionVector,
        epoch: Epoch,
    ) -> Result<(), Fatal> {
        self.peers.set_learner(from, true);
        if epoch != self.membership.epoch || self.membership.is_voter(from) || !self.is_voter() {
            // A joiner with an older list has more to catch up; one that is in already will see it. One that was
            // admitted and removed before it knew either hears of neither from anybody else.
            if epoch < self.membership.epoch {
                let report = self.own_report();
                self.send(io, from, Message::Report(report));
            }
            return Ok(());
        }
        if self.is_changing_members(MemberChange::Admit(from)) {
            return Ok(());
        }
        // ONE writes of members come by themselves; the watermark waits for them.
        let mut must_hold = vector.quorum_part();
        must_hold.join(&self.of_removed(&vector));
        self.on_member_request(io, None, MemberChange::Admit(from), must_hold)
    }

    /// Whether everything is here that some voter of this epoch had when it last reported. Whoever welcomed this node may have
    /// been removed, and alone hold positions that it never used.
    fn is_level_with_a_voter(&self) -> bool {
        self.reports().any(|r| self.log.vector.covers(&r.vector))
    }

    /// The last reports of voters that know the member list in force here.
    fn reports(&self) -> impl Iterator<Item = &Report> {
        let list = &self.membership;
        list.voters.keys().filter_map(|v| self.progress.report(*v)).filter(|r| r.epoch == list.epoch)
    }

    /// The ONE writes of removed nodes among `vector`.
    fn of_removed(&self, vector: &VersionVector) -> VersionVector {
        let mut found = VersionVector::new();
        self.membership.removed.iter().for_each(|node| found.join(&vector.of_node(*node).one_part()));
        found
    }

    /// A ONE write of a removed node that came here and that a majority of the members lacks. The watermark does not wait for
    /// it, neither with its writer nor with a newcomer among the voters: if this node brought it in, the members could have
    /// forgotten what it must be merged with (rules 21 and 22). It is lost as its writer is.
    fn orphan(&self) -> Option<TxnId> {
        let own = self.of_removed(&self.log.vector);
        let lacking: Vec<TxnId> = self.reports().flat_map(|r| own.missing_from(&r.vector, 1)).collect();
        lacking.first().copied().filter(|_| lacking.len() >= self.membership.quorum())
    }

    pub(crate) fn joining_deadline(&self) -> Option<Mono> {
        match &self.joining {
            None => None,
            Some(Joining::Asking { next } | Joining::CatchingUp { next, .. }) => Some(*next),
        }
    }
}

//! Leaving for good: a node that is stopped on purpose has another take its vote.
//!
//! ```text
//!  leaver ── RemoveMe(own) ──▶ voter   lacks some of `own`? pulls it first.   Else: barrier, Prepare(list - leaver), …
//!  leaver ── RemoveMe(own) ──▶ every voter … ◀── Report(new epoch) ── from a majority of the new list: it may end
//! ```
//!
//! It must not end before: a majority of the old list that is switched off could not finish what the change interrupted
//! (DESIGN rule 23). What it alone had, ONE writes above all, is with the voter that removes it, and so with the others.

use crate::core::fault::Fatal;
use crate::core::input::MemberChange;
use crate::core::message::Message;
use crate::core::node::{Io, Node};
use crate::core::planted::Bug;
use crate::types::{Epoch, Mono, NodeId, VersionVector};

/// A node that wants to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaving {
    next: Mono,
    asked: usize,
}

impl Node {
    /// Begins to leave. Work that runs goes on; nobody but the clients' front keeps new work out.
    pub(crate) fn begin_leave(&mut self) {
        self.leaving = Some(Leaving { next: self.now.mono, asked: 0 });
    }

    /// Whether others could take this node's vote: it has one, and is not the last.
    pub fn can_leave(&self) -> bool {
        self.is_voter() && self.membership.voters.len() > 1
    }

    /// Whether a majority of those who stay know that this node is no member any more.
    pub fn has_left(&self) -> bool {
        let m = &self.membership;
        let knows = |v: &&NodeId| self.progress.report(**v).is_some_and(|report| report.epoch >= m.epoch);
        m.removed.contains(&self.id) && m.voters.keys().filter(knows).count() >= m.quorum()
    }

    pub(crate) fn leaving_deadline(&self) -> Option<Mono> {
        self.leaving.map(|leaving| leaving.next)
    }

    pub(crate) fn tick_leaving(&mut self, io: &mut Io<'_>) {
        let now = self.now.mono;
        let removed = self.removed_in().is_some();
        let voters: Vec<NodeId> = self.membership.voters.keys().copied().filter(|v| *v != self.id).collect();
        let Some(leaving) = self.leaving.as_mut().filter(|leaving| leaving.next <= now) else { return };
        leaving.next = now.after(self.config.timing.retransmit);
        leaving.asked += 1;
        let one = leaving.asked % voters.len().max(1);
        // One at a time is asked to remove it, all are asked whether they know.
        let asked = voters.into_iter().enumerate().filter(|(n, _)| removed || *n == one);
        for (_, voter) in asked {
            let message = Message::RemoveMe { own: self.log.vector.of_node(self.id), epoch: self.membership.epoch };
            self.send(io, voter, message);
        }
    }

    /// A voter wants to go.
    pub(crate) fn on_remove_me(
        &mut self,
        io: &mut Io<'_>,
        from: NodeId,
        own: &VersionVector,
        epoch: Epoch,
    ) -> Result<(), Fatal> {
        if self.membership.removed.contains(&from) {
            let report = self.own_report();
            self.send(io, from, Message::Report(report));
            return Ok(());
        }
        if epoch != self.membership.epoch || !self.is_voter() || !self.membership.is_voter(from) {
            return Ok(());
        }
        if !self.log.vector.covers(own) && !self.config.planted.has(Bug::LeaverNotPulled) {
            self.sync.want(self.now.mono, from);
            return Ok(());
        }
        if self.is_changing_members(MemberChange::Remove(from)) {
            return Ok(());
        }
        self.on_member_request(io, None, MemberChange::Remove(from), VersionVector::new())
    }
}

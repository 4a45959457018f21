//! Which version the cluster speaks.
//!
//! Nodes of several builds work together while a cluster is upgraded, one node after the other. What a newer build brings,
//! in messages or on disk, is used only from the moment the member list says that its version is spoken, and the list
//! says so once every voter has reported to understand it. Until then an upgraded node can go back to its older build.
//! From then on an older one is refused: when it connects (the handshake names what each side understands), and by its own
//! files (`marmot.db` carries the number).

use crate::core::fault::Fatal;
use crate::core::input::MemberChange;
use crate::core::message::Membership;
use crate::core::node::{Io, Node};
use crate::types::VersionVector;

impl Node {
    /// The version spoken; 0: this node belongs to no cluster yet.
    pub fn version(&self) -> u8 {
        self.membership.version
    }

    /// Refuses a list of a cluster that speaks what this node does not understand.
    pub(crate) fn check_version(&self, list: &Membership) -> Result<(), Fatal> {
        match self.config.versions.contains(list.version) {
            true => Ok(()),
            false => Err(Fatal::Version { spoken: list.version, understood: self.config.versions }),
        }
    }

    /// Proposes a newer version if every voter understands it. The first of the living does, so that they do not meet.
    pub(crate) fn raise_version(&mut self, io: &mut Io<'_>) -> Result<(), Fatal> {
        let list = self.membership.clone();
        if list.version >= self.config.versions.newest || !self.is_voter() || self.draining || self.leaving.is_some() {
            return Ok(());
        }
        let newest = |voter: &_| match *voter == self.id {
            true => Some(self.config.versions.newest),
            false => self.progress.report(*voter).map(|report| report.newest),
        };
        // Who was not heard yet may be of any build.
        let Some(understood) = list.voters.keys().map(newest).collect::<Option<Vec<u8>>>() else { return Ok(()) };
        let common = understood.into_iter().min().unwrap_or(0);
        let first = list.voters.keys().find(|v| **v == self.id || self.peers.is_alive(**v));
        if common <= list.version || first != Some(&self.id) || self.is_changing_members(MemberChange::Speak(common)) {
            return Ok(());
        }
        self.on_member_request(io, None, MemberChange::Speak(common), VersionVector::new())
    }
}

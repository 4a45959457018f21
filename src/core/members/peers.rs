//! The nodes this one knows: where they are and whether they live.

use crate::core::effect::Address;
use crate::core::message::Membership;
use crate::core::status::PeerState;
use crate::types::{Mono, NodeId, Wall};
use std::collections::BTreeMap;

/// One known node.
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: Address,
    pub alive: bool,
    /// When anything was last heard from it.
    pub heard: Mono,
    /// It asked to join, or follows as a non-voter.
    pub learner: bool,
    /// How far its wall clock was ahead of the one this node goes by when it last spoke, in milliseconds; below the truth by
    /// the time of the message.
    pub ahead_ms: i64,
}

/// All known nodes but this one.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    known: BTreeMap<NodeId, Peer>,
}

impl Peers {
    /// Something came from `node` at `address`.
    pub fn heard(&mut self, node: NodeId, address: &Address, now: Mono) {
        let peer = self.known.entry(node).or_insert_with(|| Peer {
            address: address.clone(),
            alive: true,
            heard: now,
            learner: false,
            ahead_ms: 0,
        });
        peer.heard = now;
        if peer.address != *address {
            peer.address = address.clone();
        }
    }

    /// A message of `node` came that was sent when its wall clock showed `theirs`; this node's shows `ours`.
    pub fn read_wall(&mut self, node: NodeId, theirs: Wall, ours: Wall) {
        if let Some(peer) = self.known.get_mut(&node) {
            peer.ahead_ms = theirs.millis_ahead_of(ours);
        }
    }

    pub fn set_alive(&mut self, node: NodeId, alive: bool) {
        if let Some(peer) = self.known.get_mut(&node) {
            peer.alive = alive;
        }
    }

    pub fn set_learner(&mut self, node: NodeId, learner: bool) {
        if let Some(peer) = self.known.get_mut(&node) {
            peer.learner = learner;
        }
    }

    pub fn get(&self, node: NodeId) -> Option<&Peer> {
        self.known.get(&node)
    }

    /// Whether the failure detector believes `node` alive. A node never heard of is not.
    pub fn is_alive(&self, node: NodeId) -> bool {
        self.known.get(&node).is_some_and(|p| p.alive)
    }

    /// The address to reach `node`: where it was last heard, else what the member list says.
    pub fn address(&self, node: NodeId, membership: &Membership) -> Option<Address> {
        let heard = self.known.get(&node).map(|p| p.address.clone());
        heard.or_else(|| membership.voters.get(&node).map(|m| m.address.clone()))
    }

    /// Everyone who follows the log: voters and living learners, without `me`.
    pub fn replicas(&self, membership: &Membership, me: NodeId) -> Vec<NodeId> {
        let voters = membership.voters.keys().copied().filter(|v| *v != me);
        let learners = self
            .known
            .iter()
            .filter(|(n, p)| p.learner && p.alive && !membership.is_voter(**n) && !membership.removed.contains(n));
        voters.chain(learners.map(|(n, _)| *n)).collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Peer)> {
        self.known.iter().map(|(n, p)| (*n, p))
    }

    /// The state of `node` for people.
    pub fn state(&self, node: NodeId, membership: &Membership) -> PeerState {
        if membership.removed.contains(&node) {
            return PeerState::Removed;
        }
        match self.known.get(&node) {
            Some(p) if !p.alive => PeerState::Dead,
            Some(_) if !membership.is_voter(node) => PeerState::Joining,
            Some(_) => PeerState::Alive,
            None => PeerState::Dead,
        }
    }
}

//! A node on one line, the same in logs, scripts and the simulator; and in full for `marmot.cluster_nodes`.

use super::effect::Address;
use super::node::Node;
use crate::types::{ApplySeq, Epoch, Hlc, NodeId, VersionVector};
use std::collections::BTreeSet;
use std::fmt;

/// What a node knows of one node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    pub id: NodeId,
    pub address: Address,
    pub state: PeerState,
    pub voter: bool,
    pub epoch: Epoch,
    /// Transactions that this node has and the peer, by its last report, has not.
    pub lag: u64,
}

/// Liveness as SWIM sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    Alive,
    Suspect,
    Dead,
    Joining,
    Removed,
}

impl fmt::Display for PeerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PeerState::Alive => "ALIVE",
            PeerState::Suspect => "SUSPECT",
            PeerState::Dead => "DEAD",
            PeerState::Joining => "JOINING",
            PeerState::Removed => "REMOVED",
        })
    }
}

/// How the transactions that this node coordinated ended, since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Committed: every voter accepted along with the Prepare.
    pub in_one_round: u64,
    /// Committed: a quorum prepared, and then accepted.
    pub in_two_rounds: u64,
    pub aborted: u64,
}

/// A node's whole status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    pub id: NodeId,
    pub clock: Hlc,
    pub epoch: Epoch,
    /// The version that the cluster speaks.
    pub version: u8,
    pub voters: usize,
    pub alive_voters: usize,
    pub intents: usize,
    pub coordinating: usize,
    pub recovering: usize,
    pub applied: ApplySeq,
    pub watermark: Hlc,
    pub vector: VersionVector,
    pub key_states: usize,
    pub ended: Ended,
    pub peers: Vec<PeerStatus>,
}

impl fmt::Display for NodeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} hlc={} epoch={} members={}/{} intents={} coordinating={} recovering={} applied={} seen={}",
            self.id,
            self.clock,
            self.epoch.0,
            self.alive_voters,
            self.voters,
            self.intents,
            self.coordinating,
            self.recovering,
            self.applied,
            self.vector
        )
    }
}

impl Node {
    pub fn status(&self) -> NodeStatus {
        let m = &self.membership;
        let mut ids: BTreeSet<NodeId> = m.voters.keys().copied().collect();
        ids.extend(self.peers.iter().map(|(n, _)| n));
        ids.extend(m.removed.iter().copied());
        ids.insert(self.id);
        let peers = ids.into_iter().map(|id| self.peer_status(id)).collect::<Vec<_>>();
        let alive = |p: &&PeerStatus| p.voter && p.state == PeerState::Alive;
        NodeStatus {
            id: self.id,
            clock: self.clock.last(),
            epoch: m.epoch,
            version: m.version,
            voters: m.voters.len(),
            alive_voters: peers.iter().filter(alive).count(),
            intents: self.intents.count,
            coordinating: self.coordinating.len(),
            recovering: self.recovering.len(),
            applied: self.log.applied,
            watermark: self.progress.watermark,
            vector: self.log.vector.clone(),
            key_states: self.keys.len(),
            ended: self.ended,
            peers,
        }
    }

    fn peer_status(&self, id: NodeId) -> PeerStatus {
        let m = &self.membership;
        if id == self.id {
            let state = match (m.removed.contains(&id), m.is_voter(id)) {
                (true, _) => PeerState::Removed,
                (false, true) => PeerState::Alive,
                (false, false) => PeerState::Joining,
            };
            let address = self.config.address.clone();
            return PeerStatus { id, address, state, voter: m.is_voter(id), epoch: m.epoch, lag: 0 };
        }
        let report = self.progress.report(id);
        let lag = match report {
            Some(r) => self.log.vector.count_missing_from(&r.vector),
            None => self.log.vector.count_missing_from(&VersionVector::new()),
        };
        PeerStatus {
            id,
            address: self.peers.address(id, m).unwrap_or_else(|| "".into()),
            state: self.peers.state(id, m),
            voter: m.is_voter(id),
            epoch: report.map_or(Default::default(), |r| r.epoch),
            lag,
        }
    }
}

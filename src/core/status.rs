//! A node on one line, the same in logs, scripts and the simulator; and in full for `marmot.cluster_nodes`.

use super::effect::Address;
use crate::types::{ApplySeq, Epoch, Hlc, NodeId, VersionVector};
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

/// A node's whole status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    pub id: NodeId,
    pub clock: Hlc,
    pub epoch: Epoch,
    pub voters: usize,
    pub alive_voters: usize,
    pub intents: usize,
    pub coordinating: usize,
    pub recovering: usize,
    pub applied: ApplySeq,
    pub watermark: Hlc,
    pub vector: VersionVector,
    pub key_states: usize,
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

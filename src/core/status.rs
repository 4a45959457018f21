//! A node on one line, the same in logs, scripts and the simulator; and in full for `marmot.cluster_nodes`.

use super::effect::Address;
use super::node::Node;
use crate::types::{ApplySeq, Epoch, Hlc, NodeId, Sequence, Span, VersionVector};
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
    /// For how long it has lacked some of them, to about a report interval; `None`: ever since this node started.
    pub lag_time: Option<Span>,
    /// Up to where this node has its QUORUM and its ONE log, without a hole.
    pub applied: (Sequence, Sequence),
    /// The highest position of each that anybody was heard to have or to have begun.
    pub known: (Sequence, Sequence),
    /// Since it was last heard of; `None`: never, or it is this node.
    pub silence: Option<Span>,
    /// How far its wall clock was ahead of the one this node goes by when it last spoke, in milliseconds.
    pub ahead_ms: i64,
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
    /// Committed at ONE: here alone.
    pub alone: u64,
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
    /// Clients' commits that wait here for the transaction that holds one of their keys.
    pub parked: usize,
    pub recovering: usize,
    /// Read barriers under way.
    pub barriers: usize,
    pub applied: ApplySeq,
    pub watermark: Hlc,
    pub vector: VersionVector,
    pub key_states: usize,
    /// Entries of the apply order that are kept in the log.
    pub log_entries: u64,
    /// Positions heard of that are not here.
    pub lacking: u64,
    /// How far the cluster's clock, which no node's may be far behind, is ahead of this node's wall clock, in milliseconds.
    pub ahead_ms: i64,
    pub ended: Ended,
    pub peers: Vec<PeerStatus>,
}

impl NodeStatus {
    /// How many voting members a QUORUM write needs.
    pub fn quorum(&self) -> usize {
        self.voters / 2 + 1
    }
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
            parked: self.parked.len(),
            barriers: self.barriers.len(),
            recovering: self.recovering.len(),
            applied: self.log.applied,
            watermark: self.progress.watermark,
            vector: self.log.vector.clone(),
            key_states: self.keys.len(),
            log_entries: self.log.kept(),
            lacking: self.sync.heard.count_missing_from(&self.log.vector),
            ahead_ms: self.clock.last().millis_ahead_of(self.now.wall),
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
            let (applied, known) = self.positions_of(id);
            let (lag_time, silence) = (Some(Span::ZERO), None);
            let (voter, epoch) = (m.is_voter(id), m.epoch);
            return PeerStatus {
                id,
                address,
                state,
                voter,
                epoch,
                lag: 0,
                lag_time,
                applied,
                known,
                silence,
                ahead_ms: 0,
            };
        }
        let report = self.progress.report(id);
        let lag = match report {
            Some(r) => self.log.vector.count_missing_from(&r.vector),
            None => self.log.vector.count_missing_from(&VersionVector::new()),
        };
        let lag_time = if lag == 0 { Some(Span::ZERO) } else { self.progress.lag.since(self.now.mono, id) };
        let (applied, known) = self.positions_of(id);
        let peer = self.peers.get(id);
        PeerStatus {
            id,
            address: self.peers.address(id, m).unwrap_or_else(|| "".into()),
            state: self.peers.state(id, m),
            voter: m.is_voter(id),
            epoch: report.map_or(Default::default(), |r| r.epoch),
            lag,
            lag_time,
            applied,
            known,
            silence: peer.map(|p| self.now.mono.since(p.heard)),
            ahead_ms: peer.map_or(0, |p| p.ahead_ms),
        }
    }

    /// How far both logs of a node are here, and are known to go.
    fn positions_of(&self, id: NodeId) -> ((Sequence, Sequence), (Sequence, Sequence)) {
        let (held, heard) = (&self.log.vector, &self.sync.heard);
        let both = |of: &dyn Fn(NodeId) -> Sequence| (of(id), of(id.one_log()));
        (both(&|origin| held.prefix(origin)), both(&|origin| heard.highest(origin).max(held.highest(origin))))
    }
}

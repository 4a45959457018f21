//! How far behind each peer is in time: since when has it lacked something that this node has.
//!
//! With every report of its own a node remembers what it held. A peer whose report covers such a memory had everything as of
//! then. Resolution is therefore the report interval: who keeps up lags by about one.

use crate::types::{Mono, NodeId, Span, VersionVector};
use std::collections::{BTreeMap, VecDeque};

/// Memories kept. Who falls behind further is known to lag since the last one it covered.
const KEPT: usize = 64;

/// What this node held, and up to when each peer has caught up with it.
#[derive(Clone, Debug, Default)]
pub struct Lag {
    /// Oldest first.
    held: VecDeque<(Mono, VersionVector)>,
    caught_up: BTreeMap<NodeId, Mono>,
}

impl Lag {
    /// This node reports that it holds `vector`.
    pub fn remember(&mut self, now: Mono, vector: &VersionVector) {
        if self.held.back().is_some_and(|(_, last)| last == vector) {
            // The same for longer: who has it is up to date as of now.
            self.held.pop_back();
        } else if self.held.len() == KEPT {
            self.held.pop_front();
        }
        self.held.push_back((now, vector.clone()));
    }

    /// `peer` reports that it holds `vector`.
    pub fn heard(&mut self, peer: NodeId, vector: &VersionVector) {
        let covered = self.held.iter().rev().find(|(_, held)| vector.covers(held));
        if let Some((at, _)) = covered {
            let known = self.caught_up.entry(peer).or_insert(*at);
            *known = (*known).max(*at);
        }
    }

    /// For how long `peer` has lacked something; `None` if it never had everything since this node started.
    pub fn since(&self, now: Mono, peer: NodeId) -> Option<Span> {
        self.caught_up.get(&peer).map(|at| now.since(*at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up_to(sequence: u64) -> VersionVector {
        let mut vector = VersionVector::new();
        vector.insert_prefix(NodeId(1), sequence);
        vector
    }

    #[test]
    fn a_peer_lags_since_the_last_memory_it_covers() {
        let (mut lag, peer) = (Lag::default(), NodeId(2));
        assert_eq!(lag.since(Mono(5), peer), None, "nothing is known");
        for at in 1..=10 {
            lag.remember(Mono(at), &up_to(at * 100));
        }
        lag.heard(peer, &up_to(750));
        assert_eq!(lag.since(Mono(10), peer), Some(Span(3)), "it has all of the moment 7, not of 8");
        lag.heard(peer, &up_to(620));
        assert_eq!(lag.since(Mono(10), peer), Some(Span(3)), "a late report changes nothing");
        lag.heard(peer, &up_to(2000));
        assert_eq!(lag.since(Mono(11), peer), Some(Span(1)));
    }

    #[test]
    fn an_idle_node_makes_nobody_lag_and_a_long_lag_is_not_forgotten() {
        let (mut lag, peer) = (Lag::default(), NodeId(2));
        lag.remember(Mono(1), &up_to(1));
        lag.heard(peer, &up_to(1));
        (2..100).for_each(|at| lag.remember(Mono(at), &up_to(1)));
        lag.heard(peer, &up_to(1));
        assert_eq!(lag.since(Mono(100), peer), Some(Span(1)), "nothing happened meanwhile");
        (100..1000).for_each(|at| lag.remember(Mono(at), &up_to(at)));
        lag.heard(peer, &up_to(2));
        assert_eq!(lag.since(Mono(1000), peer), Some(Span(901)), "it has lacked something since 100");
    }
}

//! A new cluster that begins with the data of another: from a backup, or from the files of a node that is left of it.
//!
//! The new cluster has one member, with an identity that the old one never had, in an epoch above all of the old one's. Every
//! node of the old cluster counts as removed: should one of them still run, it can neither decide anything together with
//! the new cluster nor bring records into it. All positions of the old logs count as applied and dropped, so that whoever
//! joins copies the files. What was undecided is given up.

use super::snapshot::forget_promises;
use crate::core::effect::Address;
use crate::core::fault::Fatal;
use crate::core::hlc::Clock;
use crate::core::log::Log;
use crate::core::members::change::{bootstrap, free_slot, highest_slot, load_membership, save_membership};
use crate::core::message::Membership;
use crate::core::node::Node;
use crate::core::storage::Storage;
use crate::types::{ApplySeq, Epoch, Hlc, NodeId, Stamp, VersionVector, Versions};
use std::collections::BTreeSet;

/// What a cluster leaves to the next one, besides its files.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Legacy {
    pub cluster: u64,
    pub epoch: Epoch,
    /// What it spoke.
    pub version: u8,
    /// Every node that ever was a member.
    pub nodes: BTreeSet<NodeId>,
    /// The highest slot a member had.
    pub slots_used: u8,
    /// At or above every stamp in the files.
    pub clock: Hlc,
    /// The positions whose effects are in the files, and perhaps a few after them.
    pub positions: VersionVector,
}

impl Legacy {
    fn new(cluster: u64, list: &Membership, clock: Hlc, positions: &VersionVector) -> Legacy {
        let positions = positions.closed();
        let mut nodes: BTreeSet<NodeId> = list.voters.keys().copied().chain(list.removed.iter().copied()).collect();
        nodes.extend(positions.origins().map(NodeId::node));
        let version = list.version;
        Legacy { cluster, epoch: list.epoch, version, nodes, slots_used: highest_slot(list), clock, positions }
    }

    /// Reads it from the state of a node that does not run.
    ///
    /// # Errors
    /// [`Fatal`] if storage fails or is corrupt, or if the node belonged to no cluster.
    pub fn read(store: &dyn Storage) -> Result<Legacy, Fatal> {
        let stored = load_membership(store)?
            .ok_or_else(|| Fatal::CorruptStorage("these are the files of a node that belonged to no cluster".into()))?;
        Ok(Legacy::new(stored.cluster, &stored.membership, Clock::mark(store)?, &Log::held(store)?))
    }
}

impl Node {
    /// What this node's cluster would leave to another.
    pub fn legacy(&self) -> Legacy {
        let legacy = Legacy::new(self.cluster, &self.membership, self.clock.last(), &self.log.vector);
        Legacy { slots_used: legacy.slots_used.max(self.slots_used), ..legacy }
    }
}

/// Makes `store` that of the first member of a new cluster, `cluster`: `node`, reached at `address`. `files` is the place up
/// to which the database files go, if `store` is new; `None` if it is a copy of the state that belongs to them.
///
/// # Errors
/// [`Fatal`] if storage fails or is corrupt, or if `node` belonged to the old cluster.
pub fn found(
    store: &mut dyn Storage,
    legacy: &Legacy,
    files: Option<ApplySeq>,
    (node, address): (NodeId, Address),
    cluster: u64,
) -> Result<(), Fatal> {
    if legacy.nodes.contains(&node) {
        let what = format!("node {} belonged to the old cluster; a new one needs a number that was never used", node.0);
        return Err(Fatal::Invariant(what));
    }
    forget_promises(store)?;
    Log::close(store, &legacy.positions, files, legacy.clock)?;
    Clock::put_mark(store, legacy.clock)?;
    let mut list = bootstrap(node, address, Versions::BUILD.newest);
    list.epoch = Epoch(legacy.epoch.0 + 1);
    list.removed = legacy.nodes.clone();
    list.stamp = Stamp { hlc: legacy.clock, node };
    // Ids made by the old cluster's members are told apart by their slots.
    let slot = free_slot(&Membership::default(), legacy.slots_used);
    for (member, slot) in list.voters.values_mut().zip(slot) {
        member.slot = slot;
    }
    save_membership(store, cluster, &list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::testkit::MemStorage;
    use crate::core::{Config, Effects, adopt_snapshot};
    use crate::types::{Mono, Now, Slot, Wall};

    #[test]
    fn a_new_cluster_is_above_the_old_one_and_shares_no_member_with_it() {
        let mut positions = VersionVector::new();
        positions.insert_prefix(NodeId(1), 5);
        positions.insert_prefix(NodeId(2).one_log(), 3);
        let legacy = Legacy {
            cluster: 1,
            epoch: Epoch(7),
            version: Versions::BUILD.newest,
            nodes: [NodeId(1), NodeId(2)].into(),
            slots_used: 1,
            clock: Hlc::from_millis(1_900_000_000_000),
            positions,
        };
        let mut store = MemStorage::default();
        let refused = found(&mut store, &legacy, Some(40), (NodeId(2), "a:1".into()), 9);
        assert!(refused.expect_err("an old member").to_string().contains("belonged to the old cluster"));
        found(&mut store, &legacy, Some(40), (NodeId(3), "a:1".into()), 9).expect("a new cluster");
        // Its wall clock is far behind the old cluster's.
        let now = Now { mono: Mono(0), wall: Wall(1_800_000_000_000) };
        let (config, mut effects) = (Config::new(NodeId(3), "a:1".into(), vec![]), Effects::new());
        let node = Node::open(config, now, 1, 40, &mut store, &mut effects).expect("it opens");
        assert!(node.is_voter() && !node.log_is_whole() && node.status().applied == 40);
        let list = node.membership();
        assert_eq!((list.epoch, &list.removed), (Epoch(8), &legacy.nodes));
        assert_eq!(list.voters[&NodeId(3)].slot, Slot(2));
        let next = node.legacy();
        assert!(next.clock > legacy.clock && next.positions == legacy.positions && next.cluster == 9);
        // Who joins follows from where the files end.
        assert!(adopt_snapshot(&mut store.clone(), 39).is_err());
        adopt_snapshot(&mut store, 40).expect("a member's state to be");
    }
}

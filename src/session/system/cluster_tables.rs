//! The tables of database `marmot`: the cluster and what merges discarded.

use super::{Holds::*, SystemTable, text};
use crate::types::Value;

const MARMOT: &str = "marmot";

fn int(n: u64) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

pub const CLUSTER_NODES: SystemTable = SystemTable {
    database: MARMOT,
    name: "cluster_nodes",
    columns: &[
        ("id", Unsigned),
        ("address", Text(255)),
        ("state", Text(16)),
        ("voter", Int),
        ("epoch", Unsigned),
        ("lag", Unsigned),
    ],
    rows: |facts| {
        let Some(node) = facts.cluster else { return Vec::new() };
        let row = |p: &crate::core::PeerStatus| {
            let voter = Value::Int(i64::from(p.voter));
            vec![int(p.id.0), text(&p.address), text(&p.state.to_string()), voter, int(p.epoch.0), int(p.lag)]
        };
        node.peers.iter().map(row).collect()
    },
};

pub const CONFLICTS: SystemTable = SystemTable {
    database: MARMOT,
    name: "conflicts",
    columns: &[
        ("at", Micros),
        ("stamp", Text(64)),
        ("database_name", Text(64)),
        ("table_name", Text(64)),
        ("row_key", Long),
        ("losing_image", Long),
        ("loser", Text(64)),
        ("winner", Text(64)),
    ],
    rows: |facts| {
        let row = |c: &super::ConflictRow| {
            vec![
                text(&super::utc_text(c.at.millis())),
                text(&c.at.to_string()),
                text(&c.database),
                text(&c.table),
                text(&c.key),
                text(&c.losing_image),
                text(&c.loser),
                text(&c.winner),
            ]
        };
        facts.conflicts.iter().map(row).collect()
    },
};

/// This node, in one row of names and values.
pub const NODE: SystemTable = SystemTable {
    database: MARMOT,
    name: "node",
    columns: &[("name", Text(64)), ("value", Long)],
    rows: |facts| {
        let Some(node) = facts.cluster else { return Vec::new() };
        let pairs = [
            ("id", node.id.to_string()),
            ("clock", node.clock.to_string()),
            ("epoch", node.epoch.0.to_string()),
            ("version", node.version.to_string()),
            ("voters", node.voters.to_string()),
            ("alive_voters", node.alive_voters.to_string()),
            ("intents", node.intents.to_string()),
            ("coordinating", node.coordinating.to_string()),
            ("recovering", node.recovering.to_string()),
            ("applied", node.applied.to_string()),
            ("watermark", node.watermark.to_string()),
            ("vector", node.vector.to_string()),
            ("key_states", node.key_states.to_string()),
        ];
        pairs.iter().map(|(name, value)| vec![text(name), text(value)]).collect()
    },
};

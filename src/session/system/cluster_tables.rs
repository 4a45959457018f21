//! The tables of database `marmot`: the cluster and what merges discarded.

use super::{Holds::*, SystemTable, text};
use crate::core::PeerState;
use crate::types::{Span, Value};

pub(super) const MARMOT: &str = "marmot";

pub(super) fn int(n: u64) -> Value {
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
        ("progress", Text(64)),
    ],
    rows: |facts| {
        let Some(node) = facts.cluster else { return Vec::new() };
        let peer = |p: &crate::core::PeerStatus| {
            let state = text(&p.state.to_string());
            let voter = Value::Int(i64::from(p.voter));
            vec![int(p.id.0), text(&p.address), state, voter, int(p.epoch.0), int(p.lag), Value::Null]
        };
        // Nobody of the cluster yet, or a member that is away.
        let copy = |c: &super::CopyRow| {
            let (done, total) = (c.done_bytes >> 20, c.total_bytes >> 20);
            let progress = match c.is_made {
                true => format!("{done} of {total} MB sent"),
                false => format!("{done} of {total} MB prepared"),
            };
            let (taker, no) = (text(&c.taker.to_string()), Value::Int(0));
            vec![Value::Null, taker, text("COPYING"), no, int(0), Value::Null, text(&progress)]
        };
        node.peers.iter().map(peer).chain(facts.copies.iter().map(copy)).collect()
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
            // Who is gone has no name; its identity tells at least which rows are of one table.
            let id = c.table.to_string();
            let (database, table) = facts.table_name(c.table).unwrap_or(("", &id));
            vec![
                text(&super::utc_text(c.at.millis())),
                text(&c.at.to_string()),
                text(database),
                text(table),
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

/// The databases in this node's files.
pub const DATABASES: SystemTable = SystemTable {
    database: MARMOT,
    name: "databases",
    columns: &[
        ("name", Text(64)),
        ("tables", Unsigned),
        ("bytes", Unsigned),
        ("wal_bytes", Unsigned),
        ("applied", Unsigned),
    ],
    rows: |facts| {
        let row = |u: &crate::sqlite::Usage| {
            let tables = facts.catalog.database(&u.database).map_or(0, |d| d.tables.len());
            vec![text(&u.database), int(tables as u64), int(u.bytes), int(u.wal_bytes), int(u.applied)]
        };
        facts.usage.iter().map(row).collect()
    },
};

/// What this node has of the others' logs, what they lack of its own, and the links to them.
pub const REPLICATION: SystemTable = SystemTable {
    database: MARMOT,
    name: "replication",
    columns: &[
        ("peer", Unsigned),
        ("address", Text(255)),
        ("applied", Unsigned),
        ("known", Unsigned),
        ("one_applied", Unsigned),
        ("one_known", Unsigned),
        ("lag", Unsigned),
        ("lag_ms", Unsigned),
        ("silent_ms", Unsigned),
        ("clock_ahead_ms", Big),
        ("link", Text(8)),
        ("queued_frames", Unsigned),
        ("queued_bytes", Unsigned),
        ("dropped_frames", Unsigned),
    ],
    rows: |facts| {
        let Some(node) = facts.cluster else { return Vec::new() };
        let row = |p: &crate::core::PeerStatus| {
            let link = facts.links.iter().find(|l| l.address == p.address);
            let millis = |span: Option<Span>| span.map_or(Value::Null, |span| int(span.as_millis()));
            let of_link = |value: fn(&super::LinkRow) -> u64| link.map_or(Value::Null, |l| int(value(l)));
            let positions = [p.applied.0, p.known.0, p.applied.1, p.known.1, p.lag].map(int);
            let mut row = vec![int(p.id.0), text(&p.address)];
            row.extend(positions);
            row.extend([millis(p.lag_time), millis(p.silence), Value::Int(p.ahead_ms)]);
            row.push(link.map_or(Value::Null, |l| text(if l.up { "UP" } else { "DOWN" })));
            row.extend([
                of_link(|l| l.queued_frames as u64),
                of_link(|l| l.queued_bytes as u64),
                of_link(|l| l.dropped_frames),
            ]);
            row
        };
        node.peers.iter().filter(|p| p.id != node.id && p.state != PeerState::Removed).map(row).collect()
    },
};

/// What came of comparing this node's tables with another node's.
pub const VERIFICATION: SystemTable = SystemTable {
    database: MARMOT,
    name: "verification",
    columns: &[
        ("database_name", Text(64)),
        ("table_name", Text(64)),
        ("compared_at", Micros),
        ("node", Unsigned),
        ("compared_rows", Unsigned),
        ("mismatches", Unsigned),
        ("repaired", Unsigned),
        ("undecided", Unsigned),
        ("elsewhere", Unsigned),
        ("state", Text(255)),
    ],
    rows: |facts| {
        let row = |v: &super::VerificationRow| {
            let mut row = vec![text(&v.database), text(&v.table)];
            row.push(v.compared_at.map_or(Value::Null, |at| text(&super::utc_text(at.0))));
            row.push(v.node.map_or(Value::Null, |node| int(node.0)));
            row.extend([v.rows, v.mismatches, v.repaired, v.undecided, v.elsewhere].map(int));
            row.push(text(&v.state));
            row
        };
        facts.verification.iter().map(row).collect()
    },
};

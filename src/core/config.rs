//! What a node is told when it starts. Checked once, by [`Config::check`].

use super::effect::Address;
use super::planted::Planted;
use crate::types::{Limits, NodeId, Span, Versions};

/// Configuration of the core of one node.
#[derive(Clone, Debug)]
pub struct Config {
    /// This node's identity: unique for all time, not zero.
    pub node: NodeId,
    /// Where peers reach this node.
    pub address: Address,
    /// Where to find the cluster. Empty: bootstrap a new one, if storage is empty.
    pub seeds: Vec<Address>,
    pub limits: Limits,
    pub timing: Timing,
    /// What this node understands; other than the build's only in tests.
    pub versions: Versions,
    /// Bugs switched on to prove that the simulator sees them. Always empty in a daemon.
    pub planted: Planted,
}

/// All durations of the core. Relations are checked by [`Config::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between SWIM probes (`cluster.gossip_interval_ms`).
    pub probe_interval: Span,
    /// How long a silent peer is suspected before it counts as dead (`cluster.suspect_timeout_ms`).
    pub suspect_after: Span,
    /// Between progress reports to every peer.
    pub report_interval: Span,
    /// Between repetitions of unanswered Prepares, Accepts, Recovers and barrier questions.
    pub retransmit: Span,
    /// How long, once a quorum prepared, the others are waited for whose acceptance makes one round enough. Zero: every
    /// commit takes two.
    pub fast_patience: Span,
    /// A transaction not decided after this is aborted if it still can be, else its outcome is reported as unknown
    /// (`replication.write_timeout_ms`).
    pub write_timeout: Span,
    /// A barrier not finished after this is refused (`replication.read_timeout_ms`).
    pub read_timeout: Span,
    /// An intent of which nothing was heard for this long makes its holder inquire, and then recover.
    pub recover_after: Span,
    /// Key states are kept for this long below the watermark, so that a Prepare under way is not refused `Behind`.
    pub grace: Span,
    /// A schema lock not used for this long is given up.
    pub schema_lock: Span,
    /// A remote clock further ahead than this is not followed (`cluster.max_clock_offset_ms`).
    pub max_clock_offset: Span,
    /// Records are kept at least this long after they were applied everywhere
    /// (`replication.gc_min_retention_hours`).
    pub retention_min: Span,
    /// Records that a majority holds are dropped after this even if a dead member lacks them, but for the last writes of
    /// each row that were made since it was heard (`replication.gc_max_retention_hours`). Conflicts are kept for as long.
    pub retention_max: Span,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            probe_interval: Span::from_millis(1000),
            suspect_after: Span::from_millis(3000),
            report_interval: Span::from_millis(500),
            retransmit: Span::from_millis(200),
            fast_patience: Span::from_millis(20),
            write_timeout: Span::from_millis(5000),
            read_timeout: Span::from_millis(5000),
            recover_after: Span::from_millis(1000),
            grace: Span::from_secs(10),
            schema_lock: Span::from_secs(60),
            max_clock_offset: Span::from_millis(500),
            retention_min: Span::from_secs(2 * 3600),
            retention_max: Span::from_secs(24 * 3600),
        }
    }
}

impl Config {
    /// A node with default limits and timing.
    pub fn new(node: NodeId, address: Address, seeds: Vec<Address>) -> Config {
        Config {
            node,
            address,
            seeds,
            limits: Limits::default(),
            timing: Timing::default(),
            versions: Versions::BUILD,
            planted: Planted::none(),
        }
    }

    /// Errors are sentences for the person who wrote the configuration.
    pub fn check(&self) -> Result<(), String> {
        let t = &self.timing;
        let rules = [
            (self.node.0 != 0, "node id must not be 0"),
            (!self.address.is_empty(), "the cluster address must not be empty"),
            (t.probe_interval.0 > 0, "gossip interval must be positive"),
            (t.suspect_after >= t.probe_interval, "suspect timeout must be at least the gossip interval"),
            (t.retransmit.0 > 0 && t.report_interval.0 > 0, "intervals must be positive"),
            (t.write_timeout > t.retransmit, "write timeout must exceed the retransmit interval"),
            (t.retention_min <= t.retention_max, "minimum retention must not exceed maximum retention"),
            (self.limits.write_set_bytes < self.limits.frame_bytes, "a write set must fit a frame"),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            None => Ok(()),
            Some((_, why)) => Err((*why).to_string()),
        }
    }
}

//! Everything one run is made of, drawn from its seed and printed first.

use super::clock::{MS, SECOND};
use super::dice::{Dice, Ratio};
use super::fault::FaultOptions;
use super::message::Kind;
use super::network::NetworkOptions;
use super::workload::Family;
use marmot::core::{Bug, Planted, Timing};
use marmot::types::Span;

/// Longer than a run.
pub const DAY: Span = Span::from_secs(24 * 3600);

/// The options of one run.
#[derive(Clone, Debug)]
pub struct Options {
    pub seed: u64,
    /// The first voters.
    pub nodes: usize,
    /// Machines that may join later.
    pub spares: usize,
    /// Length of the whole run, and of its safety phase, in nanoseconds of virtual time.
    pub length: u64,
    pub heal_at: u64,
    pub clients: usize,
    /// Logical operations of each client.
    pub operations: usize,
    pub families: Vec<Family>,
    /// Rows the clients fight over.
    pub keys: u64,
    /// Between two operations of a client: usually the first range, sometimes the second.
    pub think: (u64, u64),
    pub rest: (u64, u64),
    pub resting: Ratio,
    /// Transactions that stay open for a while between snapshot and commit.
    pub interactive: Ratio,
    pub open_for: (u64, u64),
    /// Nodes are told which snapshots are open. If not, old ones are refused.
    pub tells_oldest: bool,
    /// Attempts whose snapshot is pinned some time after its position was read.
    pub pinned_late: Ratio,
    pub level_all: Ratio,
    /// Operations preceded by a barrier.
    pub barriers: Ratio,
    /// Clients that hang up while waiting.
    pub hang_up: Ratio,
    pub retries: u32,
    pub lock_wait: Span,
    /// A disk sync, in nanoseconds.
    pub sync: (u64, u64),
    /// From an effect to its rows being visible.
    pub applying: (u64, u64),
    /// Between syncs of the database files.
    pub checkpoint: u64,
    pub skew_ms: u64,
    pub drift_ppm: u64,
    pub network: NetworkOptions,
    pub faults: FaultOptions,
    /// A machine crashes right after sending a message of this kind.
    pub crash_on: Option<(Kind, Ratio)>,
    /// Machines that go on from a voter's snapshot when they come back, though the log would do.
    pub renewals: Ratio,
    /// Log entries between two checkpoints: with few of them logs are cut short while a run lasts.
    pub checkpoint_entries: u64,
    pub timing: Timing,
    /// Messages go through their encoding.
    pub encoded: bool,
    /// The cluster is founded within the run, faults and all, rather than taken from a prepared one.
    pub founded: bool,
    /// Check the invariants of every node after each round, rather than now and then.
    pub strict: bool,
    pub bug: Option<Bug>,
}

impl Options {
    /// What a seed means.
    pub fn draw(seed: u64) -> Options {
        let mut d = Dice::new(seed);
        let mut faults = draw_faults(&mut d.child(1));
        let network = draw_network(&mut d.child(2));
        let mut timing = draw_timing(&mut d.child(3));
        draw_retention(&mut d.child(91), &mut timing);
        let families = draw_families(&mut d.child(4));
        let nodes = *d.pick(&[3, 5, 5, 5, 5, 5, 4, 1]);
        let spares = if d.one_in(4) && nodes > 1 { 1 + d.index(2) } else { 0 };
        faults.joins = if d.one_in(2) { spares as u32 } else { spares.min(1) as u32 };
        if spares > 0 && d.child(94).one_in(2) {
            // Newcomers always find in the logs what they lack.
            (timing.retention_min, timing.retention_max) = (DAY, DAY);
        }
        let minority = (nodes as u32 - 1) / 2;
        faults.lost_disks = if d.one_in(6) { minority.min(1 + d.below(2) as u32) } else { 0 };
        // With a minority already lost, one more voter gone would be a majority.
        faults.removals = if nodes >= 4 && faults.lost_disks == 0 && d.one_in(6) { 1 } else { 0 };
        faults.rival_operator = d.one_in(2);
        faults.leaving = d.child(90).one_in(2);
        let founded = d.one_in(16);
        if founded {
            // What is a minority depends on who is a voter already.
            faults.lost_disks = 0;
            faults.removals = 0;
        }
        let clients = 4 + d.index(5);
        Options {
            seed,
            nodes,
            spares,
            length: 60 * SECOND,
            heal_at: 40 * SECOND,
            clients,
            operations: 120 / clients + d.index(48 / clients),
            families,
            keys: d.between(2, 8),
            think: (0, d.between(1, 200) * MS),
            rest: (500 * MS, 6 * SECOND),
            resting: Ratio::new(1, 2 + d.below(6) as u32),
            interactive: Ratio::new(d.below(3) as u32, 6),
            open_for: (10 * MS, d.between(50, 3000) * MS),
            tells_oldest: !d.one_in(4),
            pinned_late: Ratio::new(1, 6),
            level_all: Ratio::new(d.below(2) as u32, 12),
            barriers: Ratio::new(1, 3 + d.below(6) as u32),
            hang_up: Ratio::new(d.below(2) as u32, 30),
            retries: 2 + d.below(6) as u32,
            lock_wait: Span::from_millis(d.between(500, 8000)),
            sync: (50_000, d.between(100_000, 8 * MS)),
            applying: (20_000, d.between(50_000, 20 * MS)),
            checkpoint: d.between(1, 6) * SECOND,
            skew_ms: if d.one_in(3) { 0 } else { d.between(1, 200) },
            drift_ppm: if d.one_in(2) { 0 } else { d.between(1, 1000) },
            network,
            faults,
            crash_on: d.one_in(4).then(|| (*d.pick(CRASH_ON), Ratio::new(1, 20 + d.below(100) as u32))),
            renewals: draw_renewals(&mut d.child(93)),
            checkpoint_entries: draw_checkpoints(&mut d.child(92)),
            timing,
            encoded: d.one_in(16),
            founded,
            strict: d.one_in(32),
            bug: None,
        }
    }

    /// Whether conflicts are kept to the end of the run.
    pub fn keeps_conflicts(&self) -> bool {
        self.timing.retention_max >= DAY
    }

    pub fn planted(&self) -> Planted {
        self.bug.map_or(Planted::none(), Planted::only)
    }

    /// A network and machines that do nothing wrong: how a prepared cluster is founded.
    pub fn calm(nodes: usize) -> Options {
        let mut o = Options::draw(0);
        o.nodes = nodes;
        o.spares = 0;
        o.faults = FaultOptions::default();
        o.network.loss = Ratio::NEVER;
        o.network.duplicate = Ratio::NEVER;
        o.network.late = Ratio::NEVER;
        o.network.muffled = None;
        o.crash_on = None;
        o.clients = 0;
        o.skew_ms = 0;
        o.drift_ppm = 0;
        o.encoded = false;
        o.founded = true;
        o.timing = Timing::default();
        o
    }
}

const CRASH_ON: &[Kind] = &[
    Kind::Prepare,
    Kind::Prepared,
    Kind::Accept,
    Kind::Accepted,
    Kind::Decided,
    Kind::Recover,
    Kind::Promise,
    Kind::SyncRecords,
];

fn draw_faults(d: &mut Dice) -> FaultOptions {
    let count = |d: &mut Dice, likely: u64, most: u64| if d.one_in(likely) { 0 } else { d.between(1, most) as u32 };
    FaultOptions {
        crashes: count(d, 4, 8),
        blackouts: if d.one_in(4) { 1 } else { 0 },
        pauses: count(d, 2, 4),
        partitions: count(d, 3, 6),
        slow: count(d, 2, 2),
        jumps: count(d, 2, 4),
        full: if d.one_in(4) { 1 } else { 0 },
        lost_disks: 0,
        removals: 0,
        leaving: false,
        joins: 0,
        rival_operator: false,
        down: (20 * MS, d.between(1, 8) * SECOND),
        cut: (200 * MS, d.between(1, 12) * SECOND),
        pause: (50 * MS, d.between(1, 6) * SECOND),
        jump_ms: d.between(100, 2500) as i64,
    }
}

fn draw_network(d: &mut Dice) -> NetworkOptions {
    let slowest = *d.pick(&[2 * MS, 10 * MS, 30 * MS, 150 * MS]);
    NetworkOptions {
        delay: (MS / 5, slowest),
        loss: *d.pick(&[Ratio::NEVER, Ratio::new(1, 100), Ratio::new(1, 20), Ratio::new(1, 8)]),
        duplicate: *d.pick(&[Ratio::NEVER, Ratio::new(1, 50), Ratio::new(1, 10)]),
        late: *d.pick(&[Ratio::NEVER, Ratio::new(1, 200), Ratio::new(1, 30)]),
        late_by: (200 * MS, d.between(1, 12) * SECOND),
        muffled: d.one_in(3).then(|| (*d.pick(Kind::ALL), Ratio::new(1 + d.below(3) as u32, 4))),
    }
}

/// Some clusters commit in two rounds always.
fn draw_patience(d: &mut Dice) -> Span {
    if d.one_in(4) { Span(0) } else { Span::from_millis(d.between(1, 60)) }
}

fn draw_checkpoints(d: &mut Dice) -> u64 {
    if d.one_in(2) { d.between(4, 64) } else { 512 }
}

/// In most runs nobody does what the log makes needless.
fn draw_renewals(d: &mut Dice) -> Ratio {
    if d.one_in(3) { Ratio::new(1, 1 + d.below(4) as u32) } else { Ratio::NEVER }
}

fn draw_timing(d: &mut Dice) -> Timing {
    let ms = Span::from_millis;
    let probe = d.between(1000, 2000);
    Timing {
        probe_interval: ms(probe),
        suspect_after: ms(probe * d.between(2, 4)),
        report_interval: ms(d.between(1000, 3500)),
        retransmit: ms(d.between(150, 600)),
        fast_patience: draw_patience(&mut d.child(95)),
        write_timeout: ms(d.between(1500, 6000)),
        read_timeout: ms(d.between(1500, 6000)),
        recover_after: ms(d.between(400, 2500)),
        grace: ms(d.between(200, 10_000)),
        schema_lock: ms(d.between(1000, 8000)),
        max_clock_offset: ms(500),
        retention_min: ms(d.between(500, 20_000)),
        retention_max: DAY,
    }
}

/// In some runs logs are compacted while somebody is away.
fn draw_retention(d: &mut Dice, timing: &mut Timing) {
    if d.one_in(3) {
        timing.retention_max = Span::from_millis(d.between(300, 8000));
        timing.retention_min = timing.retention_min.min(timing.retention_max);
    }
}

fn draw_families(d: &mut Dice) -> Vec<Family> {
    let mut families: Vec<Family> = (0..1 + d.index(3)).map(|_| *d.pick(Family::ALL)).collect();
    families.dedup();
    families
}

impl std::fmt::Display for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:#?}")
    }
}

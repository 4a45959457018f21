//! One seed: found or copy a cluster, run it through faults and healing, judge it.

use super::check::elle::{self, Anomaly, End, Transaction};
use super::clock::SECOND;
use super::history::{Known, Violation};
use super::marks::{Mark, Marks};
use super::options::Options;
use super::trace::Detail;
use super::world::{Founded, World};
use std::collections::BTreeMap;

/// How long founding a calm cluster may take.
const FOUNDING: u64 = 120 * SECOND;

/// What came of one run.
#[derive(Debug)]
pub struct Verdict {
    pub seed: u64,
    pub violation: Option<Violation>,
    pub marks: Marks,
    /// The trace's hash: equal for equal seeds.
    pub hash: u64,
    pub events: u64,
    pub attempts: usize,
    /// One line a machine, as of the end.
    pub statuses: Vec<String>,
    pub trace: Vec<String>,
}

/// Prepared clusters by size, so that a run need not spend its time on founding one.
#[derive(Default)]
pub struct Nursery {
    founded: BTreeMap<(usize, u64), Founded>,
}

impl Nursery {
    pub fn new() -> Nursery {
        Nursery::default()
    }

    /// Runs one seed.
    pub fn run(&mut self, options: Options, detail: Detail) -> Verdict {
        let seed = options.seed;
        if options.founded {
            return finish(World::new(options, None, detail));
        }
        let key = (options.nodes, options.keys);
        #[allow(clippy::map_entry)]
        if !self.founded.contains_key(&key) {
            match found(options.nodes, options.keys) {
                Ok(founded) => self.founded.insert(key, founded),
                Err(world) => return verdict(seed, *world),
            };
        }
        finish(World::new(options, self.founded.get(&key), detail))
    }
}

/// Founds a cluster of `nodes` in calm and takes its disks when all are voters.
fn found(nodes: usize, keys: u64) -> Result<Founded, Box<World>> {
    let mut options = Options::calm(nodes);
    options.keys = keys;
    options.heal_at = 10 * FOUNDING;
    options.length = 20 * FOUNDING;
    let mut world = World::new(options, None, Detail::Kinds);
    world.begin();
    let mut time = 0;
    loop {
        time += SECOND;
        world.run_until(time);
        let mut statuses = world.machines.iter().filter_map(|m| m.node.as_ref()).map(|n| n.status());
        if statuses.all(|s| s.voters == nodes && s.intents == 0) {
            // A little longer, so that everything is applied and synced everywhere.
            world.run_until(time + 10 * SECOND);
            break;
        }
        if time > FOUNDING {
            let text = format!("{nodes} calm machines did not form a cluster in {} s", FOUNDING / SECOND);
            world.broken(Violation::liveness("eventually_a_cluster_forms", text));
        }
        if world.violation.is_some() {
            return Err(Box::new(world));
        }
    }
    let machines = world.machines.iter_mut().map(|m| {
        m.disk.lose_round();
        m.files.synced = m.files.applied();
        m.files.crash(m.files.applied());
        (m.disk.clone(), m.files.clone())
    });
    Ok(Founded { time: world.now, machines: machines.collect() })
}

fn finish(mut world: World) -> Verdict {
    let (seed, end) = (world.options.seed, world.start + world.options.length);
    world.begin();
    world.run_until(end);
    if world.violation.is_none() {
        world.check_progress();
    }
    if world.violation.is_none() {
        world.check_convergence();
    }
    if world.violation.is_none() {
        judge_lists(&mut world);
    }
    verdict(seed, world)
}

fn judge_lists(world: &mut World) {
    let attempts = world.history.attempts.iter().filter(|a| !a.appends.is_empty());
    let mut history: Vec<Transaction> = attempts
        .map(|a| Transaction {
            end: match (&a.fate, &a.known) {
                (Some(_), _) => End::Committed,
                (None, Known::Refused) => End::Aborted,
                (None, _) => End::Unknown,
            },
            reads: a.reads.clone(),
            appends: a.appends.clone(),
        })
        .collect();
    let looks = world.history.looks.iter();
    history.extend(looks.map(|reads| Transaction { end: End::Committed, reads: reads.clone(), appends: Vec::new() }));
    for finding in elle::judge(&history) {
        match finding.anomaly {
            Anomaly::WriteSkew => world.marks.hit(Mark::WriteSkew),
            Anomaly::LongFork => world.marks.hit(Mark::LongFork),
            anomaly => {
                let shown: Vec<_> = finding.transactions.iter().take(4).map(|t| &history[*t]).collect();
                let text = format!("{}: {shown:?}", anomaly.name());
                return world.broken(Violation::correctness("finally_lists_show_no_anomaly", text));
            }
        }
    }
}

fn verdict(seed: u64, mut world: World) -> Verdict {
    let statuses = world.machines.iter().enumerate().map(|(m, machine)| match &machine.node {
        Some(node) => format!("m{m} {}{}", node.status(), if machine.removed { " (removed)" } else { "" }),
        None => format!("m{m} {:?}", machine.state),
    });
    Verdict {
        seed,
        statuses: statuses.collect(),
        marks: world.marks.clone(),
        hash: world.trace.hash(),
        events: world.events,
        attempts: world.history.attempts.len(),
        trace: std::mem::take(&mut world.trace.lines),
        violation: world.violation.take(),
    }
}

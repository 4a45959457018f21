//! The schedule of what goes wrong, drawn before the run begins.

use super::clock::{MS, SECOND};
use super::dice::Dice;

/// How many faults of each kind a run has, and how bad they are.
#[derive(Clone, Debug, Default)]
pub struct FaultOptions {
    pub crashes: u32,
    pub blackouts: u32,
    pub pauses: u32,
    pub partitions: u32,
    pub slow: u32,
    pub jumps: u32,
    pub full: u32,
    /// Disks lost for good; never more than a minority of the first voters.
    pub lost_disks: u32,
    /// Voters removed by the operator while they are well.
    pub removals: u32,
    /// They go by themselves, as far as they can.
    pub leaving: bool,
    /// Spare machines that join.
    pub joins: u32,
    /// Two operators at once.
    pub rival_operator: bool,
    pub down: (u64, u64),
    pub cut: (u64, u64),
    pub pause: (u64, u64),
    pub jump_ms: i64,
}

/// Where within a round a crash strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// Now, whatever goes on.
    Now,
    /// When the next round that writes is about to commit: it is lost.
    BeforeCommit,
    /// After the next round that writes committed, before any effect was done.
    AfterCommit,
    /// After this many of its effects were done.
    AmongEffects(usize),
}

/// The directions a partition cuts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Both ways between the machines of the mask and the others.
    Split(u64),
    /// One machine hears nothing.
    Deaf(usize),
    /// One machine is not heard.
    Mute(usize),
    /// One direction between two machines.
    OneWay(usize, usize),
}

impl Cut {
    /// Every `(from, to)` that is cut among `machines`.
    pub fn links(&self, machines: usize) -> Vec<(usize, usize)> {
        let pairs = (0..machines).flat_map(|a| (0..machines).map(move |b| (a, b))).filter(|(a, b)| a != b);
        pairs
            .filter(|(a, b)| match self {
                Cut::Split(mask) => mask >> a & 1 != mask >> b & 1,
                Cut::Deaf(m) => b == m,
                Cut::Mute(m) => a == m,
                Cut::OneWay(from, to) => a == from && b == to,
            })
            .collect()
    }
}

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Crash { machine: usize, point: CrashPoint, down: u64 },
    Blackout { down: u64 },
    Pause { machine: usize, lasting: u64 },
    Partition { cut: Cut, lasting: u64 },
    Slow { machine: usize, factor: u64, lasting: u64 },
    Jump { machine: usize, ms: i64 },
    Full { machine: usize, lasting: u64 },
    LoseDisk { machine: usize },
    Join { machine: usize },
    Remove { machine: usize },
    Leave { machine: usize },
}

/// Draws the schedule: `(when, what)`, in any order. `start..end` is the safety phase.
pub fn schedule(
    options: &FaultOptions,
    voters: usize,
    spares: usize,
    (start, end): (u64, u64),
    dice: &mut Dice,
) -> Vec<(u64, Fault)> {
    let mut faults = Vec::new();
    let at = |dice: &mut Dice| dice.between(start, end);
    let all = voters + spares;
    for _ in 0..options.crashes {
        let point = match dice.below(5) {
            0 => CrashPoint::Now,
            1 | 2 => CrashPoint::BeforeCommit,
            3 => CrashPoint::AfterCommit,
            _ => CrashPoint::AmongEffects(1 + dice.index(4)),
        };
        let down = dice.between(options.down.0, options.down.1);
        faults.push((at(dice), Fault::Crash { machine: dice.index(all), point, down }));
    }
    for _ in 0..options.blackouts {
        faults.push((at(dice), Fault::Blackout { down: dice.between(200 * MS, 3 * SECOND) }));
    }
    for _ in 0..options.pauses {
        let lasting = dice.between(options.pause.0, options.pause.1);
        faults.push((at(dice), Fault::Pause { machine: dice.index(all), lasting }));
    }
    for _ in 0..options.partitions {
        let one = dice.index(all);
        let other = (one + 1 + dice.index(all - 1)) % all;
        let cut = match dice.below(6) {
            0 => Cut::Deaf(one),
            1 => Cut::Mute(one),
            2 => Cut::OneWay(one, other),
            3 => Cut::Split(1 << one),
            _ => Cut::Split(dice.between(1, (1 << all) - 2)),
        };
        faults.push((at(dice), Fault::Partition { cut, lasting: dice.between(options.cut.0, options.cut.1) }));
    }
    for _ in 0..options.slow {
        let lasting = dice.between(SECOND, 8 * SECOND);
        faults.push((at(dice), Fault::Slow { machine: dice.index(all), factor: dice.between(10, 200), lasting }));
    }
    for _ in 0..options.jumps {
        let size = dice.between(1, options.jump_ms.max(1) as u64) as i64;
        let ms = if dice.one_in(2) { size } else { -size * 4 };
        faults.push((at(dice), Fault::Jump { machine: dice.index(all), ms }));
    }
    for _ in 0..options.full {
        faults.push((at(dice), Fault::Full { machine: dice.index(all), lasting: dice.between(SECOND, 6 * SECOND) }));
    }
    // Early enough that the operator can remove the lost before the end.
    let early = start + (end - start) * 3 / 5;
    let first = dice.index(voters);
    for i in 0..options.lost_disks as usize {
        faults.push((dice.between(start, early), Fault::LoseDisk { machine: (first + i) % voters }));
    }
    for i in 0..options.removals as usize {
        let machine = (first + options.lost_disks as usize + i) % voters;
        let fault = if options.leaving { Fault::Leave { machine } } else { Fault::Remove { machine } };
        faults.push((dice.between(start, early), fault));
    }
    for i in 0..(options.joins as usize).min(spares) {
        faults.push((dice.between(start, early), Fault::Join { machine: voters + i }));
    }
    faults
}

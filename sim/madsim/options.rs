//! What a seed decides before a run begins, and what the environment says.

use crate::dice::Dice;
use crate::planted::Plant;
use marmot::types::AutoIdMode;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A kind of trouble that a run may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Trouble {
    /// The process ends, nothing is lost.
    Kill,
    /// The power fails between two operations of the disk.
    PowerLoss,
    /// … or in the middle of a commit or checkpoint.
    PowerLossWithin,
    /// All machines at once.
    Blackout,
    /// Asked to stop, as by SIGTERM, and started again.
    Stop,
    DiskError,
    FullDisk,
    /// A node does nothing for a while and then goes on.
    Pause,
    /// Two groups that do not hear each other.
    Partition,
    /// One node hears, but is not heard.
    OneWay,
    Isolate,
    /// Packets are late and lost.
    Storm,
    /// Messages of one node are lost, doubled and late, each for itself.
    BadPost,
    ClockJump,
}

impl Trouble {
    pub const ALL: [Trouble; 14] = [
        Trouble::Kill,
        Trouble::PowerLoss,
        Trouble::PowerLossWithin,
        Trouble::Blackout,
        Trouble::Stop,
        Trouble::DiskError,
        Trouble::FullDisk,
        Trouble::Pause,
        Trouble::Partition,
        Trouble::OneWay,
        Trouble::Isolate,
        Trouble::Storm,
        Trouble::BadPost,
        Trouble::ClockJump,
    ];
}

/// Which run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    pub seed: u64,
    /// Simulated time with troubles on.
    pub seconds: u64,
    /// No promise can hold with it, and the checks must notice.
    pub plant: Option<Plant>,
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seed, self.seconds)?;
        self.plant.map_or(Ok(()), |plant| write!(f, " {plant}"))
    }
}

impl Wish {
    /// The opposite of `Display`.
    pub fn parse(text: &str) -> Option<Wish> {
        let mut words = text.split(' ');
        let seed = words.next()?.parse().ok()?;
        let seconds = words.next()?.parse().ok()?;
        let plant = match words.next() {
            None => None,
            Some(name) => Some(Plant::parse(name)?),
        };
        Some(Wish { seed, seconds, plant })
    }
}

/// The settings of one run: a function of the seed, but for what the environment overrides.
#[derive(Clone, Debug)]
pub struct Options {
    pub seed: u64,
    pub seconds: u64,
    pub nodes: usize,
    pub troubles: Vec<Trouble>,
    /// Mean time between two troubles.
    pub gap_ms: u64,
    pub auto_id_mode: AutoIdMode,
    pub write_timeout_ms: u64,
    pub recover_after_ms: u64,
    /// Each machine's wall clock is off by so much at first.
    pub skew_ms: Vec<i64>,
    /// Think time of clients, on average.
    pub think_ms: u64,
    /// Write-ahead logs are moved into their files from this length on.
    pub checkpoint_bytes: u64,
    pub plant: Option<Plant>,
}

impl Options {
    pub fn new(Wish { seed, seconds, plant }: Wish) -> Options {
        let mut dice = Dice::part(seed, "options");
        let nodes = if dice.one_in(5) { 5 } else { 3 };
        // Few troubles often show more than all at once.
        let share = dice.within(1..5);
        let mut troubles: Vec<Trouble> = Trouble::ALL.into_iter().filter(|_| dice.below(4) < share).collect();
        if dice.one_in(16) {
            troubles.clear();
        }
        if let Some(plant) = plant {
            troubles = plant.troubles();
        }
        let gap_ms = *dice.pick(&[300, 700, 1500]);
        let skew_ms = (0..nodes).map(|_| dice.within(0..300) as i64 - 150).collect();
        Options {
            seed,
            seconds,
            nodes,
            troubles,
            // What a bug needs to show must come often.
            gap_ms: if plant.is_some() { 200 } else { gap_ms },
            auto_id_mode: *dice.pick(&[AutoIdMode::Compact, AutoIdMode::Extended]),
            write_timeout_ms: *dice.pick(&[1500, 3000, 5000]),
            recover_after_ms: *dice.pick(&[300, 1000]),
            skew_ms,
            think_ms: *dice.pick(&[300, 600, 1200]),
            checkpoint_bytes: *dice.pick(&[30_000, 200_000, 1 << 20]),
            plant,
        }
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let troubles: Vec<String> = self.troubles.iter().map(|t| format!("{t:?}")).collect();
        write!(
            f,
            "seed={} seconds={} nodes={} gap={}ms think={}ms ids={} write_timeout={}ms recover_after={}ms \
             checkpoint={} skew={:?} troubles={}{}",
            self.seed,
            self.seconds,
            self.nodes,
            self.gap_ms,
            self.think_ms,
            self.auto_id_mode,
            self.write_timeout_ms,
            self.recover_after_ms,
            self.checkpoint_bytes,
            self.skew_ms,
            troubles.join(","),
            self.plant.map_or_else(String::new, |plant| format!(" planted={plant}")),
        )
    }
}

/// Which seeds to run, from the environment.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    pub first: u64,
    pub count: u64,
    pub seconds: u64,
}

impl Range {
    /// `SIM_SEED` or `SIM_COMMIT` (a hash), `SIM_SEEDS`, `SIM_SECS`.
    ///
    /// # Errors
    /// A sentence about a variable that is not a number.
    pub fn from_environment() -> Result<Range, String> {
        let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let number = |name: &str, default: u64| match variable(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| format!("{name}={text} is not a number")),
        };
        let first = match variable("SIM_COMMIT") {
            None => 1,
            Some(hash) => seed_of(&hash).ok_or_else(|| format!("SIM_COMMIT={hash} is not a commit's hash"))?,
        };
        Ok(Range {
            first: number("SIM_SEED", first)?,
            count: number("SIM_SEEDS", 100)?,
            seconds: number("SIM_SECS", 20)?,
        })
    }
}

/// The seed that a commit stands for: its first twelve digits.
pub fn seed_of(hash: &str) -> Option<u64> {
    u64::from_str_radix(hash.get(..12)?, 16).ok()
}

//! The tests: the disk's own, one for each seed, what must have happened over all of them, and the proof that planted
//! bugs are seen.

use crate::marks::{LOGGED, Marks, NAMED};
use crate::options::{Options, Range, Trouble, Wish};
use crate::planted::Plant;
use crate::process::run;
use crate::run::Outcome;
use crate::{disk, proxy};
use libtest_mimic::{Failed, Trial};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// From so many seeds on, everything must have happened at least once.
const ENOUGH_SEEDS: usize = 30;

/// All tests.
///
/// # Errors
/// A sentence about the environment.
pub fn all() -> Result<Vec<Trial>, String> {
    let range = Range::from_environment()?;
    let outcomes: Arc<Mutex<BTreeMap<u64, Outcome>>> = Arc::default();
    let mut trials: Vec<Trial> = [proxy::TESTS, disk::tests::TESTS]
        .into_iter()
        .flatten()
        .map(|(name, body)| {
            let body = *body;
            Trial::test(*name, move || {
                body();
                Ok(())
            })
        })
        .collect();
    for seed in range.first..range.first.saturating_add(range.count) {
        let outcomes = outcomes.clone();
        trials.push(Trial::test(format!("cluster::seed_{seed}"), move || twice(seed, range.seconds, &outcomes)));
    }
    trials.push(Trial::test("cluster::everything_happened_somewhere", move || everything_happened(&outcomes)));
    for plant in Plant::all() {
        trials.push(Trial::test(format!("planted::{plant}_is_noticed"), move || noticed(plant, range.seconds)));
    }
    Ok(trials)
}

fn twice(seed: u64, seconds: u64, outcomes: &Mutex<BTreeMap<u64, Outcome>>) -> Result<(), Failed> {
    let wish = Wish { seed, seconds, plant: None };
    let options = Options::new(wish);
    let repeat =
        format!("SIM_SEED={seed} SIM_SEEDS=1 SIM_SECS={seconds} cargo test --features sim --test sim -- seed_");
    let begun = Instant::now();
    let (first, second) = match (run(wish), run(wish)) {
        (Ok(first), Ok(second)) => (first, second),
        (Err(why), _) | (_, Err(why)) => return Err(format!("{why}\n  {options}\n  repeat: {repeat}").into()),
    };
    println!("{options}\n  {first}\n  two runs in {} ms", begun.elapsed().as_millis());
    if !first.broken.is_empty() {
        return Err(format!("{}\n  {options}\n  {first}\n  repeat: {repeat}", first.broken.join("\n")).into());
    }
    if first != second {
        let both = format!("  {options}\n  {first}\n  {second}");
        return Err(format!("two runs of one seed differ\n{both}\n  repeat: {repeat}").into());
    }
    outcomes.lock().unwrap_or_else(PoisonError::into_inner).insert(seed, first);
    Ok(())
}

/// Troubles and repairs that never come prove nothing.
fn everything_happened(outcomes: &Mutex<BTreeMap<u64, Outcome>>) -> Result<(), Failed> {
    let outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
    if outcomes.len() < ENOUGH_SEEDS {
        return Ok(());
    }
    let mut sums = Marks::new();
    // A name without an entry would not be missed.
    let named = NAMED.iter().copied().chain(LOGGED.iter().map(|(_, name)| *name));
    sums.extend(named.map(|name| (name.to_string(), 0)));
    sums.extend(Trouble::ALL.iter().map(|trouble| (format!("{trouble:?}"), 0)));
    for outcome in outcomes.values() {
        let made = outcome.made.iter().map(|(trouble, n)| (format!("{trouble:?}"), *n));
        let counted = counted(outcome).map(|(name, n)| (name.to_string(), n));
        for (name, n) in outcome.marks.clone().into_iter().chain(made).chain(counted) {
            *sums.entry(name).or_default() += n;
        }
    }
    let lines: Vec<String> = sums.iter().map(|(name, n)| format!("  {n:>9} {name}")).collect();
    println!("over {} seeds:\n{}", outcomes.len(), lines.join("\n"));
    let never: Vec<&str> = sums.iter().filter(|(_, n)| **n == 0).map(|(name, _)| name.as_str()).collect();
    if never.is_empty() { Ok(()) } else { Err(format!("never happened: {}", never.join("; ")).into()) }
}

fn counted(outcome: &Outcome) -> impl Iterator<Item = (&'static str, u64)> {
    let [done, refused, unknown] = outcome.answers;
    let [reads, writes, syncs] = outcome.counts.failed;
    [
        ("statement done", done),
        ("statement refused", refused),
        ("statement of unknown outcome", unknown),
        ("write lost with the power", outcome.counts.lost),
        ("write torn by a power failure", outcome.counts.torn),
        ("read of a disk failed", reads),
        ("write of a disk failed", writes),
        ("sync of a disk failed", syncs),
        ("write refused by a full disk", outcome.counts.full),
    ]
    .into_iter()
}

/// The proof that this simulator sees: some seed must report a broken promise, a node that stops, or never coming to an
/// end.
fn noticed(plant: Plant, seconds: u64) -> Result<(), Failed> {
    let seeds = plant.budget();
    // Always the same seeds: what is found out here is about the checks, not about this commit.
    for seed in 1..=seeds {
        let why = match run(Wish { seed, seconds, plant: Some(plant) }) {
            Ok(outcome) => outcome.broken.into_iter().next(),
            Err(why) => Some(why),
        };
        if let Some(why) = why {
            println!("{plant}: noticed by seed {seed} of {seeds}: {why}");
            return Ok(());
        }
    }
    Err(format!("{plant}: not noticed by {seeds} seeds").into())
}

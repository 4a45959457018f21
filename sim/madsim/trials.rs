//! The tests: the disk's own, one for each seed, what must have happened over all of them, and the proof that losses
//! are seen.

use crate::options::{Options, Range, Trouble, Wish};
use crate::process::run;
use crate::run::Outcome;
use crate::{disk, proxy};
use libtest_mimic::{Failed, Trial};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Seeds within which lying disks must be noticed.
const LYING_SEEDS: u64 = 20;
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
    trials.push(Trial::test("cluster::lying_disks_are_noticed", move || lying_disks_are_noticed(range)));
    Ok(trials)
}

fn twice(seed: u64, seconds: u64, outcomes: &Mutex<BTreeMap<u64, Outcome>>) -> Result<(), Failed> {
    let wish = Wish { seed, seconds, lying: false };
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
    let sum = |of: fn(&Outcome) -> u64| outcomes.values().map(of).sum::<u64>();
    let mut marks = vec![
        ("statements done", sum(|o| o.answers[0])),
        ("statements refused", sum(|o| o.answers[1])),
        ("statements of unknown outcome", sum(|o| o.answers[2])),
        ("writes lost with the power", sum(|o| o.counts.lost)),
        ("writes torn", sum(|o| o.counts.torn)),
        ("operations of a disk failed", sum(|o| o.counts.failed)),
        ("disks full", sum(|o| o.counts.full)),
    ];
    let names: Vec<String> = Trouble::ALL.iter().map(|trouble| format!("{trouble:?}")).collect();
    for (name, trouble) in names.iter().zip(Trouble::ALL) {
        marks.push((name, outcomes.values().filter_map(|o| o.made.get(&trouble)).sum()));
    }
    let lines: Vec<String> = marks.iter().map(|(name, n)| format!("{name}: {n}")).collect();
    println!("over {} seeds: {}", outcomes.len(), lines.join(", "));
    match marks.iter().find(|(_, n)| *n == 0) {
        Some((name, _)) => Err(format!("never happened: {name}").into()),
        None => Ok(()),
    }
}

/// The proof that this simulator sees lost writes: with disks that do not sync, some seed must report one.
fn lying_disks_are_noticed(range: Range) -> Result<(), Failed> {
    for seed in range.first..range.first + LYING_SEEDS {
        // A node may find its files broken and stop in any way.
        let Ok(outcome) = run(Wish { seed, seconds: range.seconds, lying: true }) else { continue };
        let found = outcome.broken;
        let of_loss = |complaint: &&String| ["Done", "acknowledged"].iter().any(|word| complaint.contains(word));
        if let Some(lost) = found.iter().find(of_loss) {
            println!("seed {seed}: {lost}");
            return Ok(());
        }
    }
    Err(format!("{LYING_SEEDS} seeds with lying disks, and no lost write was reported").into())
}

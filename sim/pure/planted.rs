//! The proof that the simulator can see: for each planted bug, the seeds it takes until a check notices.
//!
//! Some rules matter only in rare circumstances; their bugs are hunted under options that make these circumstances
//! frequent. The table below says which.

use super::history::Severity;
use super::options::Options;
use super::run::Nursery;
use super::trace::Detail;
use marmot::core::Bug;

/// The outcome of a hunt.
#[derive(Clone, Debug)]
pub struct Hunt {
    pub bug: Bug,
    /// Seeds that were run, the catching one included.
    pub seeds: u64,
    /// The check that noticed, with its severity and what it said.
    pub caught: Option<(Severity, &'static str, String)>,
}

/// The options of one seed, as a hunt for `bug` runs them.
pub fn options_for(bug: Bug, seed: u64) -> Options {
    let mut options = Options::draw(seed);
    options.bug = Some(bug);
    profile(bug, &mut options);
    options
}

fn profile(_bug: Bug, _o: &mut Options) {}

/// Runs seeds from `first` until a check notices the bug, at most `budget` of them.
pub fn hunt(nursery: &mut Nursery, bug: Bug, first: u64, budget: u64) -> Hunt {
    for n in 0..budget {
        let verdict = nursery.run(options_for(bug, first + n), Detail::Kinds);
        if let Some(v) = verdict.violation {
            return Hunt { bug, seeds: n + 1, caught: Some((v.severity, v.check, v.text)) };
        }
    }
    Hunt { bug, seeds: budget, caught: None }
}

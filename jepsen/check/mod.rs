//! The checkers, each a pure function from a history to what it shows. None knows which fault struck.
//!
//! | checker | what it finds |
//! |---|---|
//! | [`linearizable`] | no order of the operations on a register explains what was read |
//! | `elle`, shared with the simulator, through [`dependencies`] | G0, G1a, G1b, G1c, G-single, lost update, G2, long fork |
//! | [`elements`] | lost, resurrected and stale elements of sets |
//! | [`accounts`] | sums that are not constant, counters that lost an update, write skew, long forks |
//! | [`keys`] | unique values and generated ids that two rows share |
//! | [`progress`] | nodes that differ or refuse to write some time after healing |

pub mod accounts;
pub mod dependencies;
pub mod elements;
// The search itself is the simulator's.
#[path = "../../sim/pure/check/elle.rs"]
pub mod elle;
pub mod keys;
pub mod linearizable;
pub mod progress;

use crate::history::{End, Operation};
use std::collections::BTreeMap;

/// What a checker found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Broken promises, each a sentence.
    pub violations: Vec<String>,
    /// What is allowed but worth counting.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Report {
    pub fn broken(&mut self, what: String) {
        self.violations.push(what);
    }

    pub fn count(&mut self, what: &'static str, n: u64) {
        *self.counts.entry(what).or_default() += n;
    }

    pub fn merge(&mut self, other: Report) {
        self.violations.extend(other.violations);
        other.counts.into_iter().for_each(|(what, n)| self.count(what, n));
    }
}

/// How many operations ended how.
pub fn tally(history: &[Operation]) -> Report {
    let mut report = Report::default();
    for (name, end) in [("ok", End::Ok), ("failed", End::Fail), ("unknown", End::Info)] {
        report.count(name, history.iter().filter(|op| op.end == end).count() as u64);
    }
    report
}

#[cfg(test)]
pub fn clean(report: &Report) -> bool {
    report.violations.is_empty()
}

//! What clients attempted and what became of it: the evidence all checks judge.

use super::tables::Tag;
use marmot::core::ApplyTask;
use marmot::types::{Hlc, Stamp, TxnId, WriteLevel, WriteSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How bad, and so the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something that must end did not.
    Liveness,
    /// A node stopped or broke an invariant of its own.
    Crash,
    /// A promise was broken.
    Correctness,
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub severity: Severity,
    /// The check that saw it.
    pub check: &'static str,
    pub text: String,
}

impl Violation {
    pub fn correctness(check: &'static str, text: String) -> Violation {
        Violation { severity: Severity::Correctness, check, text }
    }
    pub fn liveness(check: &'static str, text: String) -> Violation {
        Violation { severity: Severity::Liveness, check, text }
    }
    pub fn crash(check: &'static str, text: String) -> Violation {
        Violation { severity: Severity::Crash, check, text }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}: {}: {}", self.severity, self.check, self.text)
    }
}

/// What the client knows of its attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Not answered yet.
    Open,
    Committed,
    /// The answer said that nothing changed.
    Refused,
    /// Unknown outcome, or the node or the client went away.
    Unknown,
}

/// One attempt to commit a write set.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub client: usize,
    pub machine: usize,
    pub level: WriteLevel,
    pub invoked: u64,
    pub known: Known,
    pub write_set: Arc<WriteSet>,
    pub reads: Vec<(u64, Vec<u32>)>,
    pub appends: Vec<(u64, u32)>,
    /// Seen applied somewhere, or acknowledged.
    pub fate: Option<(TxnId, Stamp)>,
    /// The commits acknowledged (QUORUM or ALL) before this one was invoked: how many of [`History::acknowledged`].
    pub after: usize,
}

/// Everything clients did in one run.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub attempts: Vec<Attempt>,
    /// QUORUM and ALL commits in the order of their acknowledgement.
    pub acknowledged: Vec<Tag>,
    /// Outcomes seen anywhere, by transaction.
    pub outcomes: BTreeMap<TxnId, Fate>,
    /// Who owns a stamp.
    pub stamps: BTreeMap<Stamp, TxnId>,
    /// Reads by read-only transactions: lists seen.
    pub looks: Vec<Vec<(u64, Vec<u32>)>>,
    /// Leased AUTO_INCREMENT ranges by first id: how many.
    pub leases: BTreeMap<u64, u32>,
}

/// A committed transaction as some node applied it.
#[derive(Clone, Debug)]
pub struct Fate {
    pub stamp: Stamp,
    pub write_set: Arc<WriteSet>,
    pub tag: Option<Tag>,
    pub machine: usize,
}

impl History {
    /// Notes an apply, and judges it against what is known of that transaction.
    pub fn applied(&mut self, machine: usize, task: &ApplyTask) -> Result<(), Violation> {
        if let Some(fate) = self.outcomes.get(&task.txn) {
            let same_set = Arc::ptr_eq(&fate.write_set, &task.write_set) || fate.write_set == task.write_set;
            if fate.stamp != task.stamp || !same_set {
                let text = format!(
                    "{} has stamp {} on machine {} and {} on machine {machine}{}",
                    task.txn,
                    fate.stamp,
                    fate.machine,
                    task.stamp,
                    if same_set { "" } else { ", with another write set" }
                );
                return Err(Violation::correctness("anytime_outcomes_agree", text));
            }
            if let Some(a) = fate.tag.and_then(|tag| self.attempts.get(tag as usize))
                && a.known == Known::Refused
            {
                return Err(refused_and_applied(task.txn, fate.tag, machine));
            }
            return Ok(());
        }
        let tag = super::tables::tag_of(&task.write_set);
        let fate = Fate { stamp: task.stamp, write_set: task.write_set.clone(), tag, machine };
        self.outcomes.insert(task.txn, fate);
        if let Some(other) = self.stamps.insert(task.stamp, task.txn) {
            let text = format!("{other} and {} share the stamp {}", task.txn, task.stamp);
            return Err(Violation::correctness("anytime_stamps_are_unique", text));
        }
        if task.stamp.hlc == Hlc::ZERO {
            return Err(Violation::correctness("anytime_stamps_are_real", format!("{} has no stamp", task.txn)));
        }
        let Some(attempt) = tag.and_then(|tag| self.attempts.get_mut(tag as usize)) else { return Ok(()) };
        if let Some((txn, _)) = attempt.fate
            && txn != task.txn
        {
            let text = format!("attempt #{tag:?} committed as {txn} and as {}", task.txn);
            return Err(Violation::correctness("anytime_applied_once", text));
        }
        attempt.fate = Some((task.txn, task.stamp));
        if attempt.known == Known::Refused {
            return Err(refused_and_applied(task.txn, tag, machine));
        }
        Ok(())
    }

    /// A lease of ids: no two may overlap.
    pub fn leased(&mut self, first: u64, count: u32) -> Result<(), Violation> {
        let end = first + u64::from(count);
        let before = self.leases.range(..end).next_back();
        if let Some((other, n)) = before
            && other + u64::from(*n) > first
        {
            let text = format!("ids {first}+{count} overlap {other}+{n}");
            return Err(Violation::correctness("anytime_auto_ids_are_unique", text));
        }
        self.leases.insert(first, count);
        Ok(())
    }
}

fn refused_and_applied(txn: TxnId, tag: Option<Tag>, machine: usize) -> Violation {
    let text = format!("{txn} (#{tag:?}) was refused to its client and is applied on machine {machine}");
    Violation::correctness("anytime_refusals_are_honest", text)
}

//! List-append histories, in Elle's form, judged by the search for dependency cycles that the simulator uses.

use super::Report;
use super::elle::{self, Anomaly, Transaction};
use crate::edn::Edn;
use crate::history::{End, Operation};
use std::collections::BTreeMap;

/// What reads promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// A snapshot of the node's own file.
    Local,
    /// Everything acknowledged before.
    Quorum,
}

/// One step of a transaction, `[:r key list]` or `[:append key element]`.
enum Step {
    Read(i64, Option<Vec<i64>>),
    Append(i64, i64),
}

fn steps(value: &Edn) -> Vec<Step> {
    let step = |item: &Edn| match item.items() {
        [f, key, Edn::Nil] if f.text() == Some("r") => Some(Step::Read(key.int()?, None)),
        [f, key, list] if f.text() == Some("r") => Some(Step::Read(key.int()?, Some(list.ints()))),
        [f, key, element] if f.text() == Some("append") => Some(Step::Append(key.int()?, element.int()?)),
        _ => None,
    };
    value.items().iter().filter_map(step).collect()
}

/// Judges transactions whose `:f` is `:txn`.
pub fn judge(history: &[Operation], reads: Reads) -> Report {
    let mut report = Report::default();
    let operations: Vec<&Operation> = history.iter().filter(|op| op.is("txn")).collect();
    let transactions: Vec<Transaction> = operations.iter().map(|op| transaction(op, &mut report)).collect();
    for finding in elle::judge(&transactions) {
        let fork = finding.anomaly == Anomaly::LongFork;
        let allowed = finding.anomaly.is_allowed() && !(fork && reads == Reads::Quorum);
        report.count(finding.anomaly.name(), 1);
        if !allowed {
            let shown = finding.transactions.iter().take(6).map(|t| describe(operations[*t]));
            let shown: Vec<String> = shown.collect();
            report.broken(format!("{}: {}", finding.anomaly.name(), shown.join(" / ")));
        }
    }
    if reads == Reads::Quorum {
        stale_reads(&operations, &transactions, &mut report);
    }
    report
}

fn describe(op: &Operation) -> String {
    let ms = |ns: u64| ns / 1_000_000;
    format!("process {} node {} {}..{} ms {}", op.process, op.node + 1, ms(op.called), ms(op.returned), op.result)
}

/// Elle's form has reads before appends. What is read after own appends is what was there before and then these.
fn transaction(op: &Operation, report: &mut Report) -> Transaction {
    let end = match op.end {
        End::Ok => elle::End::Committed,
        End::Fail => elle::End::Aborted,
        End::Info => elle::End::Unknown,
    };
    let mut reads: Vec<(u64, Vec<u32>)> = Vec::new();
    let mut appends: Vec<(u64, u32)> = Vec::new();
    let mut first: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for step in steps(&op.result) {
        match step {
            Step::Append(key, element) => appends.push((key as u64, element as u32)),
            Step::Read(_, None) => {}
            Step::Read(key, Some(list)) => {
                let own: Vec<i64> = appends.iter().filter(|(k, _)| *k == key as u64).map(|(_, e)| *e as i64).collect();
                let Some(before) = list.strip_suffix(own.as_slice()) else {
                    if op.is_ok() {
                        report.broken(format!("a transaction does not see its own appends: {}", describe(op)));
                    }
                    continue;
                };
                let earlier = first.entry(key).or_insert_with(|| before.to_vec());
                if earlier != before && op.is_ok() {
                    report.broken(format!("two reads of one snapshot differ: {}", describe(op)));
                }
                reads.push((key as u64, before.iter().map(|e| *e as u32).collect()));
            }
        }
    }
    Transaction { end, reads, appends }
}

/// A QUORUM read sees every append that was acknowledged before the transaction began.
fn stale_reads(operations: &[&Operation], transactions: &[Transaction], report: &mut Report) {
    let mut acknowledged: BTreeMap<u64, Vec<(u64, u32)>> = BTreeMap::new();
    for (op, transaction) in operations.iter().zip(transactions).filter(|(op, _)| op.is_ok()) {
        for (key, element) in &transaction.appends {
            acknowledged.entry(*key).or_default().push((op.returned, *element));
        }
    }
    for (op, transaction) in operations.iter().zip(transactions).filter(|(op, _)| op.is_ok()) {
        for (key, list) in &transaction.reads {
            let due = acknowledged.get(key).into_iter().flatten().filter(|(at, _)| *at < op.called);
            let missed: Vec<u32> = due.map(|(_, element)| *element).filter(|e| !list.contains(e)).collect();
            if !missed.is_empty() {
                report.broken(format!("a QUORUM read of list {key} misses {missed:?}: {}", describe(op)));
            }
        }
    }
}

/// The value of a step, for those who make transactions.
pub fn read(key: i64, list: Option<Vec<i64>>) -> Edn {
    let list = list.map_or(Edn::Nil, |list| list.into_iter().collect());
    Edn::Vector(vec![Edn::keyword("r"), key.into(), list])
}

pub fn append(key: i64, element: i64) -> Edn {
    Edn::Vector(vec![Edn::keyword("append"), key.into(), element.into()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::clean;
    use crate::history::testing::op;

    fn txn(steps: Vec<Edn>, span: (u64, u64), end: End) -> Operation {
        op("txn", Edn::Vector(steps), span, end)
    }

    fn broken(history: &[Operation], reads: Reads) -> String {
        judge(history, reads).violations.join("; ")
    }

    #[test]
    fn a_serial_history_is_clean() {
        let history = [
            txn(vec![append(1, 1), read(1, Some(vec![1]))], (0, 1), End::Ok),
            txn(vec![read(1, Some(vec![1])), append(1, 2), read(1, Some(vec![1, 2]))], (2, 3), End::Ok),
        ];
        assert!(clean(&judge(&history, Reads::Quorum)), "{:?}", judge(&history, Reads::Quorum));
    }

    #[test]
    fn a_lost_update_is_named() {
        let history = [
            txn(vec![read(1, Some(vec![])), append(1, 1)], (0, 5), End::Ok),
            txn(vec![read(1, Some(vec![])), append(1, 2)], (0, 5), End::Ok),
        ];
        assert!(broken(&history, Reads::Local).contains("lost-update"));
    }

    #[test]
    fn what_failed_must_not_be_read_and_what_is_unknown_may() {
        let read = txn(vec![read(1, Some(vec![1]))], (2, 3), End::Ok);
        let failed = [txn(vec![append(1, 1)], (0, 1), End::Fail), read.clone()];
        assert!(broken(&failed, Reads::Local).contains("G1a"));
        let unknown = [txn(vec![append(1, 1)], (0, 1), End::Info), read];
        assert!(clean(&judge(&unknown, Reads::Quorum)));
    }

    #[test]
    fn a_stale_read_is_for_quorum_a_violation_and_locally_not() {
        let history = [txn(vec![append(1, 1)], (0, 1), End::Ok), txn(vec![read(1, Some(vec![]))], (2, 3), End::Ok)];
        assert!(broken(&history, Reads::Quorum).contains("misses [1]"));
        assert!(clean(&judge(&history, Reads::Local)));
    }

    #[test]
    fn write_skew_is_counted_and_a_long_fork_only_locally() {
        let both = |own| vec![read(1, Some(vec![])), read(2, Some(vec![])), append(own, 1)];
        let after = txn(vec![read(1, Some(vec![1])), read(2, Some(vec![1]))], (9, 10), End::Ok);
        let skew = [txn(both(1), (0, 5), End::Ok), txn(both(2), (0, 5), End::Ok), after];
        let report = judge(&skew, Reads::Quorum);
        assert!(clean(&report), "{report:?}");
        assert_eq!(report.counts.get("G2"), Some(&1));
        let fork = [
            txn(vec![append(1, 1)], (0, 9), End::Ok),
            txn(vec![append(2, 1)], (0, 9), End::Ok),
            txn(vec![read(1, Some(vec![1])), read(2, Some(vec![]))], (1, 9), End::Ok),
            txn(vec![read(1, Some(vec![])), read(2, Some(vec![1]))], (1, 9), End::Ok),
        ];
        assert!(clean(&judge(&fork, Reads::Local)));
        assert!(broken(&fork, Reads::Quorum).contains("long-fork"));
    }

    #[test]
    fn own_appends_must_be_seen() {
        let history = [txn(vec![append(1, 1), read(1, Some(vec![]))], (0, 1), End::Ok)];
        assert!(broken(&history, Reads::Local).contains("its own appends"));
    }

    #[test]
    fn one_snapshot_does_not_change() {
        let history = [
            txn(vec![append(1, 1)], (0, 9), End::Ok),
            txn(vec![read(1, Some(vec![])), read(1, Some(vec![1]))], (0, 9), End::Ok),
        ];
        assert!(broken(&history, Reads::Local).contains("differ"));
    }
}

//! Sets of elements that are added once and removed at most once: `:add` and `:remove` of an element or several, reads of one
//! part of the set at a time, in the end `:final`, all of it, on each node.

use super::Report;
use crate::history::Operation;
use std::collections::{BTreeMap, BTreeSet};

/// Elements of one part: a read asks for the elements from `part * PART` on.
pub const PART: i64 = 200;

/// What is known of one element.
#[derive(Default)]
struct Life {
    add: Option<(u64, u64)>,
    added: bool,
    may_be_added: bool,
    /// When a removal was called; whether one was acknowledged, and when.
    removing: Option<u64>,
    removed: Option<u64>,
}

/// Which `:read`s must see what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sees {
    /// Everything acknowledged before, anywhere.
    Everything,
    /// Everything acknowledged before by the same node.
    SameNode,
}

/// Judges a history of one set.
pub fn judge(history: &[Operation]) -> Report {
    let mut report = Report::default();
    let lives = lives(history);
    for op in history.iter().filter(|op| op.is_ok() && op.is("final")) {
        let found: BTreeSet<i64> = op.result.ints().into_iter().collect();
        let mut lost = Vec::new();
        let mut risen = Vec::new();
        let mut from_nowhere = Vec::new();
        for (element, life) in &lives {
            let present = found.contains(element);
            if life.added && life.removing.is_none() && !present {
                lost.push(*element);
            }
            if life.removed.is_some() && present {
                risen.push(*element);
            }
            if !life.may_be_added && present {
                from_nowhere.push(*element);
            }
        }
        from_nowhere.extend(found.iter().filter(|element| !lives.contains_key(element)));
        let kinds = [("lost", lost), ("resurrected", risen), ("never added, or refused", from_nowhere)];
        for (what, elements) in kinds.iter().filter(|(_, elements)| !elements.is_empty()) {
            let few = &elements[..elements.len().min(8)];
            report.broken(format!("{} {what} on node {}: {few:?}", elements.len(), op.node + 1));
        }
        if found.len() != op.result.items().len() {
            report.broken(format!("an element is twice in the set of node {}", op.node + 1));
        }
    }
    let last = history.iter().rfind(|op| op.is_ok() && op.is("final"));
    let found: BTreeSet<i64> = last.map(|op| op.result.ints().into_iter().collect()).unwrap_or_default();
    for (element, life) in lives.iter().filter(|(_, life)| life.may_be_added && !life.added) {
        let happened = found.contains(element) || life.removing.is_some();
        report.count(if happened { "unknown that happened" } else { "unknown that did not" }, 1);
    }
    report
}

fn lives(history: &[Operation]) -> BTreeMap<i64, Life> {
    let mut lives: BTreeMap<i64, Life> = BTreeMap::new();
    for op in history {
        let elements = match op.call.int() {
            Some(element) => vec![element],
            None => op.call.ints(),
        };
        for element in elements {
            if op.is("add") {
                let life = lives.entry(element).or_default();
                life.add = Some((op.called, op.returned));
                life.added = op.is_ok();
                life.may_be_added = op.may_be();
            } else if op.is("remove") && op.may_be() {
                let life = lives.entry(element).or_default();
                life.removing = Some(life.removing.map_or(op.called, |at| at.min(op.called)));
                if op.is_ok() {
                    life.removed = Some(op.returned);
                }
            }
        }
    }
    lives
}

/// Judges the reads named `f`, of the part that `:value` of the call says, while the load runs.
pub fn judge_reads(history: &[Operation], f: &str, sees: Sees) -> Report {
    let mut report = Report::default();
    let lives = lives(history);
    let nodes: BTreeMap<i64, usize> = history
        .iter()
        .filter(|op| op.is("add"))
        .flat_map(|op| {
            let elements = op.call.int().map_or_else(|| op.call.ints(), |element| vec![element]);
            elements.into_iter().map(|element| (element, op.node))
        })
        .collect();
    for op in history.iter().filter(|op| op.is_ok() && op.is(f)) {
        let found: BTreeSet<i64> = op.result.ints().into_iter().collect();
        let mut missed = Vec::new();
        let mut risen = Vec::new();
        let part = op.call.int();
        for (element, life) in lives.iter().filter(|(element, _)| part.is_none_or(|part| **element / PART == part)) {
            let here = sees == Sees::Everything || nodes.get(element) == Some(&op.node);
            let due = life.added && life.add.is_some_and(|(_, at)| at < op.called);
            let unremoved = life.removing.is_none_or(|at| at > op.returned);
            if here && due && unremoved && !found.contains(element) {
                missed.push(*element);
            }
            let gone = sees == Sees::Everything && life.removed.is_some_and(|at| at < op.called);
            if found.contains(element) && (gone || !life.may_be_added) {
                risen.push(*element);
            }
        }
        for (what, elements) in [("misses", missed), ("sees what is gone or was refused:", risen)] {
            if !elements.is_empty() {
                let (at, few) = (op.called / 1_000_000, &elements[..elements.len().min(8)]);
                report.broken(format!(
                    "{f} on node {} at {at} ms {what} {} elements: {few:?}",
                    op.node + 1,
                    elements.len()
                ));
            }
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::clean;
    use crate::edn::Edn;
    use crate::history::End;
    use crate::history::testing::op;

    fn set(elements: &[i64]) -> Edn {
        elements.iter().copied().collect()
    }

    fn read(elements: &[i64], span: (u64, u64)) -> Operation {
        Operation { call: 0.into(), ..op("read", set(elements), span, End::Ok) }
    }

    fn broken(history: &[Operation]) -> String {
        judge(history).violations.join("; ")
    }

    #[test]
    fn what_was_added_and_kept_is_clean() {
        let history = [
            op("add", 1, (0, 1), End::Ok),
            op("add", 2, (0, 1), End::Info),
            op("add", set(&[3, 4]), (0, 1), End::Ok),
            op("remove", 3, (2, 3), End::Ok),
            op("final", set(&[1, 2, 4]), (8, 9), End::Ok),
        ];
        let report = judge(&history);
        assert!(clean(&report), "{report:?}");
        assert_eq!(report.counts.get("unknown that happened"), Some(&1));
    }

    #[test]
    fn a_lost_element_is_found() {
        let history = [op("add", 1, (0, 1), End::Ok), op("final", set(&[]), (8, 9), End::Ok)];
        assert!(broken(&history).contains("1 lost"));
    }

    #[test]
    fn half_a_transaction_is_found() {
        let history = [op("add", set(&[1, 2]), (0, 1), End::Ok), op("final", set(&[1]), (8, 9), End::Ok)];
        assert!(broken(&history).contains("1 lost on node 1: [2]"));
    }

    #[test]
    fn a_resurrected_element_is_found() {
        let history =
            [op("add", 1, (0, 1), End::Ok), op("remove", 1, (2, 3), End::Ok), op("final", set(&[1]), (8, 9), End::Ok)];
        assert!(broken(&history).contains("1 resurrected"));
    }

    #[test]
    fn a_refused_element_must_not_be_there() {
        let history = [op("add", 1, (0, 1), End::Fail), op("final", set(&[1]), (8, 9), End::Ok)];
        assert!(broken(&history).contains("refused"));
    }

    #[test]
    fn an_element_from_nowhere_or_twice_is_found() {
        assert!(broken(&[op("final", set(&[5]), (8, 9), End::Ok)]).contains("never added"));
        let twice = [op("add", 1, (0, 1), End::Ok), op("final", set(&[1, 1]), (8, 9), End::Ok)];
        assert!(broken(&twice).contains("twice"));
    }

    #[test]
    fn stale_reads_are_found() {
        let mut history = vec![op("add", 1, (0, 1), End::Ok), read(&[], (2, 3))];
        assert!(!clean(&judge_reads(&history, "read", Sees::Everything)));
        assert!(!clean(&judge_reads(&history, "read", Sees::SameNode)));
        history[1].node = 1;
        assert!(clean(&judge_reads(&history, "read", Sees::SameNode)), "another node may be behind");
        history[1].called = 0;
        assert!(clean(&judge_reads(&history, "read", Sees::Everything)), "it was under way at the same time");
    }

    #[test]
    fn reading_what_was_removed_is_found() {
        let history = [op("add", 1, (0, 1), End::Ok), op("remove", 1, (2, 3), End::Ok), read(&[1], (4, 5))];
        assert!(!clean(&judge_reads(&history, "read", Sees::Everything)));
    }
}

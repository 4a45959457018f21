//! Unique values and generated ids: nobody shares them.

use super::Report;
use crate::history::{End, Operation};
use std::collections::{BTreeMap, BTreeSet};

/// What MySQL says to whom comes second: duplicate entry, table, column.
const TAKEN: [&str; 3] = ["1062", "1050", "1060"];

/// `:claim [name id]` inserts a row `id` with the unique value `name`, or makes a table or column of that name; the error says
/// whether it was refused as a duplicate. `:final-claims [[name id] ...]`.
pub fn claims(history: &[Operation]) -> Report {
    let mut report = Report::default();
    let mut owners: BTreeMap<i64, i64> = BTreeMap::new();
    let mut refused: BTreeSet<i64> = BTreeSet::new();
    let mut first_call: BTreeMap<i64, u64> = BTreeMap::new();
    let claims: Vec<(&Operation, i64, i64)> = history
        .iter()
        .filter(|op| op.is("claim"))
        .filter_map(|op| op.call.pair().map(|(name, id)| (op, name, id)))
        .collect();
    for (op, name, id) in &claims {
        if op.is_ok()
            && let Some(other) = owners.insert(*name, *id)
        {
            report.broken(format!("value {name} was granted to rows {other} and {id}"));
        }
        if op.end == End::Fail {
            refused.insert(*id);
        }
    }
    // Whoever is refused as a duplicate had a rival that was called before the answer.
    for (op, name, _) in claims.iter().filter(|(op, ..)| op.may_be()) {
        let at = first_call.entry(*name).or_insert(op.called);
        *at = (*at).min(op.called);
    }
    for (op, name, id) in &claims {
        let duplicate = op.error.as_ref().is_some_and(|error| TAKEN.iter().any(|code| error.starts_with(code)));
        if duplicate && first_call.get(name).is_none_or(|at| *at > op.returned) {
            report.broken(format!("row {id} was refused as a duplicate of value {name}, which nobody had claimed"));
        }
    }
    for op in history.iter().filter(|op| op.is_ok() && op.is("final-claims")) {
        let rows: Vec<(i64, i64)> = op.result.items().iter().filter_map(|row| row.pair()).collect();
        let mut held: BTreeMap<i64, i64> = BTreeMap::new();
        for (name, id) in &rows {
            if let Some(other) = held.insert(*name, *id) {
                report.broken(format!("node {}: rows {other} and {id} share value {name}", op.node + 1));
            }
            if refused.contains(id) {
                report.broken(format!("node {}: row {id} was refused and is there", op.node + 1));
            }
        }
        for (name, id) in &owners {
            if held.get(name) != Some(id) {
                report.broken(format!("node {}: value {name} was granted to row {id}, which is gone", op.node + 1));
            }
        }
    }
    report
}

/// `:insert token` answers `[token id]` with the id that the server made; `:final [[id token] ...]`.
pub fn generated(history: &[Operation]) -> Report {
    let mut report = Report::default();
    let mut by_id: BTreeMap<i64, i64> = BTreeMap::new();
    let mut refused: BTreeSet<i64> = BTreeSet::new();
    for op in history.iter().filter(|op| op.is("insert")) {
        match op.end {
            End::Ok => {
                let Some((token, id)) = op.result.pair() else { continue };
                if let Some(other) = by_id.insert(id, token) {
                    report.broken(format!("id {id} was given to {other} and to {token}"));
                }
            }
            End::Fail => drop(op.call.int().map(|token| refused.insert(token))),
            End::Info => {}
        }
    }
    for op in history.iter().filter(|op| op.is_ok() && op.is("final")) {
        let rows: BTreeMap<i64, i64> = op.result.items().iter().filter_map(|row| row.pair()).collect();
        for (id, token) in &by_id {
            if rows.get(id) != Some(token) {
                let now = rows.get(id);
                report.broken(format!("node {}: id {id} is acknowledged for {token}, not {now:?}", op.node + 1));
            }
        }
        let tokens: BTreeSet<&i64> = rows.values().collect();
        if tokens.len() != rows.len() {
            report.broken(format!("node {}: a row was inserted twice", op.node + 1));
        }
        let risen: Vec<&&i64> = tokens.iter().filter(|token| refused.contains(token)).take(8).collect();
        if !risen.is_empty() {
            report.broken(format!("node {}: refused rows are there: {risen:?}", op.node + 1));
        }
    }
    report
}

/// Parents and children: `:orphans [[child parent] ...]` are the children without their parent on a node.
pub fn orphans(history: &[Operation]) -> Report {
    let mut report = Report::default();
    for op in history.iter().filter(|op| op.is_ok() && op.is("orphans")) {
        let orphans: Vec<(i64, i64)> = op.result.items().iter().filter_map(|row| row.pair()).collect();
        if !orphans.is_empty() {
            let few = &orphans[..orphans.len().min(8)];
            report.broken(format!("node {}: {} children without their parent: {few:?}", op.node + 1, orphans.len()));
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::clean;
    use crate::edn::Edn;
    use crate::history::testing::op;

    fn rows(rows: &[(i64, i64)]) -> Edn {
        rows.iter().copied().collect()
    }

    fn with_error(mut operation: Operation, error: &str) -> Operation {
        operation.error = Some(error.to_string());
        operation
    }

    #[test]
    fn one_owner_a_value_is_clean() {
        let history = [
            op("claim", (7, 1), (0, 5), End::Ok),
            with_error(op("claim", (7, 2), (1, 6), End::Fail), "1062 Duplicate"),
            op("final-claims", rows(&[(7, 1)]), (8, 9), End::Ok),
        ];
        assert!(clean(&claims(&history)), "{:?}", claims(&history));
    }

    #[test]
    fn two_owners_are_found_when_granted_and_when_stored() {
        let granted = [op("claim", (7, 1), (0, 1), End::Ok), op("claim", (7, 2), (0, 1), End::Ok)];
        assert!(!clean(&claims(&granted)));
        let stored = [
            op("claim", (7, 1), (0, 1), End::Ok),
            op("claim", (7, 2), (0, 1), End::Info),
            op("final-claims", rows(&[(7, 1), (7, 2)]), (8, 9), End::Ok),
        ];
        assert!(!clean(&claims(&stored)));
    }

    #[test]
    fn a_lost_owner_a_risen_one_and_a_false_duplicate_are_found() {
        let lost = [op("claim", (7, 1), (0, 1), End::Ok), op("final-claims", rows(&[]), (8, 9), End::Ok)];
        assert!(!clean(&claims(&lost)));
        let risen = [op("claim", (7, 1), (0, 1), End::Fail), op("final-claims", rows(&[(7, 1)]), (8, 9), End::Ok)];
        assert!(!clean(&claims(&risen)));
        let alone = [with_error(op("claim", (7, 1), (0, 1), End::Fail), "1062 Duplicate")];
        assert!(!clean(&claims(&alone)));
    }

    fn insert(token: i64, id: i64) -> Operation {
        Operation { result: (token, id).into(), ..op("insert", token, (0, 1), End::Ok) }
    }

    #[test]
    fn ids_given_twice_are_found() {
        assert!(!clean(&generated(&[insert(1, 10), insert(2, 10)])));
        assert!(clean(&generated(&[
            insert(1, 10),
            insert(2, 11),
            op("final", rows(&[(10, 1), (11, 2)]), (8, 9), End::Ok)
        ])));
    }

    #[test]
    fn lost_doubled_and_refused_rows_are_found() {
        assert!(!clean(&generated(&[insert(1, 10), op("final", rows(&[]), (8, 9), End::Ok)])));
        assert!(!clean(&generated(&[insert(1, 10), op("final", rows(&[(10, 1), (11, 1)]), (8, 9), End::Ok)])));
        let refused = [op("insert", 1, (0, 1), End::Fail), op("final", rows(&[(10, 1)]), (8, 9), End::Ok)];
        assert!(!clean(&generated(&refused)));
    }

    #[test]
    fn orphans_are_found() {
        assert!(clean(&orphans(&[op("orphans", rows(&[]), (8, 9), End::Ok)])));
        assert!(!clean(&orphans(&[op("orphans", rows(&[(1, 2)]), (8, 9), End::Ok)])));
    }
}

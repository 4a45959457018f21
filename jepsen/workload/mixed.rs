//! `ONE` and `QUORUM` writers on the same tables: what each was promised holds beside the other.

use super::{Turn, Workload, done, pairs};
use crate::check::{Report, elements};
use crate::edn::Edn;
use crate::history::{End, NEMESIS, Operation};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};

const SHARED: i64 = 6;

#[derive(Default)]
pub struct Mixed {
    elements: AtomicI64,
    values: AtomicI64,
}

/// How the words begin that tell that a node was removed, and with it what only its disk had.
pub const REMOVED: &str = "removed";

impl Workload for Mixed {
    fn name(&self) -> &'static str {
        "mixed"
    }

    fn about(&self) -> &'static str {
        "ONE and QUORUM writers on the same rows; inserts of both survive, shared rows converge on a value somebody wrote"
    }

    fn schema(&self) -> Vec<String> {
        let rows: Vec<String> = (0..SHARED).map(|id| format!("({id}, 0)")).collect();
        vec![
            "CREATE TABLE own (id BIGINT PRIMARY KEY)".into(),
            "CREATE TABLE shared (id INT PRIMARY KEY, v BIGINT NOT NULL)".into(),
            format!("INSERT INTO shared (id, v) VALUES {}", rows.join(", ")),
        ]
    }

    fn clients_per_node(&self) -> usize {
        2
    }

    fn greeting(&self, client: usize) -> Vec<&'static str> {
        if client.is_multiple_of(2) { Vec::new() } else { vec!["SET marmot_write_consistency = 'ONE'"] }
    }

    fn step(&self, turn: &mut Turn) {
        let one = turn.client % 2 == 1;
        if turn.dice.random_bool(0.6) {
            let element = self.elements.fetch_add(1, Ordering::Relaxed);
            let sql = format!("INSERT INTO own (id) VALUES ({element})");
            turn.act(if one { "add-one" } else { "add" }, element, |session| done(session.autocommit(&sql)));
        } else {
            let row = turn.dice.random_range(0..SHARED);
            let value = self.values.fetch_add(1, Ordering::Relaxed) + 1;
            let sql = format!("UPDATE shared SET v = {value} WHERE id = {row}");
            turn.act("write", (row, value), |session| done(session.autocommit(&sql)));
        }
    }

    fn finish(&self, turn: &mut Turn) {
        turn.act("final", Edn::Nil, |session| Ok(session.ints("SELECT id FROM own")?.into_iter().collect()));
        turn.act("final-shared", Edn::Nil, |session| pairs(session, "SELECT id, v FROM shared"));
    }

    fn check(&self, history: &[Operation]) -> Report {
        check(history)
    }
}

fn check(history: &[Operation]) -> Report {
    // ONE trusts one disk: what only a removed node had is gone, rightly.
    let removes =
        |op: &Operation| op.process == NEMESIS && op.call.text().is_some_and(|what| what.starts_with(REMOVED));
    let removed = history.iter().any(removes);
    let as_adds: Vec<Operation> = history
        .iter()
        .map(|op| match op.f.as_str() {
            "add-one" if removed && op.is_ok() => Operation { f: "add".into(), end: End::Info, ..op.clone() },
            "add-one" => Operation { f: "add".into(), ..op.clone() },
            _ => op.clone(),
        })
        .collect();
    let mut report = elements::judge(&as_adds);
    let mut written: BTreeMap<i64, BTreeSet<i64>> = (0..SHARED).map(|row| (row, [0].into())).collect();
    for (row, value) in history.iter().filter(|op| op.is("write") && op.may_be()).filter_map(|op| op.call.pair()) {
        written.entry(row).or_default().insert(value);
    }
    for op in history.iter().filter(|op| op.is_ok() && op.is("final-shared")) {
        for (row, value) in op.result.items().iter().filter_map(|pair| pair.pair()) {
            if !written.get(&row).is_some_and(|values| values.contains(&value)) {
                report.broken(format!("node {}: row {row} has {value}, which nobody wrote", op.node + 1));
            }
        }
        if op.result.items().len() != SHARED as usize {
            report.broken(format!(
                "node {}: of {SHARED} shared rows {} are left",
                op.node + 1,
                op.result.items().len()
            ));
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::clean;
    use crate::history::testing::op;

    fn shared(value: i64) -> Operation {
        let rows: Edn = (0..SHARED).map(|row| (row, if row == 0 { value } else { 0 })).collect();
        op("final-shared", rows, (8, 9), End::Ok)
    }

    #[test]
    fn a_value_nobody_wrote_is_found() {
        let write = |end| op("write", (0, 5), (0, 1), end);
        assert!(clean(&check(&[write(End::Ok), shared(5)])));
        assert!(clean(&check(&[write(End::Info), shared(5)])));
        assert!(!clean(&check(&[write(End::Fail), shared(5)])));
        assert!(!clean(&check(&[shared(7)])));
    }

    #[test]
    fn a_lost_insert_is_found_at_both_levels() {
        let none = op("final", Edn::Vector(vec![]), (8, 9), End::Ok);
        assert!(!clean(&check(&[op("add", 1, (0, 1), End::Ok), none.clone()])));
        assert!(!clean(&check(&[op("add-one", 1, (0, 1), End::Ok), none.clone()])));
        let removal = Operation { process: NEMESIS, ..op("membership", "removed node 2", (2, 3), End::Info) };
        assert!(clean(&check(&[op("add-one", 1, (0, 1), End::Ok), removal.clone(), none.clone()])));
        assert!(!clean(&check(&[op("add", 1, (0, 1), End::Ok), removal, none])), "QUORUM survives a removal");
    }
}

//! Rows as registers: written, read with `QUORUM`, compared and set. Must be linearizable, each row by itself.

use super::{Turn, Workload, done};
use crate::check::Report;
use crate::check::linearizable::{self, Action, Step, Verdict};
use crate::edn::Edn;
use crate::history::{End, Operation};
use crate::session::{Session, Trouble};
use rand::RngExt;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};

/// Rows at a time, and operations until others take their place: long histories of one row take long to judge.
const ROWS: i64 = 4;
const OPERATIONS: i64 = 500;

#[derive(Default)]
pub struct Register {
    operations: AtomicI64,
    values: AtomicI64,
}

fn read(session: &mut Session, row: i64) -> Result<i64, Trouble> {
    Ok(session.ints(&format!("SELECT v FROM r WHERE id = {row}"))?.first().copied().unwrap_or(0))
}

fn write(row: i64, value: i64) -> String {
    format!("INSERT INTO r (id, v) VALUES ({row}, {value}) ON DUPLICATE KEY UPDATE v = {value}")
}

/// `[row value]` and `[row [from to]]`.
fn value(row: i64, value: impl Into<Edn>) -> Edn {
    Edn::Vector(vec![row.into(), value.into()])
}

impl Workload for Register {
    fn name(&self) -> &'static str {
        "register"
    }

    fn about(&self) -> &'static str {
        "single rows read with QUORUM, written, compared and set: linearizable"
    }

    fn schema(&self) -> Vec<String> {
        vec!["CREATE TABLE r (id BIGINT PRIMARY KEY, v BIGINT NOT NULL)".into()]
    }

    fn clients_per_node(&self) -> usize {
        2
    }

    fn greeting(&self, _: usize) -> Vec<&'static str> {
        vec!["SET marmot_read_consistency = 'QUORUM'"]
    }

    fn step(&self, turn: &mut Turn) {
        let generation = self.operations.fetch_add(1, Ordering::Relaxed) / OPERATIONS;
        let row = generation * ROWS + turn.dice.random_range(0..ROWS);
        let new = self.values.fetch_add(1, Ordering::Relaxed) + 1;
        match turn.dice.random_range(0..10) {
            0..5 => drop(turn.act("read", value(row, Edn::Nil), |session| Ok(value(row, read(session, row)?)))),
            5..7 => drop(turn.act("write", value(row, new), |session| done(session.autocommit(&write(row, new))))),
            7..9 => {
                let seen = turn.act("read", value(row, Edn::Nil), |session| Ok(value(row, read(session, row)?)));
                let Some((_, old)) = seen.and_then(|seen| seen.pair()) else { return };
                let sql = format!("UPDATE r SET v = {new} WHERE id = {row} AND v = {old}");
                turn.act("cas", value(row, (old, new)), |session| match session.autocommit(&sql)?.affected {
                    0 => Err(Trouble::own("another value")),
                    _ => Ok(Edn::Nil),
                });
            }
            // The same by a transaction: what it found is known only when it is done.
            _ => drop(turn.act("cas", value(row, (Edn::Nil, new)), |session| {
                session.transaction(|session| {
                    let old = read(session, row)?;
                    session.autocommit(&write(row, new))?;
                    Ok(value(row, (old, new)))
                })
            })),
        }
    }

    fn finish(&self, _: &mut Turn) {}

    fn check(&self, history: &[Operation]) -> Report {
        check(history)
    }
}

fn check(history: &[Operation]) -> Report {
    let mut report = Report::default();
    let mut rows: BTreeMap<i64, (Vec<Step>, Vec<&Operation>)> = BTreeMap::new();
    for op in history {
        if let Some((row, action)) = action(op)
            && op.may_be()
        {
            let (steps, operations) = rows.entry(row).or_default();
            steps.push(Step { action, called: op.called, returned: op.is_ok().then_some(op.returned) });
            operations.push(op);
        }
    }
    for (row, (steps, operations)) in &rows {
        match linearizable::judge(steps) {
            Verdict::Linearizable => {}
            Verdict::GaveUp => report.count("rows too long to judge", 1),
            Verdict::Not { stuck } => {
                let op = operations[stuck];
                let at = op.called / 1_000_000;
                report.broken(format!(
                    "row {row} is not linearizable: no order explains {} {} of process {} on node {} at {at} ms",
                    op.f,
                    op.result,
                    op.process,
                    op.node + 1
                ));
            }
        }
    }
    report
}

/// What an operation did, if it did it.
fn action(op: &Operation) -> Option<(i64, Action)> {
    let [row, value] = op.result.items() else { return None };
    let action = match op.f.as_str() {
        "read" if op.end == End::Ok => Action::Read(value.int()?),
        "write" => Action::Write(value.int()?),
        "cas" => match value.items() {
            [Edn::Int(old), Edn::Int(new)] => Action::Swap(*old, *new),
            // What it found is not known: whatever it found, it wrote.
            [Edn::Nil, Edn::Int(new)] => Action::Write(*new),
            _ => return None,
        },
        _ => return None,
    };
    Some((row.int()?, action))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::clean;
    use crate::history::testing::op;

    #[test]
    fn rows_are_judged_one_by_one() {
        let mut history = vec![
            op("write", value(1, 5), (0, 1), End::Ok),
            op("read", value(2, 0), (2, 3), End::Ok),
            op("cas", value(1, (5, 6)), (4, 5), End::Ok),
            op("read", value(1, 6), (6, 7), End::Ok),
        ];
        assert!(clean(&check(&history)), "{:?}", check(&history));
        history.push(op("read", value(1, 5), (8, 9), End::Ok));
        assert!(check(&history).violations[0].contains("row 1"));
    }

    #[test]
    fn what_failed_must_not_be_read() {
        let history = [op("write", value(1, 5), (0, 1), End::Fail), op("read", value(1, 5), (2, 3), End::Ok)];
        assert!(!clean(&check(&history)));
    }

    #[test]
    fn an_unknown_transaction_may_have_written() {
        let history = [op("cas", value(1, (Edn::Nil, 5)), (0, 1), End::Info), op("read", value(1, 5), (2, 3), End::Ok)];
        assert!(clean(&check(&history)));
    }
}

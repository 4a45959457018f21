//! `finally_*`: nodes that have exchanged everything are equal, and nothing acknowledged is missing.

use crate::pure::files::View;
use crate::pure::history::{Attempt, Known, Violation};
use crate::pure::marks::Mark;
use crate::pure::tables::{DATA, Name, int};
use crate::pure::world::World;
use marmot::core::Table;
use marmot::types::{Value, WriteLevel};

impl World {
    /// Judges the end of the run: rows, vectors, durability, counters, unknown outcomes.
    pub fn check_convergence(&mut self) {
        let members: Vec<usize> = (0..self.machines.len()).filter(|m| self.machines[*m].counts()).collect();
        let Some(first) = members.first().copied() else { return };
        for m in &members[1..] {
            if let Some(text) = self.difference(first, *m) {
                return self.broken(Violation::correctness("finally_nodes_are_equal", text));
            }
        }
        if let Some(text) = self.vectors_differ(&members) {
            return self.broken(Violation::liveness("finally_vectors_are_equal", text));
        }
        let log = |m: usize| self.machines[m].disk.entries(Table::Conflict);
        let unequal = members.iter().find(|m| log(first).ne(log(**m)));
        // Old ones go at another moment on each node.
        if let Some(m) = unequal.filter(|_| self.options.keeps_conflicts()) {
            let (x, y) = (log(first).count(), log(*m).count());
            let text = format!("of {x} entries on machine {first} and {y} on machine {m} some are not the same");
            return self.broken(Violation::correctness("finally_conflict_logs_are_equal", text));
        }
        for m in &members {
            if let Some(text) = self.missing(*m) {
                return self.broken(Violation::correctness("finally_acknowledged_writes_are_there", text));
            }
        }
        if let Some(text) = self.miscounted(first) {
            return self.broken(Violation::correctness("finally_counters_count", text));
        }
        for attempt in self.history.attempts.iter().skip(1).filter(|a| a.known == Known::Unknown) {
            let mark = if attempt.fate.is_some() { Mark::UnknownCommitted } else { Mark::UnknownAborted };
            self.marks.hit(mark);
        }
        if members.iter().any(|m| self.machines[*m].disk.has_compacted()) {
            self.marks.hit(Mark::LogCompacted);
        }
        if self.options.keeps_conflicts() {
            self.check_merge(first, &members);
        }
    }

    fn difference(&self, one: usize, other: usize) -> Option<String> {
        let (a, b) = (self.machines[one].files.now(), self.machines[other].files.now());
        for table in Name::ALL {
            let (mut left, mut right) = (a.rows(table), b.rows(table));
            loop {
                match (left.next(), right.next()) {
                    (None, None) => break,
                    (x, y) if x == y => (),
                    (x, y) => return Some(format!("{table:?}: machine {one} has {x:?}, machine {other} {y:?}")),
                }
            }
        }
        if a.schema() != b.schema() {
            return Some(format!("schema {} on machine {one}, {} on machine {other}", a.schema(), b.schema()));
        }
        None
    }

    fn vectors_differ(&self, members: &[usize]) -> Option<String> {
        let status = |m: &usize| self.machines[*m].node.as_ref().map(|n| n.status());
        let all: Vec<_> = members.iter().filter_map(|m| Some((*m, status(m)?))).collect();
        let (first, one) = all.first()?;
        all.iter().find_map(|(m, other)| {
            if one.vector != other.vector {
                return Some(format!("machine {first} {} and machine {m} {}", one.vector, other.vector));
            }
            (one.epoch != other.epoch)
                .then(|| format!("machine {first} is in {:?}, {m} in {:?}", one.epoch, other.epoch))
        })
    }

    fn missing(&self, m: usize) -> Option<String> {
        let files = &self.machines[m].files;
        self.history.attempts.iter().enumerate().find_map(|(tag, attempt)| {
            let lost = self.must_last(attempt) && !files.contains(tag as u32);
            lost.then(|| format!("#{tag} {:?} ({:?}) is not on machine {m}", attempt.fate, attempt.level))
        })
    }

    /// Whether what was acknowledged must be there at the end. ONE promises one disk: what was not replicated before that
    /// disk was lost, or its node removed, is gone with it. Who leaves has others take it first.
    pub fn must_last(&self, attempt: &Attempt) -> bool {
        let machine = &self.machines[attempt.machine];
        let handed_over = machine.left && self.options.faults.removals == 1;
        let survives = attempt.level != WriteLevel::One || machine.counts() || handed_over;
        attempt.known == Known::Committed && survives
    }

    /// Counters only ever rise by one for each commit, whatever else happens to their rows.
    fn miscounted(&self, m: usize) -> Option<String> {
        let view: View<'_> = self.machines[m].files.now();
        for (table, column) in [(Name::Counter, DATA), (Name::Mixed, DATA)] {
            for (key, row) in view.rows(table) {
                let commits = self.history.attempts.iter().filter(|a| a.fate.is_some() && a.level != WriteLevel::One);
                let rows = commits.flat_map(|a| &a.write_set.tables).filter(|t| t.table == table.id());
                let raised = rows
                    .flat_map(|t| &t.rows)
                    .filter(|r| r.changed.contains(column) && crate::pure::tables::key_number(&r.key) == key)
                    .count();
                if int(row, column) != raised as i64 {
                    return Some(format!("{table:?}/{key} is {} after {raised} increments", int(row, column)));
                }
            }
        }
        None
    }
}

/// Whether a cell holds this text.
pub fn holds(row: &[Value], marker: &str) -> bool {
    row.iter().any(|v| matches!(v, Value::Text(t) if **t == *marker))
}

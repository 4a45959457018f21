//! `finally_discarded_values_are_logged`: what ONE promised is in the rows, was knowingly overwritten, or is in the
//! conflict log.

use super::converge::holds;
use crate::pure::history::Violation;
use crate::pure::tables::{Name, Tag, key_number, marker};
use crate::pure::world::World;
use marmot::core::Table;
use marmot::types::{RowChange, WriteLevel};

impl World {
    /// Every acknowledged ONE value must be accounted for.
    pub fn check_merge(&mut self, first: usize, members: &[usize]) {
        for tag in 1..self.history.attempts.len() {
            let attempt = &self.history.attempts[tag];
            if attempt.level != WriteLevel::One || !self.must_last(attempt) {
                continue;
            }
            let mark = marker(tag as Tag);
            for table in &attempt.write_set.tables {
                let Some(name) = Name::of(table.table) else { continue };
                for row in table.rows.iter().filter(|r| r.after.as_ref().is_some_and(|i| holds(i, &mark))) {
                    if !self.is_kept(first, name, row, &mark) && !self.is_logged(members, &mark) {
                        let text = format!("the value of #{tag} in {name:?}/{} vanished", key_number(&row.key));
                        return self.broken(Violation::correctness("finally_discarded_values_are_logged", text));
                    }
                }
            }
        }
    }

    fn is_kept(&self, machine: usize, name: Name, row: &RowChange, mark: &str) -> bool {
        let now = self.machines[machine].files.now();
        if now.row(name, key_number(&row.key)).is_some_and(|image| holds(image, mark)) {
            return true;
        }
        // Somebody who saw it wrote over it.
        let commits = self.history.attempts.iter().filter(|a| a.fate.is_some());
        let tables = commits.flat_map(|a| &a.write_set.tables).filter(|t| t.table == name.id());
        tables.flat_map(|t| &t.rows).any(|r| {
            let saw = r.before.as_ref().is_some_and(|i| holds(i, mark));
            r.key == row.key && saw && !r.after.as_ref().is_some_and(|i| holds(i, mark))
        })
    }

    fn is_logged(&self, members: &[usize], mark: &str) -> bool {
        members.iter().any(|m| {
            let mut entries = self.machines[*m].disk.entries(Table::Conflict);
            entries.any(|(_, value)| value.windows(mark.len()).any(|w| w == mark.as_bytes()))
        })
    }
}

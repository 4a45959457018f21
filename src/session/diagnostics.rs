//! The diagnostics area: what the last statement had to say (`SHOW WARNINGS`, `SHOW ERRORS`).

use crate::mysql::{ErrorCode, SqlError, SqlState};
use crate::sql::{Warning, WarningLevel};
use std::collections::BTreeMap;

/// The condition that a query or a cursor has no row.
pub const NO_DATA: u16 = 1329;

/// How bad a condition is, by the name SHOW WARNINGS prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Note,
    Warning,
    Error,
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Level::Note => "Note",
            Level::Warning => "Warning",
            Level::Error => "Error",
        }
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    pub level: Level,
    pub code: u16,
    pub state: SqlState,
    pub message: String,
    /// What SIGNAL said besides, by MySQL's names of condition information items.
    pub items: BTreeMap<&'static str, String>,
}

impl Condition {
    /// An error without more to say of it.
    pub fn error(error: &SqlError) -> Condition {
        let (code, state, message) = (error.code, error.state, error.message.clone());
        Condition { level: Level::Error, code, state, message, items: BTreeMap::new() }
    }
}

/// The messages of one statement, at most `max_error_count` of them; all are counted.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Condition>,
    limit: usize,
    warnings: usize,
    errors: usize,
}

impl Diagnostics {
    /// Forgets the previous statement's messages.
    pub fn start(&mut self, limit: usize) {
        *self = Diagnostics { limit, ..Diagnostics::default() };
    }

    pub fn push(&mut self, condition: Condition) {
        match condition.level {
            Level::Error => self.errors += 1,
            Level::Note | Level::Warning => self.warnings += 1,
        }
        if self.list.len() < self.limit {
            self.list.push(condition);
        }
    }

    fn push_plain(&mut self, level: Level, code: u16, message: impl Into<String>) {
        // A warning that is no error has the class of warnings, unless there was no data.
        let state = match ErrorCode::find(code) {
            Some(known) => known.state,
            None if code == NO_DATA => SqlState(*b"02000"),
            None => SqlState(*b"01000"),
        };
        self.push(Condition { level, code, state, message: message.into(), items: BTreeMap::new() });
    }

    pub fn note(&mut self, code: u16, message: impl Into<String>) {
        self.push_plain(Level::Note, code, message);
    }

    pub fn warning(&mut self, code: u16, message: impl Into<String>) {
        self.push_plain(Level::Warning, code, message);
    }

    /// What functions warned of.
    pub fn warnings(&mut self, warnings: &[Warning]) {
        for warning in warnings {
            match warning.level {
                WarningLevel::Note => self.note(warning.code, &*warning.message),
                WarningLevel::Warning => self.warning(warning.code, &*warning.message),
            }
        }
    }

    /// The warnings and notes, as those of functions.
    pub fn into_warnings(self) -> impl Iterator<Item = Warning> {
        self.list.into_iter().filter_map(|condition| {
            let level = match condition.level {
                Level::Note => WarningLevel::Note,
                Level::Warning => WarningLevel::Warning,
                Level::Error => return None,
            };
            Some(Warning { level, code: condition.code, message: condition.message })
        })
    }

    /// What a program left that ran within the statement: the warnings of its last statement. What it handled is no news.
    pub fn left_by(&mut self, program: Diagnostics) {
        program.list.into_iter().filter(|c| c.level != Level::Error).for_each(|condition| self.push(condition));
    }

    pub fn error(&mut self, error: &SqlError) {
        self.push(Condition::error(error));
    }

    pub fn list(&self) -> &[Condition] {
        &self.list
    }

    /// What an OK packet says: everything, clamped to 16 bits.
    pub fn count(&self) -> u16 {
        u16::try_from(self.warnings + self.errors).unwrap_or(u16::MAX)
    }

    /// `@@warning_count`.
    pub fn warning_count(&self) -> usize {
        self.warnings + self.errors
    }

    /// `@@error_count`.
    pub fn error_count(&self) -> usize {
        self.errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_some_are_kept() {
        let mut d = Diagnostics::default();
        d.start(2);
        d.note(1, "a");
        d.warning(2, "b");
        d.error(&SqlError::new(1064, "c"));
        assert_eq!((d.count(), d.error_count(), d.list().len()), (3, 1, 2));
        d.start(2);
        assert_eq!(d.count(), 0);
    }
}

//! Which stored programs a session is running.

use crate::mysql::{self, SqlError};
use crate::session::schema::Schema;
use crate::sql::Called;
use crate::types::DatabaseName;
use std::sync::Arc;

/// Programs within programs; MySQL's `max_sp_recursion_depth` goes to 255.
const MOST_FRAMES: usize = 300;
/// Interpreters within interpreters: statements of a program that run others behind its back, by EXECUTE.
const MOST_INTERPRETERS: usize = 32;

/// The stored programs that run, innermost last.
#[derive(Default)]
pub struct Running {
    programs: Vec<Called>,
    interpreters: usize,
    /// The statements that fired triggers which run, innermost last: their tables.
    firing: Vec<Vec<(DatabaseName, String)>>,
    /// The schema of the outermost of these statements.
    schema: Option<Arc<Schema>>,
    /// The savepoints that each running trigger set, innermost last: it has a level of its own, and theirs go with it.
    savepoints: Vec<Vec<String>>,
}

impl Running {
    /// Whether what runs is a statement of a stored program.
    pub fn is_within(&self) -> bool {
        !self.programs.is_empty()
    }

    /// `database.name` of the innermost program.
    pub fn name(&self) -> String {
        self.programs.last().map_or_else(String::new, |p| format!("{}.{}", p.database, p.name))
    }

    /// A program begins.
    ///
    /// # Errors
    /// 1456 if it is running already and may not be so often, 1436 if too many are.
    pub fn enter(&mut self, program: &Called, recursion: usize) -> Result<(), SqlError> {
        if self.programs.iter().filter(|p| *p == program).count() > recursion {
            return Err(mysql::SP_RECURSION_LIMIT.with(&[&recursion, &program.name]));
        }
        if self.programs.len() >= MOST_FRAMES {
            return Err(mysql::STACK_OVERRUN_NEED_MORE.with(&[]));
        }
        self.programs.push(program.clone());
        Ok(())
    }

    /// Whether the program runs.
    pub fn has(&self, program: &Called) -> bool {
        self.programs.contains(program)
    }

    /// The innermost program ended.
    pub fn leave(&mut self) {
        self.programs.pop();
    }

    /// A statement over these tables, planned for this schema, begins to fire triggers.
    pub fn begin_firing(&mut self, tables: &[(DatabaseName, String)], schema: &Arc<Schema>) {
        self.schema.get_or_insert_with(|| schema.clone());
        self.firing.push(tables.to_vec());
    }

    pub fn end_firing(&mut self) {
        self.firing.pop();
        if self.firing.is_empty() {
            self.schema = None;
        }
    }

    /// Whether what runs is part of a statement that is not done: it cannot commit, and has no client.
    pub fn is_in_statement(&self) -> bool {
        !self.firing.is_empty()
    }

    /// The schema that the statement is of.
    pub fn schema(&self) -> Option<&Arc<Schema>> {
        self.schema.as_ref()
    }

    /// Whether a statement that is not done uses this table.
    pub fn uses(&self, database: &DatabaseName, table: &str) -> bool {
        self.firing.iter().flatten().any(|(d, t)| d == database && t == table)
    }

    /// A trigger begins.
    pub fn begin_level(&mut self) {
        self.savepoints.push(Vec::new());
    }

    /// A trigger ended; gives the first of the savepoints it left, by its name on the workspace.
    pub fn end_level(&mut self) -> Option<String> {
        let left = self.savepoints.pop().unwrap_or_default();
        left.first().map(|name| on_workspace(self.savepoints.len() + 1, name))
    }

    /// The innermost trigger sets a savepoint; gives its name on the workspace.
    pub fn set_savepoint(&mut self, name: &str) -> String {
        let depth = self.savepoints.len();
        if let Some(level) = self.savepoints.last_mut() {
            level.retain(|other| !other.eq_ignore_ascii_case(name));
            level.push(name.to_string());
        }
        on_workspace(depth, name)
    }

    /// A savepoint of the innermost trigger, by its name on the workspace. Those set after it are forgotten, and with
    /// `release` it too.
    pub fn find_savepoint(&mut self, name: &str, release: bool) -> Option<String> {
        let depth = self.savepoints.len();
        let level = self.savepoints.last_mut()?;
        let at = level.iter().position(|other| other.eq_ignore_ascii_case(name))?;
        level.truncate(if release { at } else { at + 1 });
        Some(on_workspace(depth, name))
    }

    /// An interpreter begins.
    ///
    /// # Errors
    /// 1436 if there are too many.
    pub fn begin_interpreter(&mut self) -> Result<(), SqlError> {
        if self.interpreters >= MOST_INTERPRETERS {
            return Err(mysql::STACK_OVERRUN_NEED_MORE.with(&[]));
        }
        self.interpreters += 1;
        Ok(())
    }

    pub fn end_interpreter(&mut self) {
        self.interpreters -= 1;
    }
}

/// Savepoints of different levels may have one name.
fn on_workspace(depth: usize, name: &str) -> String {
    format!("__marmot_{depth}_{name}")
}

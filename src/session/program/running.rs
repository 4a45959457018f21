//! Which stored programs a session is running.

use crate::mysql::{self, SqlError};
use crate::sql::Called;

/// Programs within programs; MySQL's `max_sp_recursion_depth` goes to 255.
const MOST_FRAMES: usize = 300;
/// Interpreters within interpreters: statements of a program that run others behind its back, by EXECUTE.
const MOST_INTERPRETERS: usize = 32;

/// The stored programs that run, innermost last.
#[derive(Debug, Default)]
pub struct Running {
    programs: Vec<Called>,
    interpreters: usize,
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

    /// The innermost program ended.
    pub fn leave(&mut self) {
        self.programs.pop();
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

//! Queries that an SQL function runs on the connection of the statement that called it: they see what that statement sees.

use super::connection::Fault;
use super::error::{Error, Result};
use super::statement::{Statement, error_of};
use crate::types::Value;
use rusqlite::ffi;
use std::collections::BTreeMap;
use std::ffi::{c_char, c_int};
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

/// Statements kept compiled.
const CACHED: usize = 64;

/// The compiled statements of one connection's functions. Clones share them; the connection forgets them before it closes.
#[derive(Clone, Default)]
pub(super) struct NestedStatements(Arc<Mutex<BTreeMap<String, Statement>>>);

impl NestedStatements {
    /// Finalises all statements: before the connection closes, and before a database is detached.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn take(&self, sql: &str) -> Option<Statement> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(sql)
    }

    fn keep(&self, sql: &str, statement: Statement) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= CACHED {
            // Which one goes hardly matters: a program has few, and they are compiled again.
            all.pop_first();
        }
        all.insert(sql.to_string(), statement);
    }
}

/// The connection of a running statement, for the function that the statement calls.
pub struct Nested<'c> {
    raw: *mut ffi::sqlite3,
    fault: &'c Fault,
    statements: &'c NestedStatements,
}

// SAFETY: it lives within one call of a function, on the thread that runs the connection; who wants to move it does so
// within that call only.
unsafe impl Send for Nested<'_> {}

impl<'c> Nested<'c> {
    /// # Safety
    /// `raw` is the open connection that `fault` and `statements` belong to, running the statement that called.
    pub(super) unsafe fn new(raw: *mut ffi::sqlite3, fault: &'c Fault, statements: &'c NestedStatements) -> Nested<'c> {
        Nested { raw, fault, statements }
    }

    /// The rows of a query, at most so many; `None` if they have more than `bytes`.
    ///
    /// # Errors
    /// Those of queries; a statement that writes is refused.
    pub fn query(&self, sql: &str, params: &[Value], rows: usize, bytes: usize) -> Result<Option<Vec<Vec<Value>>>> {
        // While it runs it is not in the cache: a function within may run the same text.
        let mut statement = match self.statements.take(sql) {
            Some(statement) => statement,
            None => self.prepare(sql)?,
        };
        let found = collect(&mut statement, params, rows, bytes);
        statement.reset();
        self.statements.keep(sql, statement);
        found
    }

    fn prepare(&self, sql: &str) -> Result<Statement> {
        let mut raw = ptr::null_mut();
        let too_long = |_| Error::Sqlite { code: ffi::SQLITE_TOOBIG, message: "statement too long".into() };
        let length = c_int::try_from(sql.len()).map_err(too_long)?;
        // SAFETY: an open connection by contract; the text is readable for its length.
        let code = unsafe {
            let flags = ffi::SQLITE_PREPARE_PERSISTENT;
            ffi::sqlite3_prepare_v3(self.raw, sql.as_ptr() as *const c_char, length, flags, &mut raw, ptr::null_mut())
        };
        if code != ffi::SQLITE_OK {
            // SAFETY: an open connection by contract.
            return Err(unsafe { error_of(self.raw, code, self.fault) });
        }
        if raw.is_null() {
            return Err(Error::Sqlite { code: ffi::SQLITE_MISUSE, message: "empty statement".into() });
        }
        // SAFETY: just compiled on this connection.
        let statement = unsafe { Statement::from_raw(raw, self.fault.clone()) };
        if !statement.is_read_only() {
            return Err(Error::Unsupported("a stored function that changes data".into()));
        }
        Ok(statement)
    }
}

fn collect(statement: &mut Statement, params: &[Value], most: usize, bytes: usize) -> Result<Option<Vec<Vec<Value>>>> {
    statement.bind_copies(params)?;
    let (mut rows, mut size) = (Vec::new(), 0usize);
    while rows.len() < most && statement.step()? {
        let row: Vec<Value> = (0..statement.width()).map(|i| statement.cell(i).to_value()).collect();
        size = size.saturating_add(row.iter().map(Value::size).sum());
        if size > bytes {
            return Ok(None);
        }
        rows.push(row);
    }
    Ok(Some(rows))
}

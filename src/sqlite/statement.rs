//! A prepared statement without a cache lookup or an allocation per call, and the rows it yields.

use super::cell::Cell;
use super::connection::Fault;
use super::cost::Cost;
use super::error::{Constraint, Error, Result, is_full};
use crate::types::Value;
use rusqlite::ffi;
use std::ffi::{CStr, c_char, c_int};
use std::sync::Arc;

/// One compiled statement. Finalised when dropped; the owner drops it before its connection.
pub(super) struct Statement {
    raw: *mut ffi::sqlite3_stmt,
    fault: Fault,
}

// SAFETY: a statement is used by the thread that uses its connection, and moves with it.
unsafe impl Send for Statement {}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: `raw` came from `sqlite3_prepare_v3` and is finalised only here.
        unsafe { ffi::sqlite3_finalize(self.raw) };
    }
}

/// What a result column is called and where it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnInfo {
    /// The name in the result: the alias if there is one.
    pub name: String,
    /// The type as declared in SQLite, for a plain column.
    pub declared: Option<String>,
    /// Database, table and column a plain column comes from.
    pub database: Option<String>,
    pub table: Option<String>,
    pub origin: Option<String>,
}

impl Statement {
    /// # Safety
    /// `raw` is a statement of the connection that `fault` belongs to, owned by nobody else.
    pub(super) unsafe fn from_raw(raw: *mut ffi::sqlite3_stmt, fault: Fault) -> Statement {
        Statement { raw, fault }
    }

    /// Binds copies of `params` to `?1..`; the rest stays NULL.
    pub(super) fn bind_copies<'p>(&mut self, params: impl IntoIterator<Item = &'p Value>) -> Result<()> {
        // SAFETY: SQLite copies what is bound as transient.
        unsafe { self.bind(params, ffi::SQLITE_TRANSIENT()) }
    }

    /// Runs the statement to its end with `params`, which need no copy. The result rows, if any, are dropped.
    pub(super) fn run<'p>(&mut self, params: impl IntoIterator<Item = &'p Value>) -> Result<()> {
        // SAFETY: the values outlive this call, and the bindings are cleared before it returns.
        let bound = unsafe { self.bind(params, ffi::SQLITE_STATIC()) };
        let ran = bound.and_then(|()| {
            while self.step()? {}
            Ok(())
        });
        self.reset();
        // SAFETY: a live statement.
        unsafe { ffi::sqlite3_clear_bindings(self.raw) };
        ran
    }

    /// As [`Statement::run`], and says how many rows it changed directly.
    pub(super) fn run_counted<'p>(&mut self, params: impl IntoIterator<Item = &'p Value>) -> Result<u64> {
        self.run(params)?;
        // SAFETY: the connection of a live statement.
        let n = unsafe { ffi::sqlite3_changes64(ffi::sqlite3_db_handle(self.raw)) };
        Ok(u64::try_from(n).unwrap_or(0))
    }

    /// The rows of a query, all of them.
    pub(super) fn all<'p>(&mut self, params: impl IntoIterator<Item = &'p Value>) -> Result<Vec<Vec<Value>>> {
        self.bind_copies(params)?;
        let mut rows = Vec::new();
        let outcome = loop {
            match self.step() {
                Ok(true) => rows.push((0..self.width()).map(|i| self.cell(i).to_value()).collect()),
                Ok(false) => break Ok(rows),
                Err(e) => break Err(e),
            }
        };
        self.reset();
        outcome
    }

    /// # Safety
    /// With a static destructor the values outlive their binding.
    unsafe fn bind<'p>(
        &mut self,
        params: impl IntoIterator<Item = &'p Value>,
        destructor: ffi::sqlite3_destructor_type,
    ) -> Result<()> {
        for (i, value) in params.into_iter().enumerate() {
            let at = i as c_int + 1;
            // SAFETY: a live statement; lengths are those of the slices. A null pointer would bind NULL, but a Rust
            // slice's pointer is never null.
            let code = unsafe {
                match value {
                    Value::Null => ffi::sqlite3_bind_null(self.raw, at),
                    Value::Int(x) => ffi::sqlite3_bind_int64(self.raw, at, *x),
                    Value::Real(x) => ffi::sqlite3_bind_double(self.raw, at, x.0),
                    Value::Text(x) => ffi::sqlite3_bind_text64(
                        self.raw,
                        at,
                        x.as_ptr() as *const c_char,
                        x.len() as u64,
                        destructor,
                        ffi::SQLITE_UTF8 as u8,
                    ),
                    Value::Blob(x) => {
                        ffi::sqlite3_bind_blob64(self.raw, at, x.as_ptr() as *const _, x.len() as u64, destructor)
                    }
                }
            };
            if code != ffi::SQLITE_OK {
                return Err(self.error(code));
            }
        }
        Ok(())
    }

    /// Moves to the next row; false at the end.
    pub(super) fn step(&mut self) -> Result<bool> {
        // SAFETY: a live statement.
        match unsafe { ffi::sqlite3_step(self.raw) } {
            ffi::SQLITE_ROW => Ok(true),
            ffi::SQLITE_DONE => Ok(false),
            code => Err(self.error(code)),
        }
    }

    pub(super) fn reset(&mut self) {
        // SAFETY: a live statement. The code repeats the error of the last step, which was reported then.
        unsafe { ffi::sqlite3_reset(self.raw) };
    }

    pub(super) fn width(&self) -> usize {
        // SAFETY: a live statement.
        usize::try_from(unsafe { ffi::sqlite3_column_count(self.raw) }).unwrap_or(0)
    }

    /// Cell `i` of the current row; NULL if there is none.
    pub(super) fn cell(&self, i: usize) -> Cell<'_> {
        // SAFETY: stepping needs `&mut self`, so the row stays while the cell is borrowed; SQLite answers NULL for a
        // column out of range.
        unsafe { Cell::of_column(self.raw, i as c_int) }
    }

    /// Whether running the statement can change no file.
    pub(super) fn is_read_only(&self) -> bool {
        // SAFETY: a live statement.
        unsafe { ffi::sqlite3_stmt_readonly(self.raw) != 0 }
    }

    /// How often SQLite compiled it again because the schema changed.
    pub(super) fn recompiled(&self) -> c_int {
        // SAFETY: a live statement.
        unsafe { ffi::sqlite3_stmt_status(self.raw, ffi::SQLITE_STMTSTATUS_REPREPARE, 0) }
    }

    /// What running the statement cost since this was last asked.
    pub(super) fn take_cost(&mut self) -> Cost {
        let take = |counter: c_int| {
            // SAFETY: a live statement; the counter is reset to 0.
            let n = unsafe { ffi::sqlite3_stmt_status(self.raw, counter, 1) };
            u64::try_from(n).unwrap_or(0)
        };
        let scanned_rows = take(ffi::SQLITE_STMTSTATUS_FULLSCAN_STEP);
        Cost {
            scanned_rows,
            scans: u64::from(scanned_rows > 0),
            sorts: take(ffi::SQLITE_STMTSTATUS_SORT),
            automatic_indexes: u64::from(take(ffi::SQLITE_STMTSTATUS_AUTOINDEX) > 0),
        }
    }

    pub(super) fn columns(&self) -> Arc<[ColumnInfo]> {
        /// # Safety
        /// `text` is null or NUL-terminated.
        unsafe fn owned(text: *const c_char) -> Option<String> {
            // SAFETY: by contract.
            (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
        }
        let column = |i: c_int| {
            // SAFETY: a live statement and a column in range; the texts are copied at once.
            unsafe {
                ColumnInfo {
                    name: owned(ffi::sqlite3_column_name(self.raw, i)).unwrap_or_default(),
                    declared: owned(ffi::sqlite3_column_decltype(self.raw, i)),
                    database: owned(ffi::sqlite3_column_database_name(self.raw, i)),
                    table: owned(ffi::sqlite3_column_table_name(self.raw, i)),
                    origin: owned(ffi::sqlite3_column_origin_name(self.raw, i)),
                }
            }
        };
        (0..self.width() as c_int).map(column).collect()
    }

    /// The connection it belongs to.
    pub(super) fn connection(&self) -> *mut ffi::sqlite3 {
        // SAFETY: a live statement.
        unsafe { ffi::sqlite3_db_handle(self.raw) }
    }

    fn error(&self, code: c_int) -> Error {
        // SAFETY: the connection of a live statement.
        unsafe { error_of(ffi::sqlite3_db_handle(self.raw), code, &self.fault) }
    }
}

/// The error that `code` of `db` means.
///
/// # Safety
/// `db` is an open connection, or null.
pub(super) unsafe fn error_of(db: *mut ffi::sqlite3, code: c_int, fault: &Fault) -> Error {
    if let Some(error) = fault.take() {
        return error;
    }
    // SAFETY: by contract; the message is NUL-terminated and copied at once.
    let (code, errno, message) = unsafe {
        let errno = if db.is_null() { 0 } else { ffi::sqlite3_system_errno(db) };
        let extended = if db.is_null() { code } else { ffi::sqlite3_extended_errcode(db) };
        let code = if extended & 0xff == code & 0xff { extended } else { code };
        let text = if db.is_null() { ffi::sqlite3_errstr(code) } else { ffi::sqlite3_errmsg(db) };
        let message = if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into() };
        (code, errno, message)
    };
    match code & 0xff {
        _ if is_full(code, errno) => Error::Full,
        ffi::SQLITE_CONSTRAINT => Error::Constraint { kind: constraint(code, &message), message },
        ffi::SQLITE_INTERRUPT => Error::Interrupted { transaction_lost: false },
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => Error::Busy,
        ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => {
            fault.found_damage();
            Error::Sqlite { code, message }
        }
        _ => Error::Sqlite { code, message },
    }
}

fn constraint(code: c_int, message: &str) -> Constraint {
    let subject = message.split_once(": ").map_or("", |(_, s)| s);
    let list = || subject.split(", ").map(str::to_string).collect::<Vec<_>>();
    match code {
        ffi::SQLITE_CONSTRAINT_UNIQUE => Constraint::Unique(list()),
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => Constraint::PrimaryKey(list()),
        ffi::SQLITE_CONSTRAINT_NOTNULL => Constraint::NotNull(subject.to_string()),
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Constraint::ForeignKey,
        // How SQLite reports RESTRICT; there are no triggers of users.
        ffi::SQLITE_CONSTRAINT_TRIGGER if message.starts_with("FOREIGN KEY") => Constraint::ForeignKey,
        ffi::SQLITE_CONSTRAINT_CHECK => Constraint::Check(subject.to_string()),
        _ => Constraint::Other,
    }
}

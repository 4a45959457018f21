//! Cells between SQLite's C values and [`Value`].

use crate::types::Value;
use rusqlite::ffi;
use std::ffi::c_int;

/// A borrowed cell of a result row or a function argument: valid until the statement moves on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    Null,
    Int(i64),
    Real(f64),
    /// Text as stored; normally UTF-8, but SQLite does not promise it.
    Text(&'a [u8]),
    Blob(&'a [u8]),
}

impl Cell<'_> {
    /// An owned copy. Text that is not UTF-8 becomes a blob, so that no byte is lost.
    pub fn to_value(self) -> Value {
        match self {
            Cell::Null => Value::Null,
            Cell::Int(i) => Value::Int(i),
            Cell::Real(x) => Value::real(x),
            Cell::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Value::text(text),
                Err(_) => Value::Blob(bytes.into()),
            },
            Cell::Blob(bytes) => Value::Blob(bytes.into()),
        }
    }

    /// Whether `value` is what [`Cell::to_value`] would give.
    pub(super) fn equals(self, value: &Value) -> bool {
        match (self, value) {
            (Cell::Null, Value::Null) => true,
            (Cell::Int(a), Value::Int(b)) => a == *b,
            (Cell::Real(a), Value::Real(b)) => a.to_bits() == b.0.to_bits(),
            (Cell::Text(a), Value::Text(b)) => a == b.as_bytes(),
            (Cell::Blob(a), Value::Blob(b)) => a == &b[..],
            _ => false,
        }
    }

    /// # Safety
    /// `value` is a live `sqlite3_value`, unchanged for `'a`.
    pub(super) unsafe fn of_value<'a>(value: *mut ffi::sqlite3_value) -> Cell<'a> {
        // SAFETY: by contract. The pointer is asked for before the length, as SQLite requires.
        unsafe {
            match ffi::sqlite3_value_type(value) {
                ffi::SQLITE_INTEGER => Cell::Int(ffi::sqlite3_value_int64(value)),
                ffi::SQLITE_FLOAT => Cell::Real(ffi::sqlite3_value_double(value)),
                ffi::SQLITE_TEXT => {
                    let at = ffi::sqlite3_value_text(value);
                    Cell::Text(bytes(at, ffi::sqlite3_value_bytes(value)))
                }
                ffi::SQLITE_BLOB => {
                    let at = ffi::sqlite3_value_blob(value) as *const u8;
                    Cell::Blob(bytes(at, ffi::sqlite3_value_bytes(value)))
                }
                _ => Cell::Null,
            }
        }
    }

    /// # Safety
    /// `statement` is on a row that has column `i`, and does not move for `'a`.
    pub(super) unsafe fn of_column<'a>(statement: *mut ffi::sqlite3_stmt, i: c_int) -> Cell<'a> {
        // SAFETY: by contract. The pointer is asked for before the length, as SQLite requires.
        unsafe {
            match ffi::sqlite3_column_type(statement, i) {
                ffi::SQLITE_INTEGER => Cell::Int(ffi::sqlite3_column_int64(statement, i)),
                ffi::SQLITE_FLOAT => Cell::Real(ffi::sqlite3_column_double(statement, i)),
                ffi::SQLITE_TEXT => {
                    let at = ffi::sqlite3_column_text(statement, i);
                    Cell::Text(bytes(at, ffi::sqlite3_column_bytes(statement, i)))
                }
                ffi::SQLITE_BLOB => {
                    let at = ffi::sqlite3_column_blob(statement, i) as *const u8;
                    Cell::Blob(bytes(at, ffi::sqlite3_column_bytes(statement, i)))
                }
                _ => Cell::Null,
            }
        }
    }
}

/// # Safety
/// `at` is null or readable for `n` bytes during `'a`.
unsafe fn bytes<'a>(at: *const u8, n: c_int) -> &'a [u8] {
    match usize::try_from(n) {
        // SAFETY: by contract.
        Ok(n) if n > 0 && !at.is_null() => unsafe { std::slice::from_raw_parts(at, n) },
        _ => &[],
    }
}

/// The text at place `i` of a row; empty if there is something else.
pub(super) fn text(row: &[Value], i: usize) -> String {
    match row.get(i) {
        Some(Value::Text(text)) => text.to_string(),
        _ => String::new(),
    }
}

/// The integer at place `i` of a row; zero if there is something else.
pub(super) fn integer(row: &[Value], i: usize) -> i64 {
    match row.get(i) {
        Some(Value::Int(i)) => *i,
        _ => 0,
    }
}

//! What can go wrong in this layer.

use crate::core::Fatal;
use nix::errno::Errno;
use rusqlite::ffi;

/// An error of a session's connection: goes to the client after the session translated it.
///
/// Unless a variant says otherwise the statement had no effect and the transaction is as it was before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A constraint of the schema refused the statement.
    #[error("{message}")]
    Constraint { kind: Constraint, message: String },
    /// A registered function refused its arguments; code, state and text are MySQL's.
    #[error("{0}")]
    Function(FunctionError),
    /// `marmot_auto_id` or `marmot_row_id` found its lease empty: lease more, run the statement again.
    #[error("no ids left in the lease")]
    NoIds(IdKind),
    /// The statement was interrupted (KILL, a time limit). When it wrote, SQLite has rolled the whole transaction
    /// back: call [`super::Workspace::end`].
    #[error("interrupted")]
    Interrupted { transaction_lost: bool },
    /// The transaction's changes exceed the limit; it was rolled back.
    #[error("transaction of more than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("unknown database '{0}'")]
    NoSuchDatabase(String),
    /// A name that no database can have.
    #[error("incorrect database name '{0}'")]
    BadDatabaseName(String),
    /// More databases in one transaction than SQLite attaches.
    #[error("too many databases in one transaction: at most {0}")]
    TooManyDatabases(usize),
    /// A statement changed a table that the catalog gives no identity; the transaction cannot be replicated.
    #[error("table '{0}' is not replicated")]
    Unreplicated(String),
    /// Something outside what this layer supports, by name.
    #[error("{0}")]
    Unsupported(String),
    #[error("database is locked")]
    Busy,
    /// A write found no room. Nothing was made durable, and nothing failed to be: it can be tried again. (What a sync says
    /// is never this: after a failed one nobody knows what is on disk.)
    #[error("disk full")]
    Full,
    /// Any other SQLite error, with its extended result code.
    #[error("{message}")]
    Sqlite { code: i32, message: String },
}

/// Which rule a statement broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// A unique index: the table and its column names, as SQLite reports them (`["t.a", "t.b"]`), or `["index 'i'"]`
    /// for an index on expressions.
    Unique(Vec<String>),
    /// The primary key; columns as for `Unique`.
    PrimaryKey(Vec<String>),
    /// `table.column` of a NOT NULL column.
    NotNull(String),
    /// A foreign key; SQLite does not say which.
    ForeignKey,
    /// The name or text of a CHECK.
    Check(String),
    /// A value of the wrong storage class, RAISE(), and what else there is.
    Other,
}

/// Which kind of id ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdKind {
    Auto,
    Row,
}

/// An error raised by a registered SQL function, in MySQL's terms.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FunctionError {
    pub code: u16,
    /// SQLSTATE, five characters.
    pub state: String,
    pub message: String,
}

impl Error {
    /// Whether a file is not what SQLite wrote there.
    pub fn is_damage(&self) -> bool {
        match self {
            Error::Sqlite { code, .. } => matches!(code & 0xff, ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB),
            _ => false,
        }
    }
}

/// Whether a write that failed with `code` found no room, `errno` being what the operating system said. SQLite tells
/// [`Error::Full`] only from ENOSPC; a quota is as full as a disk. A failed sync is never this.
pub(super) fn is_full(code: i32, errno: i32) -> bool {
    let no_room = [Errno::EDQUOT as i32, Errno::ENOSPC as i32].contains(&errno);
    match code {
        ffi::SQLITE_FULL => true,
        // The index of a WAL cannot grow. It is memory, rebuilt by whoever opens the file first.
        ffi::SQLITE_IOERR_SHMSIZE => true,
        // A file that cannot be made: a log, or its index.
        ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMOPEN => no_room,
        _ => code & 0xff == ffi::SQLITE_CANTOPEN && no_room,
    }
}

impl From<Error> for Fatal {
    fn from(e: Error) -> Fatal {
        match e {
            Error::Full => Fatal::DiskFull,
            damage if damage.is_damage() => Fatal::Damaged(damage.to_string()),
            other => Fatal::Storage(other.to_string()),
        }
    }
}

pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_as_full_as_a_disk_but_a_failed_sync_is_not() {
        for errno in [Errno::EDQUOT, Errno::ENOSPC] {
            assert!(is_full(ffi::SQLITE_IOERR_WRITE, errno as i32));
            assert!(is_full(ffi::SQLITE_CANTOPEN, errno as i32));
            assert!(!is_full(ffi::SQLITE_IOERR_FSYNC, errno as i32));
            assert!(!is_full(ffi::SQLITE_IOERR_READ, errno as i32));
        }
        assert!(is_full(ffi::SQLITE_FULL, 0) && is_full(ffi::SQLITE_IOERR_SHMSIZE, 0));
        assert!(!is_full(ffi::SQLITE_IOERR_WRITE, Errno::EIO as i32));
    }
}

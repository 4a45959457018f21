//! Which database files there are: `<data_dir>/marmot.files`, a small SQLite file of this layer's own.
//!
//! A virtual file system has no directory listing, and a missing file must be told from a dropped one when the log is
//! redone: a database was created at one place in the apply order and perhaps dropped at a later one, and tasks
//! outside that span do not concern the file that is there now.

use super::connection::Connection;
use super::error::Result;
use super::functions::Functions;
use crate::types::{ApplySeq, Value};

/// One database's life in the apply order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) created: ApplySeq,
    pub(super) dropped: Option<ApplySeq>,
}

pub(super) struct Registry {
    connection: Connection,
}

fn int(seq: ApplySeq) -> Value {
    Value::Int(i64::try_from(seq).unwrap_or(i64::MAX))
}

fn seq(value: &Value) -> Option<ApplySeq> {
    match value {
        Value::Int(i) => u64::try_from(*i).ok(),
        _ => None,
    }
}

impl Registry {
    pub(super) fn open(path: &str, vfs: Option<&str>, busy_timeout_ms: u32) -> Result<Registry> {
        let uri = super::connection::uri(path, "");
        let connection = Connection::open(&uri, vfs, busy_timeout_ms, &Functions::new())?;
        connection.run_script(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE IF NOT EXISTS file(name TEXT PRIMARY KEY, created INTEGER NOT NULL, dropped INTEGER) WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS state(item TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;",
        )?;
        Ok(Registry { connection })
    }

    pub(super) fn files(&mut self) -> Result<Vec<(String, Span)>> {
        let rows = self.connection.cached("SELECT name, created, dropped FROM file ORDER BY name")?.all([])?;
        let entry = |row: Vec<Value>| match &row[..] {
            [Value::Text(name), created, dropped] => {
                Some((name.to_string(), Span { created: seq(created)?, dropped: seq(dropped) }))
            }
            _ => None,
        };
        Ok(rows.into_iter().filter_map(entry).collect())
    }

    /// Durable when it returns.
    pub(super) fn record(&mut self, name: &str, span: Span) -> Result<()> {
        let dropped = span.dropped.map_or(Value::Null, int);
        self.connection.cached("INSERT OR REPLACE INTO file VALUES(?1, ?2, ?3)")?.run(&[
            Value::text(name),
            int(span.created),
            dropped,
        ])
    }

    /// Up to where every file's content is durable.
    pub(super) fn synced(&mut self) -> Result<ApplySeq> {
        let rows = self.connection.cached("SELECT value FROM state WHERE item = 'synced'")?.all([])?;
        Ok(rows.first().and_then(|row| seq(&row[0])).unwrap_or(0))
    }

    /// Durable when it returns.
    pub(super) fn set_synced(&mut self, to: ApplySeq) -> Result<()> {
        self.connection.cached("INSERT OR REPLACE INTO state VALUES('synced', ?1)")?.run(&[int(to)])
    }

    /// Leaves one file without a WAL, to be sent to another node.
    pub(super) fn finish(self) -> Result<()> {
        self.connection.run_script("PRAGMA journal_mode = DELETE")
    }
}

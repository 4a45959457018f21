//! Which database files there are: `<data_dir>/marmot.files`, a small SQLite file of this layer's own.
//!
//! A virtual file system has no directory listing, and a missing file must be told from a dropped one when the log is
//! redone: a database was created at one place in the apply order and perhaps dropped at a later one, and tasks
//! outside that span do not concern the file that is there now.

use super::connection::Connection;
use super::error::Result;
use super::functions::Functions;
use crate::types::{ApplySeq, DatabaseName, Value};

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

/// What says in `state` which task a file was made durable with. Programs that do not know it leave it as it was.
fn holding(name: &str) -> Value {
    Value::text(format!("file {name}"))
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
        // What a killed process wrote last may be in the operating system's cache only, and is acted upon from now on.
        connection.sync_wal("main")?;
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
        self.together(|registry| {
            let dropped = span.dropped.map_or(Value::Null, int);
            let row = [Value::text(name), int(span.created), dropped];
            registry.connection.cached("INSERT OR REPLACE INTO file VALUES(?1, ?2, ?3)")?.run(&row)?;
            registry.connection.cached("DELETE FROM state WHERE item = ?1")?.run(&[holding(name)])
        })
    }

    /// Up to where every file's content is durable.
    pub(super) fn synced(&mut self) -> Result<ApplySeq> {
        let rows = self.connection.cached("SELECT value FROM state WHERE item = 'synced'")?.all([])?;
        Ok(rows.first().and_then(|row| seq(&row[0])).unwrap_or(0))
    }

    /// Everything is durable up to `to`; `files` are the files that hold more of it than was said before, each with its last
    /// task. Durable when it returns.
    pub(super) fn set_synced(&mut self, to: ApplySeq, files: &[(DatabaseName, ApplySeq)]) -> Result<()> {
        self.together(|registry| {
            let put = registry.connection.cached("INSERT OR REPLACE INTO state VALUES(?1, ?2)")?;
            put.run(&[Value::text("synced"), int(to)])?;
            files.iter().try_for_each(|(name, held)| put.run(&[holding(name), int(*held)]))
        })
    }

    /// The last task that the file of `name`, made with task `created`, was made durable with: one that holds less has lost
    /// something. 0: nothing was said of it.
    pub(super) fn held(&mut self, name: &str, created: ApplySeq) -> Result<ApplySeq> {
        let rows = self.connection.cached("SELECT value FROM state WHERE item = ?1")?.all(&[holding(name)])?;
        // A lower one was said of an earlier file of that name.
        Ok(rows.first().and_then(|row| seq(&row[0])).filter(|held| *held >= created).unwrap_or(0))
    }

    /// All of `work` or nothing of it, with one sync.
    fn together(&mut self, work: impl FnOnce(&mut Registry) -> Result<()>) -> Result<()> {
        self.connection.run_script("BEGIN IMMEDIATE")?;
        let done = work(self).and_then(|()| self.connection.run_script("COMMIT"));
        if done.is_err() {
            // It fails only if SQLite has rolled back already.
            let _ = self.connection.run_script("ROLLBACK");
        }
        done
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// It is damaged.
    pub(super) fn check(&mut self) -> Result<()> {
        super::integrity::run_check(&mut self.connection, "integrity_check(1)")
    }

    /// Leaves one file without a WAL, to be sent to another node.
    pub(super) fn finish(self) -> Result<()> {
        self.connection.run_script("PRAGMA journal_mode = DELETE")
    }
}
